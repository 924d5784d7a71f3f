/* wgemm_f32__neon_4x16.c - 4 rows by 16 columns; on 64-bit ARM alone, see wgemm.inc. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "wgemm.h"

#define QRT_LANES         4
#define QRT_ROWS          4
#define QRT_WGEMM(suffix) qrt_wgemm_f32__neon_4x16##suffix
#define INLINE            static inline __attribute__((always_inline))
typedef float floats __attribute__((vector_size(4 * QRT_LANES)));

INLINE void expand(const int8_t *w, floats *x) {
  const int8x16_t bytes = vld1q_s8(w);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
  x[0] = (floats)vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
  x[1] = (floats)vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)));
  x[2] = (floats)vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
  x[3] = (floats)vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)));
}

#include "wgemm_lanes.h"
#else
typedef int qrt_wgemm_neon_is_empty;
#endif
