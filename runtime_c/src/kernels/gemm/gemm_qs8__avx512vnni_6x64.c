/* gemm_qs8__avx512vnni_6x64.c - 6 rows by 64 columns; depth in groups of four bytes for vpdpbusd. What is left of n
 * goes into narrower panels with taller tiles, 8 x 32, 8 x 16 and 8 x 8; what is left of m into lower ones, of every
 * height.
 *
 * vpdpbusd multiplies unsigned bytes by signed ones and sums four products without saturation, modulo 2^32. The rows of
 * a become unsigned by adding 128 (an exclusive or, with the broadcast as its operand, so at no cost); what that adds
 * to the sums is folded into the bias:
 *
 *   panel of nr columns:  int32 bias[nr]      bias[j] - (a_zero_point + 128) * sum w[j]     modulo 2^32
 *                         float multiplier[nr]
 *                         int8 w[runs][ceil(run / 4)][nr][4]
 *
 * The last group of a run whose length is no multiple of four covers the run's last four bytes; weights of those that
 * an earlier group has had are zero. Panels of eight columns have groups of eight bytes. Columns lie in their order, or
 * in the one of which the epilogue's narrowing makes theirs.
 */
#include "gemm_avx512.h"

/* ---- packing ---- */

size_t qrt_gemm_qs8__avx512vnni_6x64_packed_size(size_t n, size_t runs, size_t run) {
  const size_t left = n % NR;
  size_t size = n / NR * panel_size(NR, runs, run);
  for (size_t j = 0; j < left; j += panel_width(left - j, run)) {
    size += panel_size(panel_width(left - j, run), runs, run);
  }
  return size;
}

/* One column: w, [runs][run], into slots of `group` bytes, `step` bytes apart. Returns its sum. */
static uint32_t pack_column(const qrt_gemm_weights *weights, const int8_t *w, int8_t *to, size_t group, size_t step) {
  uint32_t sum = 0;
  for (size_t q = 0; q < weights->runs; q++, w += weights->run) {
    size_t p = 0;
    for (; p + group <= weights->run; p += group, to += step) memcpy(to, w + p, group);
    if (p < weights->run) {
      memset(to, 0, group);
      const size_t rest = weights->run - p;
      memcpy(weights->run < group ? to : to + group - rest, w + p, rest);
      to += step;
    }
    for (p = 0; p < weights->run; p++) sum += (uint32_t)w[p];
  }
  return sum;
}

void qrt_gemm_qs8__avx512vnni_6x64_pack(const qrt_gemm_weights *weights, void *packed) {
  const size_t n = weights->n, runs = weights->runs, run = weights->run;
  const uint32_t zero_point = (uint32_t)weights->a_zero_point + 128;
  char *block = packed;
  for (size_t first = 0, width; first < n; first += width, block += panel_size(width, runs, run)) {
    width = panel_width(n - first, run);
    if (n - first < width) memset(block, 0, panel_size(width, runs, run));
    const size_t group = group_of(width);
    int32_t *bias = (int32_t *)block;
    float *multiplier = (float *)(bias + width);
    int8_t *to = (int8_t *)(multiplier + width);
    for (size_t j = first; j < n && j < first + width; j++) {
      const size_t at = slot(width, j - first, weights->sums);
      const uint32_t sum = pack_column(weights, weights->w + j * runs * run, to + at * group, group, width * group);
      bias[at] = (int32_t)((uint32_t)weights->bias[j] - zero_point * sum);
      multiplier[at] = weights->multiplier[j];
    }
  }
}

/* ---- tiles ---- */

enum { WINDOW = 3, WINDOW_ROWS = 16, RGB_RUN = 9 };

/* Rows of a panel that are left, and how many others there were. */
typedef struct place {
  qrt_gemm_walk walk;
  size_t row;
  size_t panel_size, tile; /* for fetch_ahead() */
} place;

/* acc += the sums of four products. As an intrinsic, gcc copies and spills the accumulators. */
INLINE void multiply_add(__m512i *acc, __m512i a, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(w));
}

/* One group of the depth, `at` bytes into each row. */
INLINE void step(size_t rows, size_t vectors, const int8_t *const *a, size_t at, const __m512i *w,
                 __m512i acc[MOST_ROWS][4]) {
  const __m512i sign = _mm512_set1_epi8(-128);
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    int32_t group;
    memcpy(&group, a[i] + at, sizeof group);
    const __m512i x = _mm512_xor_si512(_mm512_set1_epi32(group), sign);
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) multiply_add(&acc[i][v], x, w[v]);
  }
}

/* How far from the weights that a tile reads are those that it fetches: the panel behind this one may be in memory, or
 * in a cache that others use too, and is large. The first tiles fetch it, each one line of every group, which takes no
 * time while products are made. Behind the last panel there are, most often, weights of the next operator. Other tiles
 * fetch what they read. */
INLINE size_t fetch_ahead(place *from) {
  const size_t tile = from->tile++;
  return tile < NR / LANES ? from->panel_size + tile * sizeof(__m512i) : 0;
}

/* `count` tiles, one below the other. */
INLINE void tiles(size_t rows, size_t vectors, size_t count, place *from, const panel *p, int8_t *c) {
  const qrt_gemm_rows source = *p->rows; /* copies, as stores to c might change what they are copies of */
  qrt_gemm_walk local = from->walk;
  const size_t runs = source.runs, run_stride = source.run_stride, last_group = p->last_group;
  const __m512i *bias = p->bias, *packed = p->packed;
  const __m512 *multiplier = (const __m512 *)packed + vectors;
  for (; count > 0; count--, c += rows * p->c_stride) {
    const int8_t *a[MOST_ROWS];
    __m512i acc[MOST_ROWS][4];
    qrt_gemm_next_rows(rows, &source, &local, a);
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (size_t v = 0; v < vectors; v++) acc[i][v] = bias[v];
    }
    /* One row has few sums, and each product would wait for the one before it: every second has a sum of its own. */
    const int few = rows == 1, fetches = rows >= 4 && vectors == 4;
    __m512i second[MOST_ROWS][4];
    if (few) {
#pragma GCC unroll 8
      for (size_t i = 0; i < rows * vectors; i++) second[i / vectors][i % vectors] = _mm512_setzero_si512();
    }
    const size_t ahead = fetches ? fetch_ahead(from) : 0;
    const __m512i *w = packed + 2 * vectors;
    for (size_t q = 0, begin = 0; q < runs; q++, begin += run_stride) {
      const size_t last = begin + last_group;
      size_t at = begin;
      for (; few && at + KR < last; at += 2 * KR, w += 2 * vectors) {
        step(rows, vectors, a, at, w, acc);
        step(rows, vectors, a, at + KR, w + vectors, second);
      }
      for (; at < last; at += KR, w += vectors) {
        if (fetches) _mm_prefetch((const char *)w + ahead, _MM_HINT_T1);
        step(rows, vectors, a, at, w, acc);
      }
      step(rows, vectors, a, last, w, acc);
      w += vectors;
    }
    if (few) {
#pragma GCC unroll 8
      for (size_t i = 0; i < rows * vectors; i++) {
        acc[i / vectors][i % vectors] =
            _mm512_add_epi32(acc[i / vectors][i % vectors], second[i / vectors][i % vectors]);
      }
    }
    store(rows, vectors, acc, multiplier, p, from->row, c);
    from->row += rows;
  }
  from->walk = local;
}

/* Each lane of a panel of eight columns, whose even ones and odd ones have sums of one column: in the order that
 * add_pairs() gives, of two rows. */
INLINE __m512i both_rows(const void *eight) {
  const __m512i twice = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)eight));
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7), twice);
}

/* Sums of two rows' eight columns: in each 128-bit lane two of the first row, two of the second. */
INLINE __m512i add_pairs(__m512i row0, __m512i row1) {
  const __m512 x = _mm512_castsi512_ps(row0), y = _mm512_castsi512_ps(row1);
  return _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(x, y, 0x88)),
                          _mm512_castps_si512(_mm512_shuffle_ps(x, y, 0xdd)));
}

/* Rows of eight columns, two to a vector. */
INLINE void store_narrow(size_t rows, const __m512i pairs[MOST_ROWS / 2], const __m512 *multiplier, const panel *p,
                         size_t row, int8_t *c) {
  const __mmask8 mask = (__mmask8)(0xffu >> (8 - p->columns));
  if (p->sums) {
    const __m512i order = _mm512_setr_epi32(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    __m512i copy[MOST_ROWS][4];
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
      const __m512i pair = _mm512_permutexvar_epi32(order, pairs[i / 2]);
      copy[i][0] = _mm512_castsi256_si512(i % 2 ? _mm512_extracti64x4_epi64(pair, 1) : _mm512_castsi512_si256(pair));
    }
    store_any(rows, 1, copy, p, row, c);
    return;
  }
  const __m512 m[4] = {*multiplier, *multiplier, *multiplier, *multiplier};
  const __m512i order = _mm512_set_epi16(31, 23, 15, 7, 30, 22, 14, 6, 29, 21, 13, 5, 28, 20, 12, 4, 27, 19, 11, 3, 26,
                                         18, 10, 2, 25, 17, 9, 1, 24, 16, 8, 0);
  const __m512i bytes = _mm512_permutexvar_epi16(order, qrt_requantize4_avx512(pairs, m, &p->range));
  if (p->dense) {
    _mm512_mask_storeu_epi64(c, (__mmask8)(0xffu >> (8 - rows)), bytes);
    return;
  }
  int8_t copy[MOST_ROWS][8];
  _mm512_storeu_si512(copy, bytes);
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++, c += p->c_stride) {
    _mm_mask_storeu_epi8(c, mask, _mm_loadl_epi64((const __m128i *)(const void *)copy[i]));
  }
}

/* Two groups of the depth, `at` bytes into each row. */
INLINE void narrow_step(size_t rows, const int8_t *const *a, size_t at, __m512i w, __m512i acc[MOST_ROWS]) {
  const __m512i sign = _mm512_set1_epi8(-128);
#pragma GCC unroll 8
  for (size_t i = 0; i < rows; i++) {
    long long pair;
    memcpy(&pair, a[i] + at, sizeof pair);
    multiply_add(&acc[i], _mm512_xor_epi64(_mm512_set1_epi64(pair), sign), w);
  }
}

/* tiles(), of eight columns: a vector has two groups of each, which meet at the end. */
INLINE void narrow_tiles(size_t rows, size_t count, place *from, const panel *p, int8_t *c) {
  const qrt_gemm_rows source = *p->rows;
  qrt_gemm_walk local = from->walk;
  const size_t runs = source.runs, run_stride = source.run_stride, last_pair = p->last_group - KR;
  const __m512i bias = both_rows(p->bias);
  const __m512 multiplier = _mm512_castsi512_ps(both_rows((const int32_t *)p->packed + 8));
  for (; count > 0; count--, c += rows * p->c_stride) {
    const int8_t *a[MOST_ROWS];
    __m512i acc[MOST_ROWS], pairs[MOST_ROWS / 2];
    qrt_gemm_next_rows(rows, &source, &local, a);
#pragma GCC unroll 8
    for (size_t i = 0; i < MOST_ROWS; i++) acc[i] = _mm512_setzero_si512();
    const __m512i *w = (const __m512i *)p->packed + 1;
    for (size_t q = 0, begin = 0; q < runs; q++, begin += run_stride) {
      const size_t last = begin + last_pair;
      for (size_t at = begin; at < last; at += 2 * KR) narrow_step(rows, a, at, *w++, acc);
      narrow_step(rows, a, last, *w++, acc);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < MOST_ROWS; i += 2) pairs[i / 2] = _mm512_add_epi32(add_pairs(acc[i], acc[i + 1]), bias);
    store_narrow(rows, pairs, &multiplier, p, from->row, c);
    from->row += rows;
  }
  from->walk = local;
}

#define NARROW_CASE(rows)                  \
  case rows:                               \
    narrow_tiles(rows, count, from, p, c); \
    break

static void tiles_8(size_t rows, size_t count, place *from, const panel *p, int8_t *c) {
  switch (rows) {
    NARROW_CASE(1);
    NARROW_CASE(2);
    NARROW_CASE(3);
    NARROW_CASE(4);
    NARROW_CASE(5);
    NARROW_CASE(6);
    NARROW_CASE(7);
    NARROW_CASE(8);
  }
}

#define CASE(rows, vectors)                  \
  case rows:                                 \
    tiles(rows, vectors, count, from, p, c); \
    break

static void tiles_64(size_t rows, size_t count, place *from, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1, 4);
    CASE(2, 4);
    CASE(3, 4);
    CASE(4, 4);
    CASE(5, 4);
    CASE(6, 4);
  }
}

static void tiles_32(size_t rows, size_t count, place *from, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1, 2);
    CASE(2, 2);
    CASE(3, 2);
    CASE(4, 2);
    CASE(5, 2);
    CASE(6, 2);
    CASE(7, 2);
    CASE(8, 2);
  }
}

static void tiles_16(size_t rows, size_t count, place *from, const panel *p, int8_t *c) {
  switch (rows) {
    CASE(1, 1);
    CASE(2, 1);
    CASE(3, 1);
    CASE(4, 1);
    CASE(5, 1);
    CASE(6, 1);
    CASE(7, 1);
    CASE(8, 1);
  }
}

/* A tile whose rows lie in one line, so that an address for four of them is enough and all stay in registers: twice as
 * high as in tiles(). */
typedef void line_tile(const int8_t *a, const panel *p, int8_t *c);

/* WINDOW_ROWS rows of 16 columns, each a window of three pixels whose last two are the first two of the row below: a
 * group of bytes is fetched once for three rows. */
static void window_tile(const int8_t *a, const panel *p, int8_t *c) {
  const __m512i sign = _mm512_set1_epi8(-128);
  const size_t pixel = p->rows->x_stride, groups = pixel / KR;
  const __m512i *bias = p->packed, *w = bias + 2;
  __m512i acc[WINDOW_ROWS][4];
#pragma GCC unroll 16
  for (size_t i = 0; i < WINDOW_ROWS; i++) acc[i][0] = *bias;
  for (size_t q = 0; q < p->rows->runs; q++, a += p->rows->run_stride, w += (WINDOW - 1) * groups) {
    for (const int8_t *at = a; at < a + pixel; at += KR, w++) {
      const int8_t *const from[] = {at, at + 4 * pixel, at + 8 * pixel, at + 12 * pixel, at + 16 * pixel};
#pragma GCC unroll 18
      for (size_t j = 0; j < WINDOW_ROWS + WINDOW - 1; j++) {
        int32_t group;
        memcpy(&group, from[j / 4] + j % 4 * pixel, sizeof group);
        const __m512i x = _mm512_xor_si512(_mm512_set1_epi32(group), sign);
#pragma GCC unroll 3
        for (size_t t = 0; t < WINDOW; t++) {
          if (j >= t && j - t < WINDOW_ROWS) multiply_add(&acc[j - t][0], x, w[t * groups]);
        }
      }
    }
  }
  store_bytes(WINDOW_ROWS, 1, acc, (const __m512 *)(bias + 1), p, c);
}

/* WINDOW_ROWS rows of 16 columns with runs of nine bytes: three pixels of an image in colors. */
static void rgb_tile(const int8_t *a, const panel *p, int8_t *c) {
  const __m512i sign = _mm512_set1_epi8(-128);
  const size_t pixel = p->rows->x_stride, runs = p->rows->runs, run_stride = p->rows->run_stride;
  const __m512i *bias = p->packed, *w = bias + 2;
  __m512i acc[WINDOW_ROWS][4];
#pragma GCC unroll 16
  for (size_t i = 0; i < WINDOW_ROWS; i++) acc[i][0] = *bias;
  for (size_t q = 0; q < runs; q++, a += run_stride) {
#pragma GCC unroll 3
    for (size_t g = 0; g < RGB_RUN; g += KR, w++) {
      const int8_t *at = a + (g + KR < RGB_RUN ? g : RGB_RUN - KR);
      const int8_t *const from[] = {at, at + 4 * pixel, at + 8 * pixel, at + 12 * pixel};
#pragma GCC unroll 16
      for (size_t i = 0; i < WINDOW_ROWS; i++) {
        int32_t group;
        memcpy(&group, from[i / 4] + i % 4 * pixel, sizeof group);
        multiply_add(&acc[i][0], _mm512_xor_si512(_mm512_set1_epi32(group), sign), *w);
      }
    }
  }
  store_bytes(WINDOW_ROWS, 1, acc, (const __m512 *)(bias + 1), p, c);
}

/* Lines of tiles. The last tile of a line goes back over rows that the one before it has had. */
static void run_lines(line_tile *tile, size_t lines, const panel *p, int8_t *c) {
  const qrt_gemm_rows *rows = p->rows;
  const size_t last = rows->width - WINDOW_ROWS;
  for (size_t y = 0; y < lines; y++, c += rows->width * p->c_stride) {
    const int8_t *line = rows->a + y * rows->y_stride;
    for (size_t x = 0; x < last; x += WINDOW_ROWS) tile(line + x * rows->x_stride, p, c + x * p->c_stride);
    tile(line + last * rows->x_stride, p, c + last * p->c_stride);
  }
}

/* The line tile for the rows, or NULL: they must be whole lines, little of which is done twice. */
static line_tile *find_line_tile(size_t m, const qrt_gemm_rows *rows) {
  if (rows->width < WINDOW_ROWS || rows->width > m || m % rows->width != 0 ||
      (WINDOW_ROWS - rows->width % WINDOW_ROWS) % WINDOW_ROWS > rows->width / 8) {
    return NULL;
  }
  if (rows->run == RGB_RUN) return rgb_tile;
  return rows->run == WINDOW * rows->x_stride && rows->x_stride % KR == 0 ? window_tile : NULL;
}

/* All rows, the first being number `row`, through one panel: tiles of two heights, which differ by one row. */
static void run_panel(size_t m, size_t width, const panel *p, size_t row, int8_t *c) {
  line_tile *tile = width == 16 && !p->sums ? find_line_tile(m, p->rows) : NULL;
  if (tile) {
    run_lines(tile, m / p->rows->width, p, c);
    return;
  }
  const size_t most = width == 64 ? 6 : MOST_ROWS;
  const size_t count = m <= most ? 1 : (m + most - 1) / most; /* one row should not wait for divisions */
  const size_t height = m <= most ? m : m / count, higher = m - height * count;
  place from = {qrt_gemm_first(p->rows), row, width == NR ? panel_size(NR, p->rows->runs, p->rows->run) : 0, 0};
  void (*const tiles_of)(size_t, size_t, place *, const panel *, int8_t *) = width == 64   ? tiles_64
                                                                             : width == 32 ? tiles_32
                                                                             : width == 16 ? tiles_16
                                                                                           : tiles_8;
  if (higher) tiles_of(height + 1, higher, &from, p, c);
  tiles_of(height, count - higher, &from, p, c + higher * (height + 1) * p->c_stride);
}

/* Rows shorter than a group, from copies that are as long. */
static void run_panel_short(size_t m, size_t width, panel p, int8_t *c) {
  int8_t copy[MOST_ROWS][KR] = {{0}};
  const qrt_gemm_rows copies = qrt_gemm_matrix(copy[0], KR, KR);
  const qrt_gemm_rows *rows = p.rows;
  qrt_gemm_walk walk = qrt_gemm_first(rows);
  p.rows = &copies;
  for (size_t i = 0, count; i < m; i += count) {
    count = m - i < MOST_ROWS ? m - i : MOST_ROWS;
    for (size_t r = 0; r < count; r++) memcpy(copy[r], qrt_gemm_next(rows, &walk), rows->run);
    run_panel(count, width, &p, i, c + i * p.c_stride);
  }
}

static int32_t all_below_one(size_t width, const void *multiplier) {
  if (width >= LANES) return qrt_below_one_avx512(width / LANES, multiplier);
  const __m512 eight = _mm512_castsi512_ps(both_rows(multiplier));
  return qrt_below_one_avx512(1, &eight);
}

/* One of output and floats, or neither: then sums. */
static void run(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed, const qrt_output_range *output,
                const qrt_gemm_floats *floats, int8_t *c, size_t c_stride) {
  static const qrt_output_range none;
  const size_t element = output ? 1 : sizeof(int32_t);
  panel p = {.packed = packed,
             .rows = rows,
             .last_group = rows->run < KR ? 0 : rows->run - KR,
             .c_stride = c_stride,
             .sums = !output,
             .floats = floats,
             .range = qrt_range_make_avx512(output ? output : &none, 0)};
  for (size_t j = 0, width; j < n; j += width) {
    width = panel_width(n - j, rows->run);
    p.columns = n - j < width ? n - j : width;
    p.dense = p.columns == width && c_stride == width;
    p.bias = p.packed;
    if (floats) prepare_floats(width, j, &p);
    if (output) p.range.safe = all_below_one(width, (const int32_t *)p.packed + width);
    if (rows->run < KR) {
      run_panel_short(m, width, p, c + j * element);
    } else if (m == 1 && width == NR) { /* so short that calls would count */
      place from = {qrt_gemm_first(rows), 0, 0, 0};
      tiles(1, NR / LANES, 1, &from, &p, c + j * element);
    } else {
      run_panel(m, width, &p, 0, c + j * element);
    }
    p.packed = (const char *)p.packed + panel_size(width, rows->runs, rows->run);
  }
}

void qrt_gemm_qs8__avx512vnni_6x64(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                   const qrt_output_range *output, int8_t *c, size_t c_stride) {
  run(m, n, rows, packed, output, NULL, c, c_stride);
}

void qrt_gemm_qs8__avx512vnni_6x64_floats(size_t m, size_t n, const qrt_gemm_rows *rows, const void *packed,
                                          const qrt_gemm_floats *floats, float *c, size_t c_stride) {
  run(m, n, rows, packed, NULL, floats, (int8_t *)c, c_stride);
}
