/* gemm_avx512.h - what a panel of gemm_qs8__avx512vnni_6x64.c is, and what becomes of sums: bytes, int32 or floats. */
#ifndef QRT_GEMM_AVX512_H
#define QRT_GEMM_AVX512_H

#include <string.h>

#include "../../floats.h"
#include "../../requantize_avx512.h"
#include "gemm.h"

enum { NR = 64, KR = 4, LANES = 16, MOST_ROWS = 8 };

#define INLINE static inline __attribute__((always_inline))

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

/* Where a panel keeps column j: the narrowest piece that narrowing keeps together holds columns that follow each other
 * in the output, four from each vector. */
static size_t slot(size_t width, size_t j) {
  const size_t vectors = width < LANES ? 1 : width / LANES;
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
  int whole_floats;              /* and the panel is full, and they have one scale and zero point */
  qrt_range_avx512 range;
  /* For floats, in the order of slots, and of columns with eight of them. bias above has zero points in it, multiplier
   * the scale, where they are the same for all rows. */
  __m512i corrected[4], sum[4];
  __m512 multiplier[4], float_bias[4];
} panel;

INLINE __m512i shuffle(__m512i a, __m512i b, const int high) {
  return high ? _mm512_shuffle_i32x4(a, b, 0xdd) : _mm512_shuffle_i32x4(a, b, 0x88);
}

/* Sixteen int32 or floats per vector, in the columns' order: a transposition of 128-bit pieces; see slot(). */
INLINE void in_order(size_t vectors, __m512i *x) {
  if (vectors == 4) {
    const __m512i even0 = shuffle(x[0], x[1], 0), even1 = shuffle(x[2], x[3], 0);
    const __m512i odd0 = shuffle(x[0], x[1], 1), odd1 = shuffle(x[2], x[3], 1);
    x[0] = shuffle(even0, even1, 0);
    x[1] = shuffle(odd0, odd1, 0);
    x[2] = shuffle(even0, even1, 1);
    x[3] = shuffle(odd0, odd1, 1);
  } else if (vectors == 2) {
    const __m512i even = _mm512_permutex2var_epi64(x[0], _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), x[1]);
    x[1] = _mm512_permutex2var_epi64(x[0], _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4), x[1]);
    x[0] = even;
  }
}

INLINE __m512i to_float(const qrt_gemm_floats *f, __m512i acc, __m512 multiplier, __m512 bias) {
  const __m512 x = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(acc), multiplier), bias);
  if (f->relu) return _mm512_castps_si512(_mm512_max_ps(x, _mm512_setzero_ps())); /* of NaN, and of -0, zero */
  const __mmask16 number = _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q);
  return _mm512_mask_mov_epi32(_mm512_set1_epi32(QRT_FLOAT_NAN), number, _mm512_castps_si512(x));
}

/* Whole rows of floats that have the same scale and zero point. */
INLINE void store_floats(size_t rows, size_t vectors, __m512i acc[MOST_ROWS][4], const panel *p, int8_t *c) {
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++, c += p->c_stride) {
    __m512i x[4];
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) x[v] = to_float(p->floats, acc[i][v], p->multiplier[v], p->float_bias[v]);
    in_order(vectors, x);
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) _mm512_storeu_si512((__m512i *)c + v, x[v]);
  }
}

/* Sums, and floats with scales and zero points of their own. */
static __attribute__((noinline)) void store_any(size_t rows, size_t vectors, const __m512i (*acc)[4], const panel *p,
                                                size_t row, int8_t *c) {
  const qrt_gemm_floats *f = p->floats;
  for (size_t i = 0; i < rows; i++, c += p->c_stride) {
    __m512i x[4];
    for (size_t v = 0; v < vectors; v++) {
      x[v] = acc[i][v];
      if (f && !f->step) {
        x[v] = to_float(f, x[v], p->multiplier[v], p->float_bias[v]);
      } else if (f) {
        const qrt_quantization *q = f->rows + row + i;
        const __m512i offset = _mm512_mullo_epi32(_mm512_set1_epi32(q->zero_point), p->sum[v]);
        const __m512 multiplier = _mm512_mul_ps(_mm512_set1_ps(q->scale), p->multiplier[v]);
        x[v] = to_float(f, _mm512_sub_epi32(x[v], offset), multiplier, p->float_bias[v]);
      }
    }
    if (vectors == 4) in_order(4, x);
    if (vectors == 2) in_order(2, x);
    memcpy(c, x, p->columns * sizeof(int32_t));
  }
}

/* Four bytes for each of `columns` columns, in the order of slots. */
INLINE void load_slots(size_t vectors, size_t columns, const void *from, __m512i *x) {
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) {
    const size_t rest = columns > v * LANES ? columns - v * LANES : 0;
    const __mmask16 mask = (__mmask16)(rest >= LANES ? 0xffffu : (1u << rest) - 1);
    x[v] = _mm512_maskz_loadu_epi32(mask, (const __m512i *)from + v);
  }
  if (vectors == 4) in_order(4, x); /* its own inverse */
  if (vectors == 2) {
    const __m512i even = shuffle(x[0], x[1], 0);
    x[1] = shuffle(x[0], x[1], 1);
    x[0] = even;
  }
}

/* What the floats of the panel's columns, from column `first` on, are made with. */
INLINE void prepare(size_t vectors, size_t width, size_t first, panel *p) {
  const qrt_gemm_floats *f = p->floats;
  const __mmask16 mask = (__mmask16)(width < LANES ? 0xff : 0xffff);
  const __m512 *multiplier = (const __m512 *)((const char *)p->packed + width * sizeof(int32_t));
  const __m512i zero_point = _mm512_set1_epi32(f->step ? 0 : f->rows->zero_point);
  const __m512 scale = _mm512_set1_ps(f->step ? 1 : f->rows->scale);
  __m512i sum[4], bias[4];
  load_slots(vectors, p->columns, f->sum + first, sum);
  load_slots(vectors, p->columns, f->bias + first, bias);
#pragma GCC unroll 4
  for (size_t v = 0; v < vectors; v++) {
    const __m512i packed = _mm512_maskz_loadu_epi32(mask, (const __m512i *)p->packed + v);
    p->sum[v] = sum[v];
    p->float_bias[v] = _mm512_castsi512_ps(bias[v]);
    p->corrected[v] = _mm512_sub_epi32(packed, _mm512_mullo_epi32(zero_point, sum[v]));
    p->multiplier[v] = _mm512_mul_ps(scale, _mm512_maskz_loadu_ps(mask, multiplier + v));
  }
  p->bias = p->corrected;
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
  if (p->whole_floats) {
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
