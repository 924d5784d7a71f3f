/* quantized_recurrent.c - see quantized_recurrent.h. */
#include "quantized_recurrent.h"

#include "pack.h"

enum { ROWS = 32, ZERO_POINTS = 16 }; /* gates of the input are made for about ROWS rows at a time */

/* ---- check ---- */

static qrt_status check_matrix(qrt_verify *v, const qrt_node *node, uint32_t first, int32_t n, int32_t k) {
  qrt_tensor weight, vector;
  QRT_TRY(qrt_expect_weight(v, node, first, &weight));
  QRT_TRY(qrt_expect_rank(v, node, first, &weight, 2));
  if (weight.shape[0] != n || weight.shape[1] != k) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %d by %d instead of %d by %d", first,
                         weight.index, weight.shape[0], weight.shape[1], n, k);
  }
  QRT_TRY(qrt_expect_vector(v, node, first + 1, QRT_FB_DType_int32, n, &vector));
  return qrt_expect_multipliers(v, node, first + 2, n, &vector);
}

static uint32_t zero_points(const qrt_recurrent_form *form) {
  return form->ranges - form->states + form->tables;
}

static qrt_status check_options(qrt_verify *v, const qrt_node *node, const qrt_recurrent_form *form) {
  int32_t zero_point[ZERO_POINTS], least[QRT_RECURRENT_RANGES], most[QRT_RECURRENT_RANGES];
  const qrt_fb_field *fields = form->fields;
  uint32_t count, at = qrt_flat_vector(node->model->file, node->options, fields + QRT_FB_lstm_multiplier, &count);
  QRT_TRY(qrt_expect_ints(v, node, fields + QRT_FB_lstm_zero_point, zero_points(form), -128, 127, zero_point));
  QRT_TRY(qrt_expect_ints(v, node, fields + QRT_FB_lstm_output_min, form->ranges, -128, 127, least));
  QRT_TRY(qrt_expect_ints(v, node, fields + QRT_FB_lstm_output_max, form->ranges, -128, 127, most));
  for (uint32_t i = 0; i < form->ranges; ++i) {
    if (least[i] > most[i]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "output_min[%u]..output_max[%u] is %d..%d", i, i, least[i],
                           most[i]);
    }
  }
  if (count != form->multipliers) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "multiplier has %u elements instead of %u", count,
                         form->multipliers);
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (!qrt_multiplier_ok(qrt_load_float(node->model->file + at + 4 * i))) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "multiplier[%u] is not within 2^-60 and 2^60", i);
    }
  }
  return QRT_OK;
}

static qrt_status check_state(qrt_verify *v, const qrt_node *node, uint32_t i, int32_t batch, uint32_t gates,
                              qrt_tensor *state) {
  QRT_TRY(qrt_expect_quantized(v, node, i, state));
  QRT_TRY(qrt_expect_rank(v, node, i, state, 2));
  if (state->shape[0] != batch || state->shape[1] > INT32_MAX / (int32_t)gates) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %d by %d for %d in a batch", i,
                         state->index, state->shape[0], state->shape[1], batch);
  }
  return QRT_OK;
}

qrt_status qrt_check_quantized_recurrent(qrt_verify *v, const qrt_node *node, const qrt_recurrent_form *form) {
  qrt_tensor input, state[2], table, output;
  QRT_TRY(qrt_expect_quantized(v, node, 0, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 3));
  for (uint32_t i = 0; i < form->states; ++i) {
    QRT_TRY(check_state(v, node, 1 + i, input.shape[1], form->gates, &state[i]));
  }
  const int32_t size = state[0].shape[1], gates = (int32_t)form->gates * size;
  if (form->states == 2 && state[1].shape[1] != size) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "a cell state of %d values for a hidden state of %d",
                         state[1].shape[1], size);
  }
  const uint32_t weights = 1 + form->states, tables = weights + 6;
  QRT_TRY(check_matrix(v, node, weights, gates, input.shape[2]));
  QRT_TRY(check_matrix(v, node, weights + 3, gates, size));
  for (uint32_t i = 0; i < form->tables; ++i) {
    QRT_TRY(qrt_expect_vector(v, node, tables + i, QRT_FB_DType_int8, 256, &table));
  }
  const int32_t shape[3] = {input.shape[0], input.shape[1], size};
  QRT_TRY(qrt_expect_output_at(v, node, 0, QRT_FB_DType_int8, 3, shape, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &output, &state[0]));
  for (uint32_t i = 0; i < form->states; ++i) {
    QRT_TRY(qrt_expect_output_at(v, node, 1 + i, QRT_FB_DType_int8, 2, shape + 1, &output));
    QRT_TRY(qrt_expect_same_qparams(v, node, &output, &state[i]));
  }
  return check_options(v, node, form);
}

/* ---- run ---- */

static void multiply(const qrt_quantized_recurrent *a, const qrt_gates *m, size_t rows, const int8_t *input,
                     const qrt_output_range *range, int8_t *output) {
  const size_t n = a->form->gates * a->hidden;
  const qrt_gemm_rows left = qrt_gemm_matrix(input, m->k, m->k);
  a->gemm->run(rows, n, &left, m->packed, range, output, n);
}

static void run(const void *pointer, void *scratch) {
  const qrt_quantized_recurrent *r = pointer;
  const size_t state = r->batch * r->hidden, gates = r->form->gates * r->hidden;
  int8_t *gx = scratch, *gh = gx + r->block * r->batch * gates;
  const int8_t *before = r->first[0];
  if (r->form->states == 2) {
    memcpy(r->last[1], r->first[1], state);
  }
  for (size_t done = 0; done < r->steps; done += r->block) {
    const size_t count = r->steps - done < r->block ? r->steps - done : r->block;
    const size_t begin = r->reverse ? r->steps - done - count : done;
    multiply(r, &r->of_input, count * r->batch, r->input + begin * r->batch * r->of_input.k, &r->range[QRT_OF_INPUT],
             gx);
    for (size_t i = 0; i < count; ++i) {
      const size_t t = r->reverse ? count - 1 - i : i;
      int8_t *hidden = r->output + (begin + t) * state;
      multiply(r, &r->of_hidden, r->batch, before, &r->range[QRT_OF_HIDDEN], gh);
      for (size_t b = 0; b < r->batch; ++b) {
        r->form->cell(r, gx + (t * r->batch + b) * gates, gh + b * gates, before + b * r->hidden,
                      r->form->states == 2 ? r->last[1] + b * r->hidden : NULL, hidden + b * r->hidden);
      }
      before = hidden;
    }
  }
  memcpy(r->last[0], before, state);
}

/* ---- prepare ---- */

static void bind_matrix(qrt_binder *binder, const qrt_node *node, const qrt_quantized_recurrent *a, uint32_t first,
                        int32_t zero_point, qrt_gates *m) {
  qrt_tensor weight;
  qrt_node_input(node, first, &weight);
  m->k = (size_t)weight.shape[1];
  m->packed = qrt_pack_matrix(binder, node, a->gemm, first, zero_point, (size_t)weight.shape[0], 1, m->k);
}

/* What the options say of each value; the zero points of the states are their tensors'. */
static void read_options(const qrt_node *node, const int32_t *state_zero_point, qrt_quantized_recurrent *r) {
  const qrt_recurrent_form *form = r->form;
  const uint32_t values = form->ranges - form->states;
  int32_t zero_point[ZERO_POINTS], least[QRT_RECURRENT_RANGES], most[QRT_RECURRENT_RANGES];
  uint32_t count, at = qrt_flat_vector(node->model->file, node->options, form->fields + QRT_FB_lstm_multiplier, &count);
  qrt_node_ints(node, form->fields + QRT_FB_lstm_zero_point, zero_points(form), zero_point);
  qrt_node_ints(node, form->fields + QRT_FB_lstm_output_min, form->ranges, least);
  qrt_node_ints(node, form->fields + QRT_FB_lstm_output_max, form->ranges, most);
  for (uint32_t i = 0; i < form->multipliers; ++i) {
    r->multiplier[i] = qrt_load_float(node->model->file + at + 4 * i);
  }
  for (uint32_t i = 0; i < form->ranges; ++i) {
    const int32_t zero = i < values ? zero_point[i] : state_zero_point[form->ranges - 1 - i];
    r->range[i] = (qrt_output_range){zero, least[i], most[i]};
  }
  memcpy(r->table_zero_point, zero_point + values, form->tables * sizeof *zero_point);
}

static void *bind_output(const qrt_binder *binder, const qrt_node *node, uint32_t i) {
  qrt_tensor tensor;
  qrt_node_output_at(node, i, &tensor);
  return qrt_bind_output(binder, &tensor);
}

static const void *bind_input(const qrt_binder *binder, const qrt_node *node, uint32_t i) {
  qrt_tensor tensor;
  qrt_node_input(node, i, &tensor);
  return qrt_bind_tensor(binder, &tensor);
}

void qrt_prepare_quantized_recurrent(qrt_binder *binder, const qrt_node *node, const qrt_recurrent_form *form,
                                     qrt_step *step) {
  const uint32_t weights = 1 + form->states;
  qrt_tensor input, state;
  int32_t zero_point[2] = {0, 0};
  qrt_quantized_recurrent r;
  memset(&r, 0, sizeof r);
  r.form = form;
  qrt_node_input(node, 0, &input);
  r.input = bind_input(binder, node, 0);
  r.output = bind_output(binder, node, 0);
  for (uint32_t i = 0; i < form->states; ++i) {
    qrt_node_input(node, 1 + i, &state);
    zero_point[i] = state.zero_point;
    r.first[i] = bind_input(binder, node, 1 + i);
    r.last[i] = bind_output(binder, node, 1 + i);
  }
  for (uint32_t i = 0; i < form->tables; ++i) {
    r.table[i] = bind_input(binder, node, weights + 6 + i);
  }
  r.gemm = qrt_gemm_select(binder->isa);
  r.lut = qrt_lut_select(binder->isa);
  r.vadd = qrt_vadd_select(binder->isa);
  r.vmul = qrt_vmul_select(binder->isa);
  r.steps = (size_t)input.shape[0];
  r.batch = (size_t)input.shape[1];
  r.hidden = (size_t)state.shape[1];
  r.block = r.batch >= ROWS ? 1 : ROWS / r.batch;
  r.block = r.block < r.steps ? r.block : r.steps;
  r.reverse = qrt_flat_byte(node->model->file, node->options, form->fields + QRT_FB_lstm_reverse);
  read_options(node, zero_point, &r);
  bind_matrix(binder, node, &r, weights, input.zero_point, &r.of_input);
  bind_matrix(binder, node, &r, weights + 3, zero_point[0], &r.of_hidden);
  qrt_bind_scratch(binder, (uint64_t)(r.block + 1) * r.batch * form->gates * r.hidden);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &r, sizeof r);
  step->kernel = r.gemm->name;
}
