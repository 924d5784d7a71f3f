/* gemm_qs8__avx2_6x16.c - 6 rows by 16 columns; depth in pairs of int16 for vpmaddwd. What is left of the rows goes
 * into lower tiles, of every height.
 *
 * A pair sum is at most 2 * 128 * 128 = 2^15 in magnitude, so vpmaddwd never saturates; the adds wrap modulo 2^32.
 * Weights are widened when they are loaded; rows before: the rows of a tile once, for all panels, or where they are too
 * long for that, sixteen values at a time.
 *
 * Tried: vpmaddubsw, which takes bytes, is a quarter faster (30 instead of 24 products per cycle on Zen 5), but exact
 * only where no pair of weights can saturate. Of weights of a normal distribution every third group of 4 by 16 has such
 * a pair, of uniform ones all have. With signs moved to the weights (vpsignb) it is exact, and as fast as this. Weights
 * widened when they are packed take no less time, and twice the memory.
 */
#include "../../requantize_avx2.h"
#include "gemm_pack.h"

enum { MR = 6, NR = 16, KR = 2, DEPTH = 16, LONGEST = 1152 };

#define INLINE static inline __attribute__((always_inline))

size_t qrt_gemm_qs8__avx2_6x16_packed_size(size_t n, size_t runs, size_t run) {
  return qrt_gemm_panels_size(n, runs, run, NR, KR);
}

void qrt_gemm_qs8__avx2_6x16_pack(const qrt_gemm_weights *weights, void *packed) {
  qrt_gemm_pack_panels(weights, NR, KR, packed);
}

/* What the tiles of a panel have in common. */
typedef struct panel {
  const int8_t *packed;
  const qrt_gemm_rows *rows;
  size_t columns; /* that exist */
  size_t c_stride;
  int sums; /* are the output, as int32; else int8 */
  qrt_range_avx2 range;
} panel;

/* Up to 16 values of each row, as int16. */
typedef struct widened {
  _Alignas(32) int16_t rows[MR][DEPTH];
} widened;

INLINE __m256i load_weights(const int8_t *w) {
  return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)w));
}

/* acc += x. As an intrinsic, gcc adds the products of several steps first, and spills or copies them. */
INLINE void accumulate(__m256i *acc, __m256i x) {
  __asm__("vpaddd %1, %0, %0" : "+x"(*acc) : "x"(x));
}

/* acc[i][0..15] += w[0..15][0] * a[i][0] + w[0..15][1] * a[i][1], for as many pairs as `depth` has; rows of a are
 * `stride` apart. Constants: rows, stride, and vectors, which is 1 where only columns 0..7 matter. */
INLINE void multiply_add(size_t rows, size_t vectors, size_t depth, const int16_t *a, size_t stride, const int8_t *w,
                         __m256i acc[MR][2]) {
  for (size_t p = 0; p < depth; p += KR, w += NR * KR) {
    const __m256i w0 = load_weights(w), w1 = vectors > 1 ? load_weights(w + NR * KR / 2) : w0;
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      int32_t pair;
      memcpy(&pair, a + i * stride + p, sizeof pair);
      const __m256i x = _mm256_set1_epi32(pair);
      accumulate(&acc[i][0], _mm256_madd_epi16(w0, x));
      if (vectors > 1) accumulate(&acc[i][1], _mm256_madd_epi16(w1, x));
    }
  }
}

INLINE void widen(size_t rows, const int8_t *const *a, size_t at, size_t depth, widened *to) {
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) {
    const __m256i x = _mm256_cvtepi8_epi16(qrt_load_avx2(a[i] + at, depth));
    _mm256_store_si256((__m256i *)to->rows[i], x);
  }
}

INLINE void store(const __m256i acc[2], __m256 multiplier0, __m256 multiplier1, const panel *p, int8_t *c) {
  if (p->sums) {
    int32_t sums[NR]; /* a copy: acc must not have an address, to stay in registers */
    _mm256_storeu_si256((__m256i *)sums, acc[0]);
    _mm256_storeu_si256((__m256i *)sums + 1, acc[1]);
    memcpy(c, sums, p->columns * sizeof *sums);
  } else {
    qrt_store_avx2(c, qrt_requantize_avx2(acc[0], acc[1], multiplier0, multiplier1, &p->range), p->columns);
  }
}

/* `count` tiles, one below the other. */
INLINE void tiles(size_t rows, size_t count, qrt_gemm_walk *walk, const panel *p, int8_t *c) {
  const size_t run = p->rows->run, rest = run % DEPTH;
  for (; count > 0; count--) {
    const int8_t *a[MR];
    __m256i acc[MR][2];
    const __m256i *bias = (const __m256i *)p->packed;
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      a[i] = qrt_gemm_next(p->rows, walk);
      acc[i][0] = bias[0];
      acc[i][1] = bias[1];
    }
    const float *multiplier = (const float *)(bias + 2);
    const int8_t *w = (const int8_t *)(multiplier + NR);
    for (size_t q = 0, at = 0; q < p->rows->runs; q++, at += p->rows->run_stride - run) {
      widened x;
      for (const size_t end = at + run - rest; at < end; at += DEPTH, w += NR * DEPTH) {
        widen(rows, a, at, DEPTH, &x);
        multiply_add(rows, 2, DEPTH, x.rows[0], DEPTH, w, acc);
      }
      if (rest > 0) {
        widen(rows, a, at, rest, &x);
        multiply_add(rows, 2, rest, x.rows[0], DEPTH, w, acc);
        at += rest;
        w += (rest + KR - 1) / KR * KR * NR;
      }
    }
    const __m256 multiplier0 = _mm256_load_ps(multiplier), multiplier1 = _mm256_load_ps(multiplier + 8);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++, c += p->c_stride) store(acc[i], multiplier0, multiplier1, p, c);
  }
}

#define CASE(rows)                  \
  case rows:                        \
    tiles(rows, count, walk, p, c); \
    break

static void tiles_of(size_t rows, size_t count, qrt_gemm_walk *walk, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
  }
}

/* ---- rows that are widened once ---- */

enum { STRIDE = LONGEST + DEPTH };

/* A row, its runs one behind the other, each as long as its weights are: an even number of values. */
static void widen_row(const qrt_gemm_rows *rows, const int8_t *a, int16_t *to) {
  const size_t run = rows->run, rest = run % DEPTH;
  for (size_t q = 0; q < rows->runs; q++, a += rows->run_stride, to += (run + KR - 1) / KR * KR) {
    size_t p = 0;
    for (; p + DEPTH <= run; p += DEPTH) {
      const __m128i x = _mm_loadu_si128((const __m128i *)(a + p));
      _mm256_storeu_si256((__m256i *)(to + p), _mm256_cvtepi8_epi16(x));
    }
    if (rest > 0) _mm256_storeu_si256((__m256i *)(to + p), _mm256_cvtepi8_epi16(qrt_load_avx2(a + p, rest)));
  }
}

INLINE void tile_of_panel(size_t rows, size_t vectors, size_t depth, const int16_t *a, const panel *p, int8_t *c) {
  const __m256i *bias = (const __m256i *)p->packed;
  const float *multiplier = (const float *)(bias + 2);
  __m256i acc[MR][2];
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) {
    acc[i][0] = bias[0];
    acc[i][1] = bias[1];
  }
  multiply_add(rows, vectors, depth, a, STRIDE, (const int8_t *)(multiplier + NR), acc);
  const __m256 multiplier0 = _mm256_load_ps(multiplier), multiplier1 = _mm256_load_ps(multiplier + 8);
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) store(acc[i], multiplier0, multiplier1, p, c + i * p->c_stride);
}

/* One tile of each panel. */
INLINE void tile_of_panels(size_t rows, size_t n, size_t depth, const int16_t *a, panel p, size_t panel_size,
                           int8_t *c) {
  for (size_t j = 0; j < n; j += NR, p.packed += panel_size, c += p.sums ? NR * sizeof(int32_t) : NR) {
    p.columns = n - j < NR ? n - j : NR;
    if (p.columns > NR / 2) {
      tile_of_panel(rows, 2, depth, a, &p, c);
    } else {
      tile_of_panel(rows, 1, depth, a, &p, c);
    }
  }
}

#define PANELS_CASE(rows)                                  \
  case rows:                                               \
    tile_of_panels(rows, n, depth, *a, *p, panel_size, c); \
    break

static void run_widened(size_t m, size_t n, const panel *p, int8_t *c) {
  const qrt_gemm_rows *rows = p->rows;
  const size_t depth = rows->runs * ((rows->run + KR - 1) / KR * KR);
  const size_t panel_size = qrt_gemm_panel_size(rows->runs, rows->run, NR, KR);
  const size_t count = (m + MR - 1) / MR, height = m / count, higher = m % count;
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  _Alignas(32) int16_t a[MR][STRIDE];
  for (size_t t = 0; t < count; t++) {
    const size_t tile = height + (t < higher);
    for (size_t i = 0; i < tile; i++) widen_row(rows, qrt_gemm_next(rows, &walk), a[i]);
    switch (tile) {
      PANELS_CASE(1);
      PANELS_CASE(2);
      PANELS_CASE(3);
      PANELS_CASE(4);
      PANELS_CASE(5);
      PANELS_CASE(6);
    }
    c += tile * p->c_stride;
  }
}

void qrt_gemm_qs8__avx2_6x16(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                             const qrt_output_range *output, int8_t *c, size_t c_stride) {
  static const qrt_output_range none;
  panel p = {.packed = packed,
             .rows = rows,
             .c_stride = c_stride,
             .sums = !output,
             .range = qrt_range_make_avx2(output ? output : &none)};
  if ((n > NR || n <= NR / 2) && rows->runs * ((rows->run + KR - 1) / KR * KR) <= LONGEST) {
    run_widened(m, n, &p, c);
    return;
  }
  /* Tiles of two heights, which differ by one row. */
  const size_t count = (m + MR - 1) / MR, height = m / count, higher = m % count;
  for (size_t j = 0; j < n; j += NR, c += output ? NR : NR * sizeof(int32_t)) {
    qrt_gemm_walk walk = qrt_gemm_first(rows);
    p.columns = n - j < NR ? n - j : NR;
    tiles_of(height + 1, higher, &walk, &p, c);
    tiles_of(height, count - higher, &walk, &p, c + higher * (height + 1) * c_stride);
    p.packed += qrt_gemm_panel_size(rows->runs, rows->run, NR, KR);
  }
}
