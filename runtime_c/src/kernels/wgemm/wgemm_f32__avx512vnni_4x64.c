/* wgemm_f32__avx512vnni_4x64.c - 4 rows by 64 columns. */
#include <immintrin.h>

#include "wgemm.h"

#define QRT_LANES         16
#define QRT_ROWS          4
#define QRT_WGEMM(suffix) qrt_wgemm_f32__avx512vnni_4x64##suffix
#define INLINE            static inline __attribute__((always_inline))
typedef float floats __attribute__((vector_size(4 * QRT_LANES)));

INLINE void expand(const int8_t *w, floats *x) {
  for (size_t v = 0; v < 4; v++) {
    x[v] = (floats)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)w + v)));
  }
}

#include "wgemm_lanes.h"
