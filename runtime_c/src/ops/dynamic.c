/* dynamic.c - see dynamic.h. */
#include "dynamic.h"

#include "../requantize.h"

qrt_status qrt_expect_projection(qrt_verify *v, const qrt_node *node, uint32_t first, int32_t n, int32_t k) {
  qrt_tensor weight, weight_scale, bias;
  QRT_TRY(qrt_expect_weight(v, node, first, &weight));
  QRT_TRY(qrt_expect_rank(v, node, first, &weight, 2));
  if (weight.shape[0] != n || weight.shape[1] != k) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %d by %d instead of %d by %d", first,
                         weight.index, weight.shape[0], weight.shape[1], n, k);
  }
  QRT_TRY(qrt_expect_multipliers(v, node, first + 1, n, &weight_scale));
  return qrt_expect_vector(v, node, first + 2, QRT_FB_DType_float32, n, &bias);
}

uint64_t qrt_projection_scratch(const qrt_projection *p, size_t rows) {
  uint64_t bytes = (uint64_t)(rows < QRT_PROJECTION_ROWS ? rows : QRT_PROJECTION_ROWS) * p->k;
  return (bytes + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
}

const void *qrt_pack_sums(qrt_binder *binder, const qrt_tensor *weight, const qrt_gemm_kernel *kernel, const int8_t *w,
                          const float *weight_scale, size_t groups, size_t n, size_t k, size_t *stride,
                          const int32_t **sum) {
  *stride = 0;
  *sum = NULL;
  if (!qrt_pack_fits(binder, n, 1, k)) {
    return NULL;
  }
  *stride = (kernel->packed_size(n, 1, k) + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  const uint64_t size = (uint64_t)*stride * groups;
  void *to;
  qrt_gemm_weights weights = {.n = n, .runs = 1, .run = k, .w = w, .multiplier = weight_scale, .sums = 1};
  const uint8_t *packed = qrt_bind_gemm(binder, weight, kernel, groups, *stride,
                                        size + (uint64_t)groups * n * sizeof(int32_t), &weights, &to);
  *sum = packed ? (const int32_t *)(const void *)(packed + size) : NULL;
  if (qrt_bind_origin(binder) != QRT_MADE) {
    return packed;
  }
  int32_t *bias = qrt_bind_memory(binder, (uint64_t)n * sizeof *bias);
  if (!to) {
    return packed;
  }
  memset(bias, 0, n * sizeof *bias);
  weights.bias = bias;
  int32_t *sums = (int32_t *)(void *)((uint8_t *)to + size);
  for (size_t j = 0; j < groups * n; ++j) {
    uint32_t total = 0;
    for (size_t i = 0; i < k; ++i) {
      total += (uint32_t)w[j * k + i];
    }
    sums[j] = (int32_t)total;
  }
  for (size_t g = 0; g < groups; ++g) {
    kernel->pack(&weights, (uint8_t *)to + g * *stride);
    weights.w += n * k;
    weights.multiplier += n;
  }
  return packed;
}

void qrt_bind_projection(qrt_binder *binder, const qrt_node *node, uint32_t first, size_t rows, qrt_projection *p) {
  qrt_tensor weight, weight_scale, bias;
  qrt_node_input(node, first, &weight);
  qrt_node_input(node, first + 1, &weight_scale);
  qrt_node_input(node, first + 2, &bias);
  memset(p, 0, sizeof *p);
  p->gemm = qrt_gemm_select(binder->isa);
  p->convert = qrt_convert_select(binder->isa);
  p->n = (size_t)weight.shape[0];
  p->k = (size_t)weight.shape[1];
  p->weight_scale = qrt_bind_tensor(binder, &weight_scale);
  p->bias = qrt_bind_tensor(binder, &bias);
  size_t stride;
  p->packed = qrt_pack_sums(binder, &weight, p->gemm, qrt_bind_tensor(binder, &weight), p->weight_scale, 1, p->n, p->k,
                            &stride, &p->sum);
  qrt_bind_scratch(binder, qrt_projection_scratch(p, rows));
}

qrt_quantization qrt_choose_quantization(const qrt_convert_kernel *convert, size_t count, const float *input) {
  float low, high;
  convert->range(count, input, &low, &high);
  low = low < -0x1p60f ? -0x1p60f : low;
  high = high > 0x1p60f ? 0x1p60f : high;
  float scale = (high - low) / 255.0f;
  scale = scale < 0x1p-60f ? 0x1p-60f : scale;
  scale = low == high ? 1.0f : scale;
  const float inverse_scale = 1.0f / scale;
  const qrt_output_range range = {0, -255, 255};
  const int32_t zero_point = -128 - qrt_round(low * inverse_scale, &range);
  return (qrt_quantization){scale, inverse_scale, zero_point > 127 ? 127 : zero_point};
}

void qrt_quantize_values(const qrt_convert_kernel *convert, const qrt_quantization *q, size_t count, const float *input,
                         int8_t *output) {
  const qrt_output_range range = {q->zero_point, -128, 127};
  convert->quantize(count, input, q->inverse_scale, &range, output);
}

void qrt_quantize_rows(const qrt_projection *p, const qrt_quantization *q, size_t m, const float *input,
                       qrt_quantization *own, int8_t *rows) {
  if (q) {
    qrt_quantize_values(p->convert, q, m * p->k, input, rows);
    return;
  }
  for (size_t i = 0; i < m; ++i, input += p->k, rows += p->k) {
    own[i] = qrt_choose_quantization(p->convert, p->k, input);
    qrt_quantize_values(p->convert, &own[i], p->k, input, rows);
  }
}

/* Where sums are made first, they lie where the floats that they become will: both take four bytes. */
void qrt_multiply_rows(const qrt_projection *p, const qrt_gemm_columns *columns, const qrt_quantization *q, size_t step,
                       size_t m, const int8_t *rows, int relu, float *output, size_t output_stride) {
  const size_t first = columns->begin, stride = output_stride * sizeof *output;
  const qrt_gemm_rows matrix = qrt_gemm_matrix(rows, p->k, p->k);
  if (p->gemm->run_floats) {
    const qrt_gemm_floats floats = {p->sum + first, p->bias + first, q, step, relu};
    p->gemm->run_floats(m, columns->count, &matrix, columns->packed, &floats, output, stride);
    return;
  }
  p->gemm->run(m, columns->count, &matrix, columns->packed, NULL, (int8_t *)output, stride);
  for (size_t i = 0; i < m; ++i, q += step, output += output_stride) {
    const qrt_sums_scale params = {p->sum + first, p->weight_scale + first, p->bias + first,
                                   q->scale,       q->zero_point,           relu};
    p->convert->scale_sums(columns->count, (const int32_t *)(const void *)output, &params, output);
  }
}

void qrt_project(const qrt_projection *p, const qrt_quantization *q, size_t m, const float *input, int relu,
                 void *scratch, float *output) {
  const qrt_gemm_columns all = {0, p->n, p->packed};
  qrt_project_columns(p, &all, q, m, input, relu, scratch, output);
}

void qrt_project_columns(const qrt_projection *p, const qrt_gemm_columns *columns, const qrt_quantization *q, size_t m,
                         const float *input, int relu, void *scratch, float *output) {
  qrt_quantization own[QRT_PROJECTION_ROWS];
  int8_t *rows = scratch;
  for (size_t i = 0; i < m; i += QRT_PROJECTION_ROWS) {
    const size_t count = m - i < QRT_PROJECTION_ROWS ? m - i : QRT_PROJECTION_ROWS;
    qrt_quantize_rows(p, q, count, input + i * p->k, own, rows);
    qrt_multiply_rows(p, columns, q ? q : own, q ? 0 : 1, count, rows, relu, output + i * p->n + columns->begin, p->n);
  }
}
