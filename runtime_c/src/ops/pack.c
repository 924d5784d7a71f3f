/* pack.c - see pack.h. */
#include "pack.h"

int qrt_pack_fits(qrt_binder *binder, size_t n, size_t runs, size_t run) {
  /* int8 weights, at most doubled to int16, and a few words per channel, all rounded up to tiles */
  uint64_t bytes = ((uint64_t)n + 256) * (2 * (uint64_t)runs * ((uint64_t)run + 8) + 64);
  if (bytes > SIZE_MAX / 2) {
    qrt_bind_memory(binder, UINT64_MAX);
    return 0;
  }
  return 1;
}

const void *qrt_bind_gemm(qrt_binder *binder, const qrt_tensor *weight, const qrt_gemm_kernel *kernel, size_t groups,
                          size_t stride, uint64_t size, const qrt_gemm_weights *weights, void **to) {
  const size_t n = weights->n, runs = weights->runs, run = weights->run;
  const qrt_recipe recipe = {.pack_id = kernel->name,
                             .source = {weights->w, weights->bias, weights->multiplier},
                             .size = size,
                             .shape = {n, runs, run},
                             .parameter = 2 * weights->a_zero_point + weights->sums};
  const uint8_t *packed = qrt_bind_packed(binder, weight, kernel->layout, &recipe, to);
  for (size_t g = 0; qrt_bind_origin(binder) == QRT_IN_FILE && g < groups; ++g) {
    if (!qrt_gemm_usable(kernel, packed + g * stride, n, runs, run)) {
      return qrt_bind_repacked(binder, &recipe, to);
    }
  }
  return packed;
}

const void *qrt_pack_gemm(qrt_binder *binder, const qrt_node *node, const qrt_gemm_kernel *kernel, size_t groups,
                          size_t n, size_t runs, size_t run, size_t *stride) {
  qrt_tensor weight;
  qrt_node_input(node, 1, &weight);
  return qrt_pack_gemm_weights(binder, node, kernel, qrt_tensor_data(binder->model, &weight), groups, n, runs, run,
                               stride);
}

const void *qrt_pack_gemm_weights(qrt_binder *binder, const qrt_node *node, const qrt_gemm_kernel *kernel,
                                  const int8_t *w, size_t groups, size_t n, size_t runs, size_t run, size_t *stride) {
  qrt_tensor input, weight, bias, multiplier;
  *stride = 0;
  if (!qrt_pack_fits(binder, n, runs, run)) {
    return NULL;
  }
  *stride = (kernel->packed_size(n, runs, run) + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  void *to;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_input(node, 3, &multiplier);
  qrt_gemm_weights weights = {
      .n = n,
      .runs = runs,
      .run = run,
      .w = w,
      .bias = qrt_tensor_data(binder->model, &bias),
      .multiplier = qrt_tensor_data(binder->model, &multiplier),
      .a_zero_point = input.zero_point,
  };
  const void *packed =
      qrt_bind_gemm(binder, &weight, kernel, groups, *stride, (uint64_t)*stride * groups, &weights, &to);
  for (size_t g = 0; to && g < groups; ++g) {
    kernel->pack(&weights, (uint8_t *)to + g * *stride);
    weights.w += n * runs * run;
    weights.bias += n;
    weights.multiplier += n;
  }
  return packed;
}

const void *qrt_pack_matrix(qrt_binder *binder, const qrt_node *node, const qrt_gemm_kernel *kernel, uint32_t first,
                            int32_t zero_point, size_t n, size_t runs, size_t run) {
  qrt_tensor weight, bias, multiplier;
  void *to;
  if (!qrt_pack_fits(binder, n, runs, run)) {
    return NULL;
  }
  qrt_node_input(node, first, &weight);
  qrt_node_input(node, first + 1, &bias);
  qrt_node_input(node, first + 2, &multiplier);
  const qrt_gemm_weights weights = {
      .n = n,
      .runs = runs,
      .run = run,
      .w = qrt_tensor_data(binder->model, &weight),
      .bias = qrt_tensor_data(binder->model, &bias),
      .multiplier = qrt_tensor_data(binder->model, &multiplier),
      .a_zero_point = zero_point,
  };
  const size_t size = kernel->packed_size(n, runs, run);
  const void *packed = qrt_bind_gemm(binder, &weight, kernel, 1, 0, size, &weights, &to);
  if (to) {
    kernel->pack(&weights, to);
  }
  return packed;
}

/* Sixteenths of a thread that have work, while the one with the most units has. */
static size_t busy(size_t units, size_t threads) {
  return 16 * units / ((units + threads - 1) / threads);
}

/* To a thread. With more the weights take little of the time, and the next operator finds its rows where it runs. */
#define FEW_ROWS 32

qrt_gemm_share qrt_share_gemm(const qrt_binder *binder, const qrt_gemm_kernel *kernel, size_t lines, size_t rows,
                              size_t n) {
  const size_t panels = (n + kernel->nr - 1) / kernel->nr;
  const qrt_gemm_share by_rows = {0, lines}, by_columns = {kernel->nr, panels};
  const size_t of_panels = busy(panels, binder->threads), of_lines = busy(lines, binder->threads);
  if (!kernel->layout) {
    return by_rows;
  }
  return (lines * rows < FEW_ROWS * binder->threads ? 8 * of_panels >= 7 * of_lines : 7 * of_panels > 8 * of_lines)
             ? by_columns
             : by_rows;
}

qrt_gemm_columns qrt_columns_of(const qrt_gemm_share *share, const qrt_gemm_kernel *kernel, const void *packed,
                                size_t n, size_t runs, size_t run, size_t begin, size_t end) {
  if (!share->columns) {
    return (qrt_gemm_columns){0, n, packed};
  }
  const size_t first = begin * share->columns, last = end * share->columns < n ? end * share->columns : n;
  const size_t offset = first ? kernel->packed_size(first, runs, run) : 0;
  return (qrt_gemm_columns){first, last - first, (const uint8_t *)packed + offset};
}
