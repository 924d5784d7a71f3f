/* lstm.c - one layer of long short-term memory in one direction on int8, each of its values quantized as calibration
 * saw it; design rule 21. */
#include "../kernels/gemm/gemm.h"
#include "../kernels/lut/lut.h"
#include "../kernels/vadd/vadd.h"
#include "../kernels/vmul/vmul.h"
#include "op.h"
#include "pack.h"

enum { GATES = 4, ROWS = 32 }; /* gates of the input are made for about so many rows at a time */

/* Operands. */
enum { INPUT, HIDDEN, CELL, WEIGHT_IH, WEIGHT_HH = 6, SIGMOID_TABLE = 9, TANH_TABLE, CELL_TABLE };

/* Elements of output_min and output_max; of zero_point those before KEPT, where tables' outputs follow; of multiplier,
 * where sums have two each. */
enum { OF_INPUT, OF_HIDDEN, GATE, KEPT, ADDED, NEW_CELL, NEW_HIDDEN, RANGES };
enum { ZP_SIGMOID = 5, ZP_TANH, ZP_CELL_TANH, ZERO_POINTS };
enum { M_OF_INPUT, M_OF_HIDDEN, M_KEPT, M_ADDED, M_CELL_KEPT, M_CELL_ADDED, M_HIDDEN, MULTIPLIERS };

typedef struct matrix {
  const void *packed;
  size_t k;
} matrix;

typedef struct arguments {
  const qrt_gemm_kernel *gemm;
  const qrt_lut_kernel *lut;
  const qrt_vadd_kernel *vadd;
  const qrt_vmul_kernel *vmul;
  size_t steps, batch, hidden, block; /* block: steps whose gates of the input are made at a time */
  int reverse;
  matrix of_input, of_hidden;
  qrt_output_range input_range, hidden_range;
  qrt_vadd_params gate, new_cell;
  qrt_vmul_params kept, added, new_hidden;
  const int8_t *input, *first_hidden, *first_cell, *sigmoid_table, *tanh_table, *cell_table;
  int8_t *output, *last_hidden, *last_cell;
} arguments;

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

static qrt_status check_options(qrt_verify *v, const qrt_node *node) {
  int32_t zero_point[ZERO_POINTS], least[RANGES], most[RANGES];
  uint32_t count, at = qrt_flat_vector(node->model->file, node->options, QRT_FIELD(lstm, multiplier), &count);
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(lstm, zero_point), ZERO_POINTS, -128, 127, zero_point));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(lstm, output_min), RANGES, -128, 127, least));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(lstm, output_max), RANGES, -128, 127, most));
  for (uint32_t i = 0; i < RANGES; ++i) {
    if (least[i] > most[i]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "output_min[%u]..output_max[%u] is %d..%d", i, i, least[i],
                           most[i]);
    }
  }
  if (count != MULTIPLIERS) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "multiplier has %u elements instead of %d", count, MULTIPLIERS);
  }
  for (uint32_t i = 0; i < MULTIPLIERS; ++i) {
    if (!qrt_multiplier_ok(qrt_load_float(node->model->file + at + 4 * i))) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "multiplier[%u] is not within 2^-60 and 2^60", i);
    }
  }
  return QRT_OK;
}

static qrt_status check_state(qrt_verify *v, const qrt_node *node, uint32_t i, int32_t batch, qrt_tensor *state) {
  QRT_TRY(qrt_expect_quantized(v, node, i, state));
  QRT_TRY(qrt_expect_rank(v, node, i, state, 2));
  if (state->shape[0] != batch || state->shape[1] > INT32_MAX / GATES) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %d by %d for %d in a batch", i,
                         state->index, state->shape[0], state->shape[1], batch);
  }
  return QRT_OK;
}

qrt_status qrt_check_lstm(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, hidden, cell, table, output;
  QRT_TRY(qrt_expect_quantized(v, node, INPUT, &input));
  QRT_TRY(qrt_expect_rank(v, node, INPUT, &input, 3));
  QRT_TRY(check_state(v, node, HIDDEN, input.shape[1], &hidden));
  QRT_TRY(check_state(v, node, CELL, input.shape[1], &cell));
  if (cell.shape[1] != hidden.shape[1]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "a cell state of %d values for a hidden state of %d", cell.shape[1],
                         hidden.shape[1]);
  }
  const int32_t size = hidden.shape[1];
  QRT_TRY(check_matrix(v, node, WEIGHT_IH, GATES * size, input.shape[2]));
  QRT_TRY(check_matrix(v, node, WEIGHT_HH, GATES * size, size));
  for (uint32_t i = SIGMOID_TABLE; i <= CELL_TABLE; ++i) {
    QRT_TRY(qrt_expect_vector(v, node, i, QRT_FB_DType_int8, 256, &table));
  }
  const int32_t shape[3] = {input.shape[0], input.shape[1], size};
  QRT_TRY(qrt_expect_output_at(v, node, 0, QRT_FB_DType_int8, 3, shape, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &output, &hidden));
  QRT_TRY(qrt_expect_output_at(v, node, 1, QRT_FB_DType_int8, 2, shape + 1, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &output, &hidden));
  QRT_TRY(qrt_expect_output_at(v, node, 2, QRT_FB_DType_int8, 2, shape + 1, &output));
  QRT_TRY(qrt_expect_same_qparams(v, node, &output, &cell));
  return check_options(v, node);
}

/* ---- run ---- */

static void multiply(const arguments *a, const matrix *m, size_t rows, const int8_t *input,
                     const qrt_output_range *range, int8_t *output) {
  const size_t n = GATES * a->hidden;
  const qrt_gemm_rows left = qrt_gemm_matrix(input, m->k, m->k);
  a->gemm->run(rows, n, &left, m->packed, range, output, n);
}

/* One row's new states, from the gates of its input, gx, and of its hidden state, which become the gates. */
static void step_row(const arguments *a, const int8_t *gx, int8_t *gates, int8_t *cell, int8_t *hidden) {
  const size_t n = a->hidden;
  int8_t *in = gates, *forget = gates + n, *g = gates + 2 * n, *out = gates + 3 * n;
  a->vadd->run(GATES * n, gx, gates, 1, &a->gate, gates);
  a->lut->lookup(2 * n, in, a->sigmoid_table, in);
  a->lut->lookup(n, g, a->tanh_table, g);
  a->lut->lookup(n, out, a->sigmoid_table, out);
  a->vmul->run(n, forget, cell, 1, &a->kept, forget);
  a->vmul->run(n, in, g, 1, &a->added, in);
  a->vadd->run(n, forget, in, 1, &a->new_cell, cell);
  a->lut->lookup(n, cell, a->cell_table, g);
  a->vmul->run(n, out, g, 1, &a->new_hidden, hidden);
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const size_t state = a->batch * a->hidden, gates = GATES * a->hidden;
  int8_t *gx = scratch, *gh = gx + a->block * a->batch * gates;
  const int8_t *before = a->first_hidden;
  memcpy(a->last_cell, a->first_cell, state);
  for (size_t done = 0; done < a->steps; done += a->block) {
    const size_t count = a->steps - done < a->block ? a->steps - done : a->block;
    const size_t begin = a->reverse ? a->steps - done - count : done;
    multiply(a, &a->of_input, count * a->batch, a->input + begin * a->batch * a->of_input.k, &a->input_range, gx);
    for (size_t i = 0; i < count; ++i) {
      const size_t t = a->reverse ? count - 1 - i : i;
      int8_t *hidden = a->output + (begin + t) * state;
      multiply(a, &a->of_hidden, a->batch, before, &a->hidden_range, gh);
      for (size_t b = 0; b < a->batch; ++b) {
        step_row(a, gx + (t * a->batch + b) * gates, gh + b * gates, a->last_cell + b * a->hidden,
                 hidden + b * a->hidden);
      }
      before = hidden;
    }
  }
  memcpy(a->last_hidden, before, state);
}

/* ---- prepare ---- */

static void bind_matrix(qrt_binder *binder, const qrt_node *node, const arguments *a, uint32_t first,
                        int32_t zero_point, matrix *m) {
  qrt_tensor weight, bias, multiplier;
  void *to;
  qrt_node_input(node, first, &weight);
  qrt_node_input(node, first + 1, &bias);
  qrt_node_input(node, first + 2, &multiplier);
  const size_t n = (size_t)weight.shape[0];
  m->k = (size_t)weight.shape[1];
  if (!qrt_pack_fits(binder, n, 1, m->k)) {
    return;
  }
  m->packed = qrt_bind_packed(binder, &weight, a->gemm->name, a->gemm->layout, a->gemm->packed_size(n, 1, m->k), &to);
  if (to) {
    const qrt_gemm_weights weights = {
        .n = n,
        .runs = 1,
        .run = m->k,
        .w = qrt_tensor_data(binder->model, &weight),
        .bias = qrt_bind_tensor(binder, &bias),
        .multiplier = qrt_bind_tensor(binder, &multiplier),
        .a_zero_point = zero_point,
    };
    a->gemm->pack(&weights, to);
  }
}

/* What the options say of each value; the zero points of the states are their tensors'. */
static void read_options(const qrt_node *node, int32_t hidden_zero_point, int32_t cell_zero_point, arguments *a) {
  int32_t zero_point[ZERO_POINTS], least[RANGES], most[RANGES];
  float m[MULTIPLIERS];
  uint32_t count, at = qrt_flat_vector(node->model->file, node->options, QRT_FIELD(lstm, multiplier), &count);
  qrt_output_range range[RANGES];
  qrt_node_ints(node, QRT_FIELD(lstm, zero_point), ZERO_POINTS, zero_point);
  qrt_node_ints(node, QRT_FIELD(lstm, output_min), RANGES, least);
  qrt_node_ints(node, QRT_FIELD(lstm, output_max), RANGES, most);
  for (uint32_t i = 0; i < MULTIPLIERS; ++i) {
    m[i] = qrt_load_float(node->model->file + at + 4 * i);
  }
  for (uint32_t i = 0; i < RANGES; ++i) {
    const int32_t zero = i == NEW_CELL ? cell_zero_point : i == NEW_HIDDEN ? hidden_zero_point : zero_point[i];
    range[i] = (qrt_output_range){zero, least[i], most[i]};
  }
  a->input_range = range[OF_INPUT];
  a->hidden_range = range[OF_HIDDEN];
  a->gate = (qrt_vadd_params){zero_point[OF_INPUT], zero_point[OF_HIDDEN], m[M_OF_INPUT], m[M_OF_HIDDEN], range[GATE]};
  a->kept = (qrt_vmul_params){zero_point[ZP_SIGMOID], cell_zero_point, m[M_KEPT], range[KEPT]};
  a->added = (qrt_vmul_params){zero_point[ZP_SIGMOID], zero_point[ZP_TANH], m[M_ADDED], range[ADDED]};
  a->new_cell =
      (qrt_vadd_params){zero_point[KEPT], zero_point[ADDED], m[M_CELL_KEPT], m[M_CELL_ADDED], range[NEW_CELL]};
  a->new_hidden = (qrt_vmul_params){zero_point[ZP_SIGMOID], zero_point[ZP_CELL_TANH], m[M_HIDDEN], range[NEW_HIDDEN]};
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

void qrt_prepare_lstm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, hidden, cell;
  arguments a;
  qrt_node_input(node, INPUT, &input);
  qrt_node_input(node, HIDDEN, &hidden);
  qrt_node_input(node, CELL, &cell);
  memset(&a, 0, sizeof a);
  a.gemm = qrt_gemm_select(binder->isa);
  a.lut = qrt_lut_select(binder->isa);
  a.vadd = qrt_vadd_select(binder->isa);
  a.vmul = qrt_vmul_select(binder->isa);
  a.steps = (size_t)input.shape[0];
  a.batch = (size_t)input.shape[1];
  a.hidden = (size_t)hidden.shape[1];
  a.block = a.batch >= ROWS ? 1 : ROWS / a.batch;
  a.block = a.block < a.steps ? a.block : a.steps;
  a.reverse = QRT_NODE_BOOL(node, lstm, reverse);
  read_options(node, hidden.zero_point, cell.zero_point, &a);
  bind_matrix(binder, node, &a, WEIGHT_IH, input.zero_point, &a.of_input);
  bind_matrix(binder, node, &a, WEIGHT_HH, hidden.zero_point, &a.of_hidden);
  a.input = bind_input(binder, node, INPUT);
  a.first_hidden = bind_input(binder, node, HIDDEN);
  a.first_cell = bind_input(binder, node, CELL);
  a.sigmoid_table = bind_input(binder, node, SIGMOID_TABLE);
  a.tanh_table = bind_input(binder, node, TANH_TABLE);
  a.cell_table = bind_input(binder, node, CELL_TABLE);
  a.output = bind_output(binder, node, 0);
  a.last_hidden = bind_output(binder, node, 1);
  a.last_cell = bind_output(binder, node, 2);
  qrt_bind_scratch(binder, (uint64_t)(a.block + 1) * a.batch * GATES * a.hidden);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.gemm->name;
}
