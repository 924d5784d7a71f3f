/* dwconv_qs8__avx2_c16.c - windows three columns wide and at most three rows high slide along the row, 8 channels at a
 * time: pairs of taps from two rows are multiplied and added by vpmaddwd, and a column that the next outputs need again
 * stays in registers. Other windows go tap by tap, 16 channels at a time.
 *
 * For a sliding window a block of 8 channels is packed as
 *
 *   int32 bias[8]           bias[j] - a_zero_point * sum w[j]   modulo 2^32: padding counts as zero points
 *   float multiplier[8]
 *   int16 w[3][2][8][2]     [column][rows 0 and 1, row 2 and nothing][channel]
 */
#include "../../requantize_avx2.h"
#include "dwconv_pack.h"

enum { CR = 16, BLOCK = 8, SIDE = 3 };

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

typedef struct block {
  _Alignas(32) int32_t bias[BLOCK];
  float multiplier[BLOCK];
  int16_t w[SIDE][2][BLOCK][2];
} block;

static int slides(size_t kh, size_t kw) {
  return kh <= SIDE && kw == SIDE;
}

static size_t blocks_of(size_t channels) {
  return (channels + BLOCK - 1) / BLOCK;
}

size_t qrt_dwconv_qs8__avx2_c16_packed_size(size_t channels, size_t kh, size_t kw) {
  return slides(kh, kw) ? blocks_of(channels) * sizeof(block) : qrt_dwconv_packed_size(channels, kh, kw, CR);
}

static void pack_blocks(const qrt_dwconv_weights *weights, block *blocks) {
  memset(blocks, 0, blocks_of(weights->channels) * sizeof(block));
  for (size_t j = 0; j < weights->channels; j++) {
    block *b = &blocks[j / BLOCK];
    uint32_t sum = 0;
    for (size_t r = 0; r < weights->kh; r++) {
      for (size_t t = 0; t < SIDE; t++) {
        const int8_t w = weights->w[(j * weights->kh + r) * SIDE + t];
        b->w[t][r / 2][j % BLOCK][r % 2] = w;
        sum += (uint32_t)w;
      }
    }
    b->bias[j % BLOCK] = (int32_t)((uint32_t)weights->bias[j] - (uint32_t)weights->a_zero_point * sum);
    b->multiplier[j % BLOCK] = weights->multiplier[j];
  }
}

void qrt_dwconv_qs8__avx2_c16_pack(const qrt_dwconv_weights *weights, void *packed) {
  if (slides(weights->kh, weights->kw)) {
    pack_blocks(weights, packed);
  } else {
    qrt_dwconv_pack(weights, CR, packed);
  }
}

/* ---- sliding windows ---- */

typedef struct lines {
  const int8_t *row[SIDE]; /* an absent one has the address of another */
  __m256i present[2];      /* ones in the lanes of each row that is not, for rows 0 and 1, and for row 2 */
  size_t size;             /* of a row; 0 when all are absent */
  __m256i zero_point;      /* int16 */
} lines;

static lines lines_make(const qrt_dwconv_shape *shape, const int8_t *const *rows) {
  lines l = {.size = 0, .zero_point = _mm256_set1_epi16((int16_t)shape->a_zero_point)};
  int16_t present[4] = {0, 0, 0, 0};
  for (size_t r = 0; r < shape->kh; r++) {
    if (!rows[r]) continue;
    if (!l.size) l.row[0] = l.row[1] = l.row[2] = rows[r];
    l.row[r] = rows[r];
    l.size = shape->in_w * shape->channels;
    present[r] = -1;
  }
  for (size_t i = 0; i < 2; i++) {
    int32_t pair;
    memcpy(&pair, &present[2 * i], sizeof pair);
    l.present[i] = _mm256_set1_epi32(pair);
  }
  return l;
}

/* What one block of channels is to an output row. */
typedef struct strip {
  const block *b;
  size_t first;           /* where the first tap lies in a row; in the padding, far beyond its end */
  size_t tap, advance;    /* bytes to the next tap, and to the next output's first */
  size_t outputs, c_step; /* and from one to the next */
  qrt_range_avx2 range;
} strip;

/* `count` <= 8 channels of one pixel, in pairs of int16: rows 0 and 1, row 2 and its sign, which has no weight. */
INLINE void column(const lines *l, size_t at, size_t count, __m256i q[2]) {
  if (at >= l->size) {
    q[0] = q[1] = l->zero_point;
    return;
  }
  __m128i row[SIDE];
#pragma GCC unroll 3
  for (size_t r = 0; r < SIDE; r++) {
    const int8_t *a = l->row[r] + at;
    row[r] = count == BLOCK ? _mm_loadl_epi64((const __m128i *)a) : qrt_load_avx2(a, count);
  }
  q[0] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(row[0], row[1]));
  q[1] = _mm256_cvtepi8_epi32(row[2]);
}

INLINE void store(__m128i bytes, size_t count, int8_t *c) {
  if (count == BLOCK) {
    _mm_storel_epi64((__m128i *)c, bytes);
  } else {
    qrt_store_avx2(c, bytes, count);
  }
}

/* The window moves by `fresh` columns, or none of them is needed again. */
INLINE void slide(size_t fresh, size_t count, const lines *l, const strip *s, int8_t *restrict c) {
  const __m256 multiplier = _mm256_load_ps(s->b->multiplier);
  __m256i q[SIDE][2], w[SIDE][2], bias = _mm256_load_si256((const __m256i *)s->b->bias);
  size_t at = s->first;
#pragma GCC unroll 3
  for (size_t t = 0; t < SIDE; t++) {
#pragma GCC unroll 2
    for (size_t i = 0; i < 2; i++) {
      /* Absent rows lose their weights; what the bias expects of their padding goes into it. */
      const __m256i all = _mm256_load_si256((const __m256i *)s->b->w[t][i]);
      w[t][i] = _mm256_and_si256(all, l->present[i]);
      bias = _mm256_add_epi32(bias, _mm256_madd_epi16(_mm256_andnot_si256(l->present[i], all), l->zero_point));
    }
    if (t >= fresh) column(l, at + (t - fresh) * s->tap, count, q[t]);
  }
  /* Two outputs at a time: the epilogue takes sixteen lanes. */
  for (size_t i = 0; i < s->outputs; i += 2) {
    __m256i acc[2] = {bias, bias};
#pragma GCC unroll 2
    for (size_t o = 0; o < 2; o++) {
      if (i + o == s->outputs) break;
#pragma GCC unroll 3
      for (size_t t = 0; t < SIDE; t++) {
        if (t + fresh < SIDE) {
          q[t][0] = q[t + fresh][0];
          q[t][1] = q[t + fresh][1];
        } else {
          column(l, at + t * s->tap, count, q[t]);
        }
        acc[o] = _mm256_add_epi32(acc[o], _mm256_madd_epi16(q[t][0], w[t][0]));
        acc[o] = _mm256_add_epi32(acc[o], _mm256_madd_epi16(q[t][1], w[t][1]));
      }
      at += s->advance;
    }
    const __m128i bytes = qrt_requantize_avx2(acc[0], acc[1], multiplier, multiplier, &s->range);
    store(bytes, count, c);
    c += s->c_step;
    if (i + 1 < s->outputs) store(_mm_unpackhi_epi64(bytes, bytes), count, c);
    c += s->c_step;
  }
}

/* Functions of their own, for the sake of registers. */
static NOINLINE void slide_1(const lines *l, const strip *s, int8_t *c) {
  slide(1, BLOCK, l, s, c);
}

static NOINLINE void slide_2(const lines *l, const strip *s, int8_t *c) {
  slide(2, BLOCK, l, s, c);
}

static NOINLINE void slide_3(const lines *l, const strip *s, int8_t *c) {
  slide(3, BLOCK, l, s, c);
}

static NOINLINE void slide_rest(const lines *l, const strip *s, size_t count, int8_t *c) {
  slide(3, count, l, s, c);
}

static void run_sliding(const qrt_dwconv_shape *shape, const int8_t *const *rows, const block *blocks,
                        const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels;
  const lines l = lines_make(shape, rows);
  strip s = {.b = blocks,
             .first = 0 - shape->pad_left * channels,
             .tap = shape->dilation * channels,
             .advance = shape->stride * channels,
             .outputs = shape->out_w,
             .c_step = channels,
             .range = qrt_range_make_avx2(output)};
  for (size_t j = 0; j < channels; j += BLOCK, s.first += BLOCK, s.b++) {
    if (channels - j < BLOCK) {
      slide_rest(&l, &s, channels - j, c + j);
    } else if (shape->dilation == 1 && shape->stride == 1) {
      slide_1(&l, &s, c + j);
    } else if (shape->dilation == 1 && shape->stride == 2) {
      slide_2(&l, &s, c + j);
    } else {
      slide_3(&l, &s, c + j);
    }
  }
}

/* ---- other windows ---- */

/* |a - a_zero_point| <= 255 and |w| <= 128, so a product fits int16 (at most 32640). */
static void run_taps(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                     const qrt_output_range *output, int8_t *c) {
  const qrt_range_avx2 range = qrt_range_make_avx2(output);
  const qrt_dwconv_packed p = qrt_dwconv_unpack(packed, shape->channels, CR);
  const __m256i a_zero_point = _mm256_set1_epi16((int16_t)shape->a_zero_point);
  const size_t channels = shape->channels;

  for (size_t x = 0; x < shape->out_w; x++, c += channels) {
    for (size_t j = 0; j < channels; j += CR) {
      const size_t count = channels - j < CR ? channels - j : CR;
      __m256i acc0 = _mm256_loadu_si256((const __m256i *)(p.bias + j));
      __m256i acc1 = _mm256_loadu_si256((const __m256i *)(p.bias + j + 8));
      for (size_t r = 0; r < shape->kh; r++) {
        if (rows[r] == NULL) continue;
        for (size_t t = 0; t < shape->kw; t++) {
          /* Left of the input the subtraction wraps to a huge column. */
          const size_t column = x * shape->stride + t * shape->dilation - shape->pad_left;
          if (column >= shape->in_w) continue;
          const __m256i a = _mm256_cvtepi8_epi16(qrt_load_avx2(rows[r] + column * channels + j, count));
          const int8_t *tap = p.w + (r * shape->kw + t) * p.padded + j;
          const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)tap));
          const __m256i product = _mm256_mullo_epi16(_mm256_sub_epi16(a, a_zero_point), w);
          acc0 = _mm256_add_epi32(acc0, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(product)));
          acc1 = _mm256_add_epi32(acc1, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(product, 1)));
        }
      }
      const __m256 multiplier0 = _mm256_loadu_ps(p.multiplier + j), multiplier1 = _mm256_loadu_ps(p.multiplier + j + 8);
      qrt_store_avx2(c + j, qrt_requantize_avx2(acc0, acc1, multiplier0, multiplier1, &range), count);
    }
  }
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  if (slides(shape->kh, shape->kw)) {
    run_sliding(shape, rows, packed, output, c);
  } else {
    run_taps(shape, rows, packed, output, c);
  }
}

void qrt_dwconv_qs8__avx2_c16(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                              const void *packed, const qrt_output_range *output, int8_t *c) {
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
