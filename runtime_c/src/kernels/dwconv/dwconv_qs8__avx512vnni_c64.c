/* dwconv_qs8__avx512vnni_c64.c - 64 bytes of the output row at a time, four kernel rows at a time.
 *
 * Four input rows are interleaved, so that each 32-bit lane holds a column of four taps of one channel and vpdpbusd
 * sums it. Windows three columns wide (and at most three rows high) slide: a column that the next outputs need again
 * stays in registers. Others load every column anew. Where 64 is a multiple of the channels and the stride is 1, a
 * vector holds several pixels, else up to 64 channels of one pixel; either way it is 64 bytes of a row, and what of it
 * lies left or right of the row is the zero point. Of 8 and 16 channels with a stride of 2, every pixel is computed and
 * every second one kept: 2 or 4 outputs a vector instead of one.
 *
 * vpdpbusd multiplies unsigned bytes by signed ones, so inputs go in with 128 added. Packed, for every 64 channels
 *
 *   int32 bias[64]          bias[j] - (a_zero_point + 128) * sum w[j]   modulo 2^32: padding counts as zero points
 *   float multiplier[64]
 *   int8 w[ceil(kh / 4)][kw][64][4]
 *
 * in the order that interleaving makes and narrowing undoes. Fewer channels repeat, as pixels do in a vector.
 */
#include <string.h>

#include "../../requantize_avx512.h"
#include "dwconv.h"

enum { CR = 64, QUAD = 4, READY = 2 };

#define INLINE static inline __attribute__((always_inline))

/* ---- packing ---- */

static size_t block_size(size_t kh, size_t kw) {
  return CR * (sizeof(int32_t) + sizeof(float) + (kh + QUAD - 1) / QUAD * QUAD * kw);
}

size_t qrt_dwconv_qs8__avx512vnni_c64_packed_size(size_t channels, size_t kh, size_t kw) {
  return (channels + CR - 1) / CR * block_size(kh, kw);
}

void qrt_dwconv_qs8__avx512vnni_c64_pack(const qrt_dwconv_weights *weights, void *packed) {
  const size_t channels = weights->channels, kh = weights->kh, kw = weights->kw;
  memset(packed, 0, qrt_dwconv_qs8__avx512vnni_c64_packed_size(channels, kh, kw));
  for (size_t i = 0; i < (channels + CR - 1) / CR * CR; i++) {
    const size_t j = CR % channels == 0 ? i % channels : i;
    if (j >= channels) break;
    char *block = (char *)packed + i / CR * block_size(kh, kw);
    const size_t byte = i % CR, slot = byte / 4 % 4 * 16 + byte / 16 * 4 + byte % 4;
    int32_t *bias = (int32_t *)block;
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

/* Up to four input rows, as bytes without regard to pixels. */
typedef struct lines {
  const int8_t *row[QUAD]; /* an absent one has another address that can be read */
  uint32_t absent;         /* 0xff in the byte of each row that is */
  ptrdiff_t size;          /* of a row, 0 when all are absent */
  size_t inside;           /* positions below have 64 bytes of a row before them */
  __m512i zero_point;      /* as unsigned bytes */
} lines;

/* Rows `first` to `first` + 3 of the window, as far as it has them. */
static lines lines_make(const qrt_dwconv_shape *shape, const int8_t *const *rows, size_t first) {
  static const int8_t nothing[CR];
  lines l = {.row = {nothing, nothing, nothing, nothing},
             .zero_point = _mm512_set1_epi8((int8_t)(shape->a_zero_point ^ -128))};
  for (size_t r = 0; r < QUAD && first + r < shape->kh; r++) {
    const int8_t *row = rows[first + r];
    if (!row) {
      l.absent |= 0xffu << 8 * r;
      continue;
    }
    if (!l.size) l.row[0] = l.row[1] = l.row[2] = l.row[3] = row;
    l.row[r] = row;
    l.size = (ptrdiff_t)(shape->in_w * shape->channels);
  }
  l.inside = l.size < CR ? 0 : (size_t)l.size - CR + 1;
  return l;
}

/* Which of 64 bytes from `at` on belong to a row. */
INLINE __mmask64 valid(const lines *l, ptrdiff_t at) {
  const ptrdiff_t left = l->size - at;
  const __mmask64 all = ~(__mmask64)0;
  if (left <= 0 || at <= -CR) return 0;
  return (left < CR ? all >> (CR - left) : all) & (at < 0 ? all << -at : all);
}

/* 64 bytes of `count` rows from `at` on, zero points where rows have none, as 16 columns of four in each of q, in the
 * order of the weights. */
INLINE void column(size_t count, const lines *l, ptrdiff_t at, __m512i q[4]) {
  const __m512i sign = _mm512_set1_epi8(-128);
  __m512i x[QUAD] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
  if ((size_t)at < l->inside) {
#pragma GCC unroll 4
    for (size_t r = 0; r < count; r++) x[r] = _mm512_xor_si512(_mm512_loadu_si512(l->row[r] + at), sign);
  } else {
    const __mmask64 mask = valid(l, at);
    if (!mask) at = 0; /* the CPU skips what a mask excludes, but slowly where there is no memory */
#pragma GCC unroll 4
    for (size_t r = 0; r < count; r++) {
      const __m512i loaded = _mm512_maskz_loadu_epi8(mask, l->row[r] + at);
      x[r] = _mm512_mask_blend_epi8(mask, l->zero_point, _mm512_xor_si512(loaded, sign));
    }
  }
  const __m512i low01 = _mm512_unpacklo_epi8(x[0], x[1]), high01 = _mm512_unpackhi_epi8(x[0], x[1]);
  const __m512i low23 = _mm512_unpacklo_epi8(x[2], x[3]), high23 = _mm512_unpackhi_epi8(x[2], x[3]);
  q[0] = _mm512_unpacklo_epi16(low01, low23);
  q[1] = _mm512_unpackhi_epi16(low01, low23);
  q[2] = _mm512_unpacklo_epi16(high01, high23);
  q[3] = _mm512_unpackhi_epi16(high01, high23);
}

/* acc += the sums of four products. As an intrinsic, gcc copies and spills the accumulators. */
INLINE void multiply_add(__m512i *acc, __m512i a, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(w));
}

/* The weights of rows that are absent become zero; what the bias expects of their padding goes into acc. */
INLINE void drop_absent(const lines *l, __m512i w[4], __m512i acc[4]) {
  const __m512i absent = _mm512_set1_epi32((int32_t)l->absent);
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) {
    multiply_add(&acc[v], l->zero_point, _mm512_and_si512(absent, w[v]));
    w[v] = _mm512_andnot_si512(absent, w[v]);
  }
}

/* ---- rows ---- */

/* What one block of channels is to an output row. */
typedef struct block {
  const __m512i *bias;
  const __m512 *multiplier;
  const __m512i *w;
  ptrdiff_t first;           /* where the first tap of the first vector lies in a row; negative in the padding */
  ptrdiff_t tap, advance;    /* bytes to the next tap, and to the next vector's first */
  size_t vectors, c_step;    /* of the output, and from one to the next */
  __mmask8 keep;             /* which eight bytes of a vector are outputs; 0: all, or as mask says */
  __mmask64 mask, last_mask; /* which bytes of a vector are outputs, and of the last vector */
  qrt_range_avx512 range;
} block;

INLINE void store(const block *b, size_t i, const __m512i acc[4], int8_t *c) {
  __m512i bytes = qrt_requantize4_avx512(acc, b->multiplier, &b->range);
  if (b->keep) bytes = _mm512_maskz_compress_epi64(b->keep, bytes);
  _mm512_mask_storeu_epi8(c + i * b->c_step, i + 1 < b->vectors ? b->mask : b->last_mask, bytes);
}

/* Three columns of at most three rows; the window moves by `fresh` columns, or none of them is needed again. */
INLINE void slide(size_t fresh, const lines *l, const block *b, int8_t *restrict c) {
  __m512i q[3][4], w[3][4], bias[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < 4; v++) bias[v] = b->bias[v];
#pragma GCC unroll 3
  for (size_t t = 0; t < 3; t++) {
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) w[t][v] = b->w[4 * t + v];
    if (l->absent) drop_absent(l, w[t], bias);
    if (t >= fresh) column(3, l, b->first + (ptrdiff_t)(t - fresh) * b->tap, q[t]);
  }
  ptrdiff_t at = b->first;
  for (size_t i = 0; i < b->vectors; i++, at += b->advance) {
    __m512i acc[4];
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) acc[v] = bias[v];
#pragma GCC unroll 3
    for (size_t t = 0; t < 3; t++) {
      if (t + fresh < 3) {
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++) q[t][v] = q[t + fresh][v];
      } else {
        column(3, l, at + (ptrdiff_t)t * b->tap, q[t]);
      }
#pragma GCC unroll 4
      for (size_t v = 0; v < 4; v++) multiply_add(&acc[v], q[t][v], w[t][v]);
    }
    store(b, i, acc, c);
  }
}

static void slide_1(const lines *l, const block *b, int8_t *c) {
  slide(1, l, b, c);
}

static void slide_2(const lines *l, const block *b, int8_t *c) {
  slide(2, l, b, c);
}

static void slide_3(const lines *l, const block *b, int8_t *c) {
  slide(3, l, b, c);
}

/* Any window. The lines of eight rows are in l; those of more are made again for every vector. */
static void walk(const qrt_dwconv_shape *shape, const int8_t *const *rows, const lines l[READY], const block *b,
                 int8_t *restrict c) {
  const size_t quads = (shape->kh + QUAD - 1) / QUAD;
  ptrdiff_t at = b->first;
  for (size_t i = 0; i < b->vectors; i++, at += b->advance) {
    const __m512i *weights = b->w;
    __m512i acc[4] = {b->bias[0], b->bias[1], b->bias[2], b->bias[3]};
    for (size_t g = 0; g < quads; g++) {
      lines more;
      const lines *quad = g < READY ? &l[g] : &more;
      if (g >= READY) more = lines_make(shape, rows, g * QUAD);
      for (size_t t = 0; t < shape->kw; t++, weights += 4) {
        __m512i q[4], w[4] = {weights[0], weights[1], weights[2], weights[3]};
        if (quad->absent) drop_absent(quad, w, acc);
        column(QUAD, quad, at + (ptrdiff_t)t * b->tap, q);
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++) multiply_add(&acc[v], q[v], w[v]);
      }
    }
    store(b, i, acc, c);
  }
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels, step = shape->stride;
  const int halves = step == 2 && (channels == 8 || channels == 16);
  const size_t pixels = CR % channels == 0 && (step == 1 || halves) ? CR / channels : 1; /* in a vector */
  const size_t outputs = halves ? pixels / 2 : pixels;
  const size_t fresh = shape->dilation == 1 ? outputs * step : 3; /* columns, while they slide */
  const lines l[READY] = {lines_make(shape, rows, 0), lines_make(shape, rows, QUAD)};
  block b = {.tap = (ptrdiff_t)(shape->dilation * channels),
             .advance = (ptrdiff_t)(outputs * step * channels),
             .vectors = (shape->out_w + outputs - 1) / outputs,
             .c_step = outputs * channels,
             .keep = !halves         ? 0
                     : channels == 8 ? 0x55
                                     : 0x33,
             .range = qrt_range_make_avx512(output, 0)};
  for (size_t j = 0; j < channels; j += CR) {
    b.bias = (const __m512i *)((const char *)packed + j / CR * block_size(shape->kh, shape->kw));
    b.multiplier = (const __m512 *)(b.bias + 4);
    b.w = b.bias + 8;
    b.range.safe = qrt_below_one_avx512(4, b.multiplier);
    b.first = (ptrdiff_t)j - (ptrdiff_t)(shape->pad_left * channels);
    const size_t bytes = outputs > 1 ? outputs * channels : channels - j > CR ? CR : channels - j;
    const size_t last_bytes = outputs > 1 ? (shape->out_w - (b.vectors - 1) * outputs) * channels : bytes;
    b.mask = ~(__mmask64)0 >> (CR - bytes);
    b.last_mask = ~(__mmask64)0 >> (CR - last_bytes);
    if (shape->kh > 3 || shape->kw != 3) {
      walk(shape, rows, l, &b, c + j);
    } else if (fresh == 1) {
      slide_1(l, &b, c + j);
    } else if (fresh == 2) {
      slide_2(l, &b, c + j);
    } else {
      slide_3(l, &b, c + j);
    }
  }
}

void qrt_dwconv_qs8__avx512vnni_c64(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                                    const void *packed, const qrt_output_range *output, int8_t *c) {
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
