/* dynamic.h - linear maps whose float input is quantized by the range that it turns out to have; design rule 10. What
 * linear_dynamic and the recurrent layers share. */
#ifndef QRT_DYNAMIC_H
#define QRT_DYNAMIC_H

#include "../kernels/convert/convert.h"
#include "../kernels/gemm/gemm.h"
#include "op.h"
#include "pack.h"

/* k values to n values. */
typedef struct qrt_projection {
  const qrt_gemm_kernel *gemm;
  const qrt_convert_kernel *convert;
  size_t n, k;
  const void *packed;
  const int32_t *sum; /* of each output's weights */
  const float *weight_scale, *bias;
} qrt_projection;

enum { QRT_PROJECTION_ROWS = 64 }; /* that are quantized at a time */

/* Checks the operands from `first` on: weight [n,k] int8, weight_scale [n] and bias [n] float32. */
qrt_status qrt_expect_projection(qrt_verify *v, const qrt_node *node, uint32_t first, int32_t n, int32_t k);

/* Of the same operands; `rows` is the most that qrt_project will get. Packs the weights, and asks for scratch. */
void qrt_bind_projection(qrt_binder *binder, const qrt_node *node, uint32_t first, size_t rows, qrt_projection *p);

/* Bytes of scratch, a multiple of QRT_ALIGNMENT, for callers that need scratch of their own behind it. */
uint64_t qrt_projection_scratch(const qrt_projection *p, size_t rows);

/* By the range of `count` values. */
qrt_quantization qrt_choose_quantization(const qrt_convert_kernel *convert, size_t count, const float *input);

void qrt_quantize_values(const qrt_convert_kernel *convert, const qrt_quantization *q, size_t count, const float *input,
                         int8_t *output);

/* Weights as a gemm kernel wants them, for sums without bias and zero point: `groups` matrices w [n,k] one after the
 * other, *stride bytes apart, of the tensor `weight`; *sum gets the sum of each row. NULL while counting. */
const void *qrt_pack_sums(qrt_binder *binder, const qrt_tensor *weight, const qrt_gemm_kernel *kernel, const int8_t *w,
                          const float *weight_scale, size_t groups, size_t n, size_t k, size_t *stride,
                          const int32_t **sum);

/* The two halves of what follows. input [m,k] to rows; quantized with q or, where that is NULL, each row by its own
 * range, which goes to `own`. */
void qrt_quantize_rows(const qrt_projection *p, const qrt_quantization *q, size_t m, const float *input,
                       qrt_quantization *own, int8_t *rows);

/* Some columns, of rows that have been quantized, the first with q, each with the one `step` after it. `output` is
 * where the first of the columns goes, output_stride floats lie between rows. */
void qrt_multiply_rows(const qrt_projection *p, const qrt_gemm_columns *columns, const qrt_quantization *q, size_t step,
                       size_t m, const int8_t *rows, int relu, float *output, size_t output_stride);

/* input [m,k] to output [m,n]; quantized with q or, where that is NULL, each row by its own range. */
void qrt_project(const qrt_projection *p, const qrt_quantization *q, size_t m, const float *input, int relu,
                 void *scratch, float *output);

/* The same for some of the columns. */
void qrt_project_columns(const qrt_projection *p, const qrt_gemm_columns *columns, const qrt_quantization *q, size_t m,
                         const float *input, int relu, void *scratch, float *output);

#endif
