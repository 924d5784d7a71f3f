/* quantized_recurrent.h - one layer of a recurrent network in one direction on int8, each of its values quantized as
 * calibration saw it; design rule 21. What lstm and gru share: all but the cell. */
#ifndef QRT_QUANTIZED_RECURRENT_H
#define QRT_QUANTIZED_RECURRENT_H

#include "../kernels/gemm/gemm.h"
#include "../kernels/lut/lut.h"
#include "../kernels/vadd/vadd.h"
#include "../kernels/vmul/vmul.h"
#include "op.h"

enum { QRT_RECURRENT_TABLES = 4, QRT_RECURRENT_RANGES = 8, QRT_RECURRENT_MULTIPLIERS = 9 }; /* at most */

/* The values whose ranges come first; those of the states come last, of the hidden state behind the cell state's. */
enum { QRT_OF_INPUT, QRT_OF_HIDDEN };

typedef struct qrt_quantized_recurrent qrt_quantized_recurrent;

/* One row's new states, from what its input, gx, and its hidden state give the gates; both are overwritten. `cell` is
 * lstm's cell state, which becomes the new one. */
typedef void (*qrt_quantized_cell)(const qrt_quantized_recurrent *r, int8_t *gx, int8_t *gh, const int8_t *before,
                                   int8_t *cell, int8_t *hidden);

/* `fields` are of the options' table, each of which has lstm's. Inputs: input, states, three of weight_ih and three of
 * weight_hh, tables. zero_point is of the values before the states, and of what the tables give. */
typedef struct qrt_recurrent_form {
  const qrt_fb_field *fields;
  uint32_t states, gates, tables, ranges, multipliers;
  qrt_quantized_cell cell;
} qrt_recurrent_form;

typedef struct qrt_gates {
  const void *packed;
  size_t k;
} qrt_gates;

struct qrt_quantized_recurrent {
  const qrt_recurrent_form *form;
  const qrt_gemm_kernel *gemm;
  const qrt_lut_kernel *lut;
  const qrt_vadd_kernel *vadd;
  const qrt_vmul_kernel *vmul;
  size_t steps, batch, hidden, block; /* block: steps whose gates of the input are made at a time */
  int reverse;
  qrt_gates of_input, of_hidden;
  qrt_output_range range[QRT_RECURRENT_RANGES];
  int32_t table_zero_point[QRT_RECURRENT_TABLES];
  float multiplier[QRT_RECURRENT_MULTIPLIERS];
  const int8_t *input, *first[2], *table[QRT_RECURRENT_TABLES]; /* first, last: hidden and cell state */
  int8_t *output, *last[2];
};

qrt_status qrt_check_quantized_recurrent(qrt_verify *v, const qrt_node *node, const qrt_recurrent_form *form);

/* `form` stays. */
void qrt_prepare_quantized_recurrent(qrt_binder *binder, const qrt_node *node, const qrt_recurrent_form *form,
                                     qrt_step *step);

/* c = a + b, or a * b. `sum` and `product` are places in range, `factor` in multiplier: of a, and of b in the next. */
static inline void qrt_recurrent_add(const qrt_quantized_recurrent *r, size_t n, const int8_t *a, int32_t a_zero_point,
                                     const int8_t *b, int32_t b_zero_point, uint32_t factor, uint32_t sum, int8_t *c) {
  const qrt_vadd_params params = {a_zero_point, b_zero_point, r->multiplier[factor], r->multiplier[factor + 1],
                                  r->range[sum]};
  r->vadd->run(n, a, b, 1, &params, c);
}

static inline void qrt_recurrent_mul(const qrt_quantized_recurrent *r, size_t n, const int8_t *a, int32_t a_zero_point,
                                     const int8_t *b, int32_t b_zero_point, uint32_t factor, uint32_t product,
                                     int8_t *c) {
  const qrt_vmul_params params = {a_zero_point, b_zero_point, r->multiplier[factor], r->range[product]};
  r->vmul->run(n, a, b, 1, &params, c);
}

#endif
