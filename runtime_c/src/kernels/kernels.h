/* kernels.h - what every kernel family has in common. The families themselves are one directory each.
 *
 * A family is  <family>.inc   its kernels, one row each, best first, the scalar reference last
 *              <family>.h     the contract, as loops; declares what the rows name
 *              <family>.c     the table made of the rows, and selection
 *              <family>_pack.h                    a packed form that several kernels share, where there is one
 *              <family>_<dtype>__<isa>_<tile>.c   the kernels; functions have the file's name, behind qrt_
 *
 * Kernels are pure functions of their arguments: they know no model, no session and no allocator, never fail, and give
 * exactly the bytes of the family's scalar kernel. A row belongs to the build when QRT_HAVE_<ISA> is 1; the build
 * defines that from the toolchain and compiles each file with the flags of the instruction set in its name.
 */
#ifndef QRT_KERNELS_H
#define QRT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "../isa.h"

/* Instruction sets whose kernels use weights where they lie: their packed form holds pointers, so it has no layout. */
#define QRT_KEEPS_WEIGHTS (QRT_ISA_scalar | QRT_ISA_dsp | QRT_ISA_mve)

/* How an integer accumulator becomes an int8: design rule 3's epilogue; see requantize.h. */
typedef struct qrt_output_range {
  int32_t zero_point; /* [-128, 127] */
  int32_t min;        /* -128 <= min <= max <= 127 */
  int32_t max;
} qrt_output_range;

/* What a float tensor, or a row of one, is quantized with. */
typedef struct qrt_quantization {
  float scale, inverse_scale;
  int32_t zero_point;
} qrt_quantization;

#endif
