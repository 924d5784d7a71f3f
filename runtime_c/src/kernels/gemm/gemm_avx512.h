/* gemm_avx512.h - what a panel of gemm_qs8__avx512vnni_6x64.c is, and what becomes of sums: bytes, int32 or floats. */
#ifndef QRT_GEMM_AVX512_H
#define QRT_GEMM_AVX512_H

#include <string.h>

#include "../../floats.h"
#include "../../requantize_avx512.h"
#include "gemm.h"

enum { NR = 64, KR = 4, LANES = 16, MOST_ROWS = 8 };

#define INLINE static inline __attribute__((always_inline))

/* Where gcc knows which registers a function leaves alone, it keeps addresses of the callers' loops in vector
 * registers. */
#ifdef __clang__
#define APART static __attribute__((noinline))
#else
#define APART static __attribute__((noipa))
#endif

/* ---- panels ---- */

/* The width of the panel for the next of `n` columns that are left. */
static size_t panel_width(size_t n, size_t run) {
  return n > 48 ? 64 : n > 16 ? 32 : n > 8 || run < 2 * KR ? 16 : 8;
}

/* Bytes of a column that follow each other. */
static size_t group_of(size_t width) {
  return width == 8 ? 2 * KR : KR;
}

static size_t panel_size(size_t width, size_t runs, size_t run) {
  const size_t group = group_of(width), depth = runs * ((run + group - 1) / group) * group;
  return width * (sizeof(int32_t) + sizeof(float) + depth);
}

/* Where a panel keeps column j. Sums lie as columns do. For bytes the narrowest piece that narrowing keeps together
 * holds columns that follow each other in the output, four from each vector. */
static size_t slot(size_t width, size_t j, int sums) {
  const size_t vectors = sums || width < LANES ? 1 : width / LANES;
  return j / 4 % vectors * LANES + j / (4 * vectors) * 4 + j % 4;
}

/* What the tiles of a panel have in common. */
typedef struct panel {
  const void *packed;
  const __m512i *bias; /* what sums begin with */
  const qrt_gemm_rows *rows;
  size_t last_group; /* where the last group of a run begins */
  int dense;         /* rows of the output follow each other, as wide as the panel: four vectors are stored at once */
  size_t columns;    /* that exist */
  size_t c_stride;
  int sums;                      /* are the output, as int32, or what is made of them; else int8 */
  const qrt_gemm_floats *floats; /* are the output */
  int simple_floats; /* and the panel is full, they have one scale and zero point, and none of them can be a NaN */
  qrt_range_avx512 range;
  /* For floats. bias above has zero points in it, multiplier the scale, where they are the same for all rows. */
  __m512i corrected[4], sum[4];
  __m512 multiplier[4], float_bias[4];
} panel;

/* Those of vector v that are among the first `columns`. */
INLINE __mmask16 lanes(size_t columns, size_t v) {
  const size_t rest = columns > v * LANES ? columns - v * LANES : 0;
  return (__mmask16)(rest >= LANES ? 0xffffu : (1u << rest) - 1);
}

INLINE __m512 to_float(int relu, __m512i acc, __m512 multiplier, __m512 bias) {
  const __m512 x = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(acc), multiplier), bias);
  return relu ? _mm512_max_ps(x, _mm512_setzero_ps()) : x; /* of NaN, and of -0, zero */
}

INLINE void store_floats(size_t rows, size_t vectors, __m512i acc[MOST_ROWS][4], const panel *p, int8_t *c) {
  const int relu = p->floats->relu;
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++, c += p->c_stride) {
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) {
      _mm512_storeu_ps((float *)c + v * LANES, to_float(relu, acc[i][v], p->multiplier[v], p->float_bias[v]));
    }
  }
}

/* Sums, and any floats. */
APART void store_any(size_t rows, size_t vectors, const __m512i (*acc)[4], const panel *p, size_t row, int8_t *c) {
  static const qrt_quantization in_panel = {1, 1, 0};
  const qrt_gemm_floats *f = p->floats;
  for (size_t i = 0; i < rows; i++, c += p->c_stride) {
    const qrt_quantization *q = f && f->step ? f->rows + row + i : &in_panel;
    const __m512i zero_point = _mm512_set1_epi32(q->zero_point);
    const __m512 scale = _mm512_set1_ps(q->scale);
    for (size_t v = 0; v < vectors; v++) {
      __m512i x = acc[i][v];
      if (f) {
        const __m512i sum = _mm512_sub_epi32(x, _mm512_mullo_epi32(zero_point, p->sum[v]));
        const __m512 y = to_float(f->relu, sum, _mm512_mul_ps(scale, p->multiplier[v]), p->float_bias[v]);
        const __mmask16 number = _mm512_cmp_ps_mask(y, y, _CMP_ORD_Q);
        x = _mm512_mask_mov_epi32(_mm512_set1_epi32(QRT_FLOAT_NAN), number, _mm512_castps_si512(y));
      }
      _mm512_mask_storeu_epi32((__m512i *)c + v, lanes(p->columns, v), x);
    }
  }
}

/* What the floats of the panel's columns, from column `first` on, are made with. */
INLINE void prepare(size_t vectors, size_t width, size_t first, panel *p) {
  const qrt_gemm_floats *f = p->floats;
  const size_t columns = p->columns; /* copies, as stores to *p might change what they are copies of */
  const int32_t *bias = p->packed, *sum = f->sum + first;
  const float *multiplier = (const float *)bias + width, *float_bias = f->bias + first;
  const __m512i zero_point = _mm512_set1_epi32(f->step ? 0 : f->rows->zero_point);
  const __m512 scale = _mm512_set1_ps(f->step ? 1 : f->rows->scale);
  __m512i magnitudes = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) {
    const __mmask16 mask = lanes(columns, v);
    const __m512i sums = _mm512_maskz_loadu_epi32(mask, sum + v * LANES);
    const __m512i biases = _mm512_maskz_loadu_epi32(mask, float_bias + v * LANES);
    const __m512i packed = _mm512_maskz_loadu_epi32(mask, bias + v * LANES);
    magnitudes = _mm512_max_epi32(magnitudes, _mm512_and_si512(biases, _mm512_set1_epi32(INT32_MAX)));
    p->sum[v] = sums;
    p->float_bias[v] = _mm512_castsi512_ps(biases);
    p->corrected[v] = _mm512_sub_epi32(packed, _mm512_mullo_epi32(zero_point, sums));
    p->multiplier[v] = _mm512_mul_ps(scale, _mm512_maskz_loadu_ps(mask, multiplier + v * LANES));
  }
  const int finite = !_mm512_cmpge_epi32_mask(magnitudes, _mm512_set1_epi32(QRT_FLOAT_INFINITY));
  p->bias = p->corrected;
  p->simple_floats = finite && !f->step && width >= LANES && columns == width;
}

static void prepare_floats(size_t width, size_t first, panel *p) {
  if (width == 4 * LANES) {
    prepare(4, width, first, p);
  } else if (width == 2 * LANES) {
    prepare(2, width, first, p);
  } else {
    prepare(1, width, first, p);
  }
}

/* ---- results ---- */

/* Four vectors at a time go through the epilogue: of one row, of two or of four. */
INLINE void store_bytes(size_t rows, size_t vectors, __m512i acc[][4], const __m512 *multiplier, const panel *p,
                        int8_t *c) {
  /* Copies, as stores to c might change what they are copies of. */
  const qrt_range_avx512 range = p->range;
  const size_t c_stride = p->c_stride;
  const __mmask64 mask = ~(__mmask64)0 >> (64 - p->columns);
  const int dense = p->dense;
  __m512 m[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) m[v] = multiplier[v % vectors];
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i += 4 / vectors) {
    __m512i x[4];
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) {
      x[v] = i + v / vectors < rows ? acc[i + v / vectors][v % vectors] : _mm512_setzero_si512();
    }
    const __m512i bytes = qrt_requantize4_avx512(x, m, &range);
    int8_t *row = c + i * c_stride;
    if (vectors == 4) {
      _mm512_mask_storeu_epi8(row, mask, bytes);
    } else if (vectors == 2) {
      const __m512i pair = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), bytes);
      if (dense && i + 2 <= rows) {
        _mm512_storeu_si512(row, pair);
        continue;
      }
      const __mmask32 mask32 = (__mmask32)mask;
      _mm256_mask_storeu_epi8(row, mask32, _mm512_castsi512_si256(pair));
      if (i + 1 < rows) _mm256_mask_storeu_epi8(row + c_stride, mask32, _mm512_extracti64x4_epi64(pair, 1));
    } else {
      const __m512i four = _mm512_permutexvar_epi32(qrt_order_avx512(), bytes);
      if (dense && i + 4 <= rows) {
        _mm512_storeu_si512(row, four);
        continue;
      }
      const __mmask16 mask16 = (__mmask16)mask;
      _mm_mask_storeu_epi8(row, mask16, _mm512_castsi512_si128(four));
      if (i + 1 < rows) _mm_mask_storeu_epi8(row + c_stride, mask16, _mm512_extracti32x4_epi32(four, 1));
      if (i + 2 < rows) _mm_mask_storeu_epi8(row + 2 * c_stride, mask16, _mm512_extracti32x4_epi32(four, 2));
      if (i + 3 < rows) _mm_mask_storeu_epi8(row + 3 * c_stride, mask16, _mm512_extracti32x4_epi32(four, 3));
    }
  }
}

INLINE void store(size_t rows, size_t vectors, __m512i acc[MOST_ROWS][4], const __m512 *multiplier, const panel *p,
                  size_t row, int8_t *c) {
  if (p->simple_floats) {
    store_floats(rows, vectors, acc, p, c);
  } else if (p->sums) {
    __m512i copy[MOST_ROWS][4]; /* acc must not have an address, to stay in registers */
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (size_t v = 0; v < vectors; v++) copy[i][v] = acc[i][v];
    }
    store_any(rows, vectors, copy, p, row, c);
  } else {
    store_bytes(rows, vectors, acc, multiplier, p, c);
  }
}

#endif
