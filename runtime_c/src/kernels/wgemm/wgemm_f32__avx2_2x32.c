/* wgemm_f32__avx2_2x32.c - 2 rows by 32 columns. */
#include <immintrin.h>

#include "wgemm.h"

#define QRT_LANES         8
#define QRT_ROWS          2
#define QRT_WGEMM(suffix) qrt_wgemm_f32__avx2_2x32##suffix
#define INLINE            static inline __attribute__((always_inline))
typedef float floats __attribute__((vector_size(4 * QRT_LANES)));

INLINE void expand(const int8_t *w, floats *x) {
  for (size_t v = 0; v < 4; v++) {
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(w + 8 * v));
    x[v] = (floats)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
}

#include "wgemm_lanes.h"
