/* recurrent.c - see recurrent.h. */
#include "recurrent.h"

enum { ROWS = 8 }; /* gates of the input are made for so many rows at a time, if a step has not more */

static qrt_status check_state(qrt_verify *v, const qrt_node *node, uint32_t i, const int32_t *shape) {
  qrt_tensor state;
  QRT_TRY(qrt_expect_input(v, node, i, QRT_FB_DType_float32, &state));
  QRT_TRY(qrt_expect_rank(v, node, i, &state, 2));
  if (state.shape[0] != shape[0] || state.shape[1] != shape[1]) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %d by %d instead of %d by %d", i,
                         state.index, state.shape[0], state.shape[1], shape[0], shape[1]);
  }
  return QRT_OK;
}

qrt_status qrt_check_recurrent(qrt_verify *v, const qrt_node *node, uint32_t states, int32_t gates) {
  qrt_tensor input, hidden, output;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 3));
  qrt_node_input(node, 1, &hidden);
  if (hidden.rank == 2 && hidden.shape[1] > INT32_MAX / gates) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "%d gates of %d values", gates, hidden.shape[1]);
  }
  int32_t state[2] = {input.shape[1], hidden.shape[1]};
  for (uint32_t i = 1; i <= states; ++i) {
    QRT_TRY(check_state(v, node, i, state));
  }
  QRT_TRY(qrt_expect_projection(v, node, 1 + states, gates * state[1], input.shape[2]));
  QRT_TRY(qrt_expect_projection(v, node, 4 + states, gates * state[1], state[1]));
  int32_t shape[3] = {input.shape[0], state[0], state[1]};
  QRT_TRY(qrt_expect_output_at(v, node, 0, QRT_FB_DType_float32, 3, shape, &output));
  for (uint32_t i = 1; i <= states; ++i) {
    QRT_TRY(qrt_expect_output_at(v, node, i, QRT_FB_DType_float32, 2, state, &output));
  }
  return QRT_OK;
}

/* ---- run ---- */

/* A thread's part of the hidden units. */
typedef struct part {
  size_t first, count;
} part;

/* Gates of the part's units, of quantized rows of the input or of a hidden state: [m][G][count]. */
static void multiply(const qrt_recurrent *r, const qrt_projection *p, const part *u, const qrt_quantization *q,
                     size_t m, const int8_t *rows, float *gates) {
  const size_t width = r->gates / r->hidden * u->count;
  if (u->count == r->hidden) {
    const qrt_gemm_columns all = {0, p->n, p->packed};
    qrt_multiply_rows(p, &all, q, 0, m, rows, 0, gates, width);
    return;
  }
  for (size_t first = u->first; first < r->gates; first += r->hidden, gates += u->count) {
    const size_t offset = first ? p->gemm->packed_size(first, 1, p->k) : 0;
    const qrt_gemm_columns columns = {first, u->count, (const uint8_t *)p->packed + offset};
    qrt_multiply_rows(p, &columns, q, 0, m, rows, 0, gates, width);
  }
}

static void make_gates(const qrt_recurrent *r, const qrt_projection *p, const part *u, const qrt_quantization *q,
                       size_t m, const float *input, int8_t *rows, float *gates) {
  for (size_t i = 0; i < m; i += QRT_PROJECTION_ROWS) {
    const size_t count = m - i < QRT_PROJECTION_ROWS ? m - i : QRT_PROJECTION_ROWS;
    qrt_quantize_rows(p, q, count, input + i * p->k, NULL, rows);
    multiply(r, p, u, q, count, rows, gates + i * (r->gates / r->hidden * u->count));
  }
}

/* One step: gates of the input, hidden state before and after. */
static void step(const qrt_recurrent *r, const part *u, const float *gx, const float *before, uint8_t *scratch,
                 float *hidden) {
  float *gh = (float *)(void *)(scratch + r->gh_at);
  const size_t width = r->gates / r->hidden * u->count;
  const qrt_quantization q = qrt_choose_quantization(r->of_hidden.convert, r->batch * r->hidden, before);
  make_gates(r, &r->of_hidden, u, &q, r->batch, before, (int8_t *)scratch, gh);
  for (size_t i = 0; i < r->batch; ++i) {
    const size_t at = i * r->hidden + u->first;
    r->cell(r, u->count, gx + i * width, gh + i * width, before + at, r->last[1] ? r->last[1] + at : NULL, hidden + at);
  }
}

/* The part's units of a state. */
static void copy_state(const qrt_recurrent *r, const part *u, const float *from, float *to) {
  for (size_t i = 0; i < r->batch; ++i) {
    const size_t at = i * r->hidden + u->first;
    memcpy(to + at, from + at, u->count * sizeof *to);
  }
}

/* Hidden units begin * unit.. of all steps. A step needs those of all threads from the one before. */
static void run(const void *pointer, void *scratch, size_t begin_unit, size_t end_unit) {
  const qrt_recurrent *r = pointer;
  const part u = {begin_unit * r->unit, (end_unit - begin_unit) * r->unit};
  const size_t state = r->batch * r->hidden, features = r->batch * r->of_input.k;
  const size_t width = r->gates / r->hidden * u.count;
  float *gx = (float *)(void *)((uint8_t *)scratch + r->gx_at);
  const float *before = r->first[0];
  qrt_quantization q = qrt_choose_quantization(r->of_input.convert, r->steps * features, r->input);
  if (r->last[1]) {
    copy_state(r, &u, r->first[1], r->last[1]);
  }
  for (size_t done = 0; done < r->steps; done += r->block) {
    const size_t count = r->steps - done < r->block ? r->steps - done : r->block;
    const size_t begin = r->reverse ? r->steps - done - count : done;
    const float *input = r->input + begin * features;
    if (r->per_step) {
      q = qrt_choose_quantization(r->of_input.convert, features, input);
    }
    make_gates(r, &r->of_input, &u, &q, count * r->batch, input, scratch, gx);
    for (size_t i = 0; i < count; ++i) {
      const size_t t = r->reverse ? count - 1 - i : i;
      float *hidden = r->output + (begin + t) * state;
      step(r, &u, gx + t * r->batch * width, before, scratch, hidden);
      before = hidden;
      if (QRT_THREADS && r->threads > 1) {
        qrt_barrier_wait(r->barrier, r->threads, r->yield);
      }
    }
  }
  copy_state(r, &u, before, r->last[0]);
}

/* ---- prepare ---- */

/* Hidden units among threads: whole panels of each gate's columns, where the gates are made of whole panels. A thread
 * has to have enough to do at each step. */
static void share(qrt_binder *binder, qrt_recurrent *r, qrt_step *step_) {
  const qrt_gemm_kernel *kernel = r->of_hidden.gemm;
  enum { STREAMED = 2 }; /* see linear.c */
  r->unit = kernel->layout && r->hidden % kernel->nr == 0 ? kernel->nr : r->hidden;
  qrt_bind_units(binder, step_, run, r->hidden / r->unit, (uint64_t)r->batch * r->gates * r->hidden * STREAMED);
  r->threads = step_->threads;
  if (r->threads > 1) {
    r->yield = binder->yield;
    r->barrier = qrt_bind_memory(binder, sizeof *r->barrier);
    if (r->barrier) {
      memset(r->barrier, 0, sizeof *r->barrier);
    }
  }
}

void qrt_bind_recurrent(qrt_binder *binder, const qrt_node *node, uint32_t states, qrt_recurrent *r, qrt_step *step_) {
  qrt_tensor input, output, tensor;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  r->functions = qrt_functions_select(binder->isa);
  r->steps = (size_t)output.shape[0];
  r->batch = (size_t)output.shape[1];
  r->hidden = (size_t)output.shape[2];
  r->block = r->per_step || r->batch >= ROWS ? 1 : ROWS / r->batch;
  r->block = r->block < r->steps ? r->block : r->steps;
  r->input = qrt_bind_tensor(binder, &input);
  r->output = qrt_bind_output(binder, &output);
  for (uint32_t i = 0; i < states; ++i) {
    qrt_node_input(node, 1 + i, &tensor);
    r->first[i] = qrt_bind_tensor(binder, &tensor);
    qrt_node_output_at(node, 1 + i, &tensor);
    r->last[i] = qrt_bind_output(binder, &tensor);
  }
  size_t rows = r->block * r->batch;
  qrt_bind_projection(binder, node, 1 + states, rows, &r->of_input);
  qrt_bind_projection(binder, node, 4 + states, r->batch, &r->of_hidden);
  r->gates = r->of_hidden.n;
  uint64_t of_input = qrt_projection_scratch(&r->of_input, rows);
  uint64_t of_hidden = qrt_projection_scratch(&r->of_hidden, r->batch);
  uint64_t gx_at = of_input > of_hidden ? of_input : of_hidden;
  uint64_t gh_at = gx_at + (uint64_t)rows * r->gates * sizeof(float);
  qrt_bind_scratch(binder, gh_at + (uint64_t)r->batch * r->gates * sizeof(float));
  r->gx_at = (size_t)gx_at;
  r->gh_at = (size_t)gh_at;
  share(binder, r, step_);
  step_->arguments = qrt_bind_copy(binder, r, sizeof *r);
  step_->kernel = r->of_hidden.gemm->name;
}
