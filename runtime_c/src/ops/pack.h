/* pack.h - weights of convolutions and linear layers into the layout that a gemm kernel wants. */
#ifndef QRT_PACK_H
#define QRT_PACK_H

#include "../bind.h"
#include "../kernels/gemm/gemm.h"

/* qrt_bind_packed for `groups` matrices, `stride` bytes apart, `size` bytes with what the caller keeps behind them,
 * made of these weights; those for sums have no bias. What a file holds counts only if the kernel may use it. */
const void *qrt_bind_gemm(qrt_binder *binder, const qrt_tensor *weight, const qrt_gemm_kernel *kernel, size_t groups,
                          size_t stride, uint64_t size, const qrt_gemm_weights *weights, void **to);

/* Packs input 1 (weight), 2 (bias) and 3 (multiplier) of the node as `groups` matrices of n rows and runs * run columns
 * each, *stride bytes apart. NULL while counting. */
const void *qrt_pack_gemm(qrt_binder *binder, const qrt_node *node, const qrt_gemm_kernel *kernel, size_t groups,
                          size_t n, size_t runs, size_t run, size_t *stride);

/* The same for other weights than input 1, which stay where they are as long as the session. */
const void *qrt_pack_gemm_weights(qrt_binder *binder, const qrt_node *node, const qrt_gemm_kernel *kernel,
                                  const int8_t *w, size_t groups, size_t n, size_t runs, size_t run, size_t *stride);

/* One matrix, of input `first` (weight) and the two behind it, for an input with this zero point. */
const void *qrt_pack_matrix(qrt_binder *binder, const qrt_node *node, const qrt_gemm_kernel *kernel, uint32_t first,
                            int32_t zero_point, size_t n, size_t runs, size_t run);

/* How threads share a matrix multiplication: by rows of the output, or by panels of the kernel's columns. */
typedef struct qrt_gemm_share {
  size_t columns; /* of a unit; 0 where the units are rows */
  size_t units;
} qrt_gemm_share;

/* `lines` of `rows` rows each; a line is not divided. Columns where rows are few: then weights are what takes time to
 * read, and each thread reads its own. But not where that would leave threads without work for long. */
qrt_gemm_share qrt_share_gemm(const qrt_binder *binder, const qrt_gemm_kernel *kernel, size_t lines, size_t rows,
                              size_t n);

/* Columns begin..end of n that units stand for, and where they are packed. */
typedef struct qrt_gemm_columns {
  size_t begin, count;
  const void *packed;
} qrt_gemm_columns;

qrt_gemm_columns qrt_columns_of(const qrt_gemm_share *share, const qrt_gemm_kernel *kernel, const void *packed,
                                size_t n, size_t runs, size_t run, size_t begin, size_t end);

/* May a kernel compute the size of its packed weights in size_t? If not (32-bit machines, absurd shapes), request more
 * than there can be, so that qrt_arena_size fails, and pack nothing. Tiles are below 256 columns and 8 deep. */
int qrt_pack_fits(qrt_binder *binder, size_t n, size_t runs, size_t run);

#endif
