/* dwconv_qs8__avxvnni_c16.c - 16 channels of a pixel at a time, four kernel rows at a time, by vpdpbusd on 256 bits.
 *
 * As on 512 bits (dwconv_qs8__avx512vnni_c64.c): four input rows are interleaved, so that each 32-bit lane holds a
 * column of four taps of one channel, with 128 added to the inputs. Windows three columns wide and at most three rows
 * high slide: a column that the next outputs need again stays in registers; weights and columns of 16 channels are
 * twelve of the sixteen. Packed, for every 16 channels
 *
 *   int32 bias[16]          bias[j] - (a_zero_point + 128) * sum w[j]   modulo 2^32: padding counts as zero points
 *   float multiplier[16]
 *   int8 w[ceil(kh / 4)][kw][16][4]
 *
 * in the order that interleaving makes and narrowing undoes.
 */
#include "../../requantize_avx2.h"
#include "dwconv.h"

enum { CR = 16, QUAD = 4, SIDE = 3, READY = 2 };

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

/* ---- packing ---- */

static size_t block_size(size_t kh, size_t kw) {
  return CR * (sizeof(int32_t) + sizeof(float) + (kh + QUAD - 1) / QUAD * QUAD * kw);
}

size_t qrt_dwconv_qs8__avxvnni_c16_packed_size(size_t channels, size_t kh, size_t kw) {
  return (channels + CR - 1) / CR * block_size(kh, kw);
}

void qrt_dwconv_qs8__avxvnni_c16_pack(const qrt_dwconv_weights *weights, void *packed) {
  const size_t kh = weights->kh, kw = weights->kw;
  memset(packed, 0, qrt_dwconv_qs8__avxvnni_c16_packed_size(weights->channels, kh, kw));
  for (size_t j = 0; j < weights->channels; j++) {
    const size_t i = j % CR, slot = i / 4 % 2 * 8 + i / 8 * 4 + i % 4;
    int32_t *bias = (int32_t *)((char *)packed + j / CR * block_size(kh, kw));
    float *multiplier = (float *)(bias + CR);
    int8_t *to = (int8_t *)(multiplier + CR);
    uint32_t sum = 0;
    for (size_t r = 0; r < kh; r++) {
      for (size_t t = 0; t < kw; t++) {
        const int8_t w = weights->w[(j * kh + r) * kw + t];
        to[((r / QUAD * kw + t) * CR + slot) * QUAD + r % QUAD] = w;
        sum += (uint32_t)w;
      }
    }
    bias[slot] = (int32_t)((uint32_t)weights->bias[j] - ((uint32_t)weights->a_zero_point + 128) * sum);
    multiplier[slot] = weights->multiplier[j];
  }
}

/* ---- columns ---- */

/* Up to four input rows. */
typedef struct lines {
  const int8_t *row[QUAD]; /* an absent one has the address of another */
  uint32_t absent;         /* 0xff in the byte of each row that is */
  size_t size;             /* of a row; 0 when all are absent */
  __m256i zero_point;      /* as unsigned bytes */
} lines;

/* Rows `first` to `first` + 3 of the window, as far as it has them. */
static lines lines_make(const qrt_dwconv_shape *shape, const int8_t *const *rows, size_t first) {
  lines l = {.zero_point = _mm256_set1_epi8((int8_t)(shape->a_zero_point ^ -128))};
  for (size_t r = 0; r < QUAD && first + r < shape->kh; r++) {
    if (!rows[first + r]) {
      l.absent |= 0xffu << 8 * r;
      continue;
    }
    if (!l.size) l.row[0] = l.row[1] = l.row[2] = l.row[3] = rows[first + r];
    l.row[r] = rows[first + r];
    l.size = shape->in_w * shape->channels;
  }
  return l;
}

/* `count` channels of one pixel of a row, in 16 bits each. */
INLINE __m256i load(const int8_t *a, size_t count) {
  return _mm256_cvtepu8_epi16(count == CR ? _mm_loadu_si128((const __m128i *)a) : qrt_load_avx2(a, count));
}

/* The pixel at `at` of `rows` rows, four taps to a lane; in the padding (left of the row `at` is huge) zero points. */
INLINE void column(size_t rows, const lines *l, size_t at, size_t count, __m256i q[2]) {
  if (at >= l->size) {
    q[0] = q[1] = l->zero_point;
    return;
  }
  const __m256i sign = _mm256_set1_epi8(-128);
  __m256i row01 = load(l->row[0] + at, count), row23 = load(l->row[2] + at, count);
  row01 = _mm256_or_si256(row01, _mm256_slli_epi16(load(l->row[1] + at, count), 8));
  if (rows > SIDE) row23 = _mm256_or_si256(row23, _mm256_slli_epi16(load(l->row[3] + at, count), 8));
  row01 = _mm256_xor_si256(row01, sign);
  row23 = _mm256_xor_si256(row23, sign);
  q[0] = _mm256_unpacklo_epi16(row01, row23);
  q[1] = _mm256_unpackhi_epi16(row01, row23);
}

/* acc += the sums of four products; see gemm_qs8__avxvnni_6x16.c. */
INLINE void multiply_add(__m256i *acc, __m256i a, __m256i w) {
#ifdef __AVXVNNI__
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*acc) : "x"(a), "x"(w));
#else
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(w));
#endif
}

/* The weights of rows that are absent become zero; what the bias expects of their padding goes into acc. */
INLINE void drop_absent(const lines *l, __m256i w[2], __m256i acc[2]) {
  const __m256i absent = _mm256_set1_epi32((int32_t)l->absent);
#pragma GCC unroll 2
  for (size_t v = 0; v < 2; v++) {
    multiply_add(&acc[v], l->zero_point, _mm256_and_si256(absent, w[v]));
    w[v] = _mm256_andnot_si256(absent, w[v]);
  }
}

/* ---- rows ---- */

/* What one block of channels is to an output row. */
typedef struct strip {
  const __m256i *bias, *w;
  const __m256 *multiplier;
  size_t first;           /* where the first tap lies in a row; in the padding, far beyond its end */
  size_t tap, advance;    /* bytes to the next tap, and to the next output's first */
  size_t outputs, c_step; /* and from one to the next */
  qrt_range_avx2 range;
} strip;

/* Sixteen outputs in the channels' order. */
INLINE void store(const strip *s, const __m256i acc[2], size_t count, int8_t *c) {
  __m256i y[2];
#pragma GCC unroll 2
  for (size_t v = 0; v < 2; v++) {
    const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[v]), s->multiplier[v]);
    y[v] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, s->range.low), s->range.high));
  }
  const __m256i words = _mm256_add_epi16(_mm256_packs_epi32(y[0], y[1]), s->range.zero_point);
  qrt_store_avx2(c, _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)), count);
}

/* Three columns of at most three rows; the window moves by `fresh` columns, or none of them is needed again. */
INLINE void slide(size_t fresh, size_t count, const lines *l, const strip *s, int8_t *restrict c) {
  __m256i q[SIDE][2], w[SIDE][2], bias[2] = {s->bias[0], s->bias[1]};
#pragma GCC unroll 3
  for (size_t t = 0; t < SIDE; t++) {
    w[t][0] = s->w[2 * t];
    w[t][1] = s->w[2 * t + 1];
    if (l->absent) drop_absent(l, w[t], bias);
    if (t >= fresh) column(SIDE, l, s->first + (t - fresh) * s->tap, count, q[t]);
  }
  size_t at = s->first;
  for (size_t i = 0; i < s->outputs; i++, at += s->advance, c += s->c_step) {
    __m256i acc[2] = {bias[0], bias[1]};
#pragma GCC unroll 3
    for (size_t t = 0; t < SIDE; t++) {
      if (t + fresh < SIDE) {
        q[t][0] = q[t + fresh][0];
        q[t][1] = q[t + fresh][1];
      } else {
        column(SIDE, l, at + t * s->tap, count, q[t]);
      }
      multiply_add(&acc[0], q[t][0], w[t][0]);
      multiply_add(&acc[1], q[t][1], w[t][1]);
    }
    store(s, acc, count, c);
  }
}

/* Functions of their own, for the sake of registers. */
static NOINLINE void slide_1(const lines *l, const strip *s, int8_t *c) {
  slide(1, CR, l, s, c);
}

static NOINLINE void slide_2(const lines *l, const strip *s, int8_t *c) {
  slide(2, CR, l, s, c);
}

static NOINLINE void slide_3(const lines *l, const strip *s, int8_t *c) {
  slide(3, CR, l, s, c);
}

static NOINLINE void slide_half(const lines *l, const strip *s, int8_t *c) {
  slide(3, CR / 2, l, s, c);
}

static NOINLINE void slide_rest(const lines *l, const strip *s, size_t count, int8_t *c) {
  slide(3, count, l, s, c);
}

/* Any window. The lines of eight rows are in l; those of more are made again for every pixel. */
static NOINLINE void walk(const qrt_dwconv_shape *shape, const int8_t *const *rows, const lines l[READY],
                          const strip *s, size_t count, int8_t *restrict c) {
  const size_t quads = (shape->kh + QUAD - 1) / QUAD;
  size_t at = s->first;
  for (size_t i = 0; i < s->outputs; i++, at += s->advance, c += s->c_step) {
    const __m256i *weights = s->w;
    __m256i acc[2] = {s->bias[0], s->bias[1]};
    for (size_t g = 0; g < quads; g++) {
      lines more;
      const lines *quad = g < READY ? &l[g] : &more;
      if (g >= READY) more = lines_make(shape, rows, g * QUAD);
      for (size_t t = 0; t < shape->kw; t++, weights += 2) {
        __m256i q[2], w[2] = {weights[0], weights[1]};
        if (quad->absent) drop_absent(quad, w, acc);
        column(QUAD, quad, at + t * s->tap, count, q);
        multiply_add(&acc[0], q[0], w[0]);
        multiply_add(&acc[1], q[1], w[1]);
      }
    }
    store(s, acc, count, c);
  }
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels;
  const lines l[READY] = {lines_make(shape, rows, 0), lines_make(shape, rows, QUAD)};
  strip s = {.first = 0 - shape->pad_left * channels,
             .tap = shape->dilation * channels,
             .advance = shape->stride * channels,
             .outputs = shape->out_w,
             .c_step = channels,
             .range = qrt_range_make_avx2(output)};
  for (size_t j = 0; j < channels; j += CR, s.first += CR) {
    const size_t count = channels - j < CR ? channels - j : CR;
    s.bias = (const __m256i *)((const char *)packed + j / CR * block_size(shape->kh, shape->kw));
    s.multiplier = (const __m256 *)(s.bias + 2);
    s.w = s.bias + 4;
    if (shape->kh > SIDE || shape->kw != SIDE) {
      walk(shape, rows, l, &s, count, c + j);
    } else if (count == CR / 2) {
      slide_half(l, &s, c + j);
    } else if (count < CR) {
      slide_rest(l, &s, count, c + j);
    } else if (shape->dilation == 1 && shape->stride == 1) {
      slide_1(l, &s, c + j);
    } else if (shape->dilation == 1 && shape->stride == 2) {
      slide_2(l, &s, c + j);
    } else {
      slide_3(l, &s, c + j);
    }
  }
}

void qrt_dwconv_qs8__avxvnni_c16(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                                 const void *packed, const qrt_output_range *output, int8_t *c) {
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
