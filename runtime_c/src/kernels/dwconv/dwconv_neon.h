/* dwconv_neon.h - what the ARM kernels have in common: windows three columns wide and at most three rows high slide
 * along the row, 8 channels at a time, and a column that the next outputs need again stays in registers. Other windows
 * go tap by tap.
 *
 * For a sliding window a block of 8 channels is packed as
 *
 *   int32 bias[8]           bias[j] - a_zero_point * sum w[j]   modulo 2^32: padding counts as zero points
 *   float multiplier[8]
 *   then the weights of three columns
 *
 * The file that includes this has defined
 *
 *   qrt_column, qrt_taps            three rows of a column of 8 channels, and its weights, in registers
 *   qrt_packed_taps                 the weights, packed
 *   qrt_pack_tap(taps, r, j, w)     puts one weight
 *   qrt_column_load(rows, n)        n <= 8 channels of the pixels that begin at rows[0..2]
 *   qrt_column_fill(zero_point)     three rows of padding
 *   qrt_taps_load(packed, present)  without the weights of rows that are not present
 *   qrt_column_add(acc, column, taps)
 */
#ifndef QRT_DWCONV_NEON_H
#define QRT_DWCONV_NEON_H

#include "dwconv_pack.h"

enum { CR = 8, SIDE = 3 };

typedef struct block {
  int32_t bias[CR];
  float multiplier[CR];
  qrt_packed_taps w[SIDE];
} block;

static int slides(size_t kh, size_t kw) {
  return kh <= SIDE && kw == SIDE;
}

static size_t packed_size(size_t channels, size_t kh, size_t kw) {
  return slides(kh, kw) ? (channels + CR - 1) / CR * sizeof(block) : qrt_dwconv_packed_size(channels, kh, kw, CR);
}

static void pack(const qrt_dwconv_weights *weights, void *packed) {
  const size_t channels = weights->channels, kh = weights->kh;
  block *blocks = packed;
  if (!slides(kh, weights->kw)) {
    qrt_dwconv_pack(weights, CR, packed);
    return;
  }
  memset(packed, 0, packed_size(channels, kh, weights->kw));
  for (size_t j = 0; j < channels; j++) {
    block *b = &blocks[j / CR];
    uint32_t sum = 0;
    for (size_t r = 0; r < kh; r++) {
      for (size_t t = 0; t < SIDE; t++) {
        const int8_t w = weights->w[(j * kh + r) * SIDE + t];
        qrt_pack_tap(&b->w[t], r, j % CR, w);
        sum += (uint32_t)w;
      }
    }
    b->bias[j % CR] = (int32_t)((uint32_t)weights->bias[j] - (uint32_t)weights->a_zero_point * sum);
    b->multiplier[j % CR] = weights->multiplier[j];
  }
}

/* ---- sliding windows ---- */

/* An output row and the input rows that it meets. */
typedef struct strip {
  const int8_t *row[SIDE]; /* an absent one has the address of another */
  int present[SIDE];
  size_t size;    /* of a row, 0 when all are absent */
  size_t tap;     /* bytes from one tap to the next */
  size_t advance; /* from one output's first tap to the next one's */
  size_t outputs, channels;
  int8_t zero_point;
  qrt_range_neon range;
} strip;

static inline strip strip_make(const qrt_dwconv_shape *shape, const int8_t *const *rows,
                               const qrt_output_range *output) {
  strip s = {.tap = shape->dilation * shape->channels,
             .advance = shape->stride * shape->channels,
             .outputs = shape->out_w,
             .channels = shape->channels,
             .zero_point = (int8_t)shape->a_zero_point,
             .range = qrt_range_make_neon(output)};
  for (size_t r = 0; r < shape->kh; r++) {
    if (!rows[r]) continue;
    if (!s.size) s.row[0] = s.row[1] = s.row[2] = rows[r];
    s.row[r] = rows[r];
    s.present[r] = 1;
    s.size = shape->in_w * shape->channels;
  }
  return s;
}

/* `count` <= 8 channels at byte `at` of the rows; a position left of them has wrapped to a huge one. */
QRT_INLINE qrt_column column_at(const strip *s, size_t at, size_t count) {
  if (__builtin_expect(at >= s->size, 0)) return qrt_column_fill(s->zero_point);
  const int8_t *const rows[SIDE] = {s->row[0] + at, s->row[1] + at, s->row[2] + at};
  return qrt_column_load(rows, count);
}

/* A block of channels on its way along the row. */
typedef struct slider {
  strip s;
  float32x4_t multiplier[2];
  int32x4_t bias[2];
  qrt_taps w[SIDE];
  qrt_column q[SIDE];
  size_t at; /* of the first tap */
  int8_t *c;
} slider;

/* One output. Columns keep their registers: tap t of output k is in q[(k * fresh + t) % 3]; what is fresh is loaded. */
QRT_INLINE void output_at(size_t k, size_t fresh, size_t count, slider *x) {
  int32x4_t acc[2] = {x->bias[0], x->bias[1]};
#pragma GCC unroll 3
  for (size_t t = 0; t < SIDE; t++) {
    qrt_column *q = &x->q[(k * fresh + t) % SIDE];
    if (t + fresh >= SIDE) *q = column_at(&x->s, x->at + t * x->s.tap, count);
    qrt_column_add(acc, *q, x->w[t]);
  }
  qrt_store_neon(x->c, qrt_requantize_neon(acc[0], acc[1], x->multiplier[0], x->multiplier[1], &x->s.range), count);
  x->at += x->s.advance;
  x->c += x->s.channels;
}

/* The window moves by `fresh` columns, or none of them is needed again. `at`: of the first tap. */
QRT_INLINE void slide(size_t fresh, size_t count, const strip *s, const block *b, size_t at, int8_t *c) {
  const int absent[SIDE] = {!s->present[0], !s->present[1], !s->present[2]};
  slider x = {.s = *s,
              .multiplier = {vld1q_f32(b->multiplier), vld1q_f32(b->multiplier + 4)},
              .bias = {vld1q_s32(b->bias), vld1q_s32(b->bias + 4)},
              .at = at,
              .c = c};
#pragma GCC unroll 3
  for (size_t t = 0; t < SIDE; t++) {
    x.w[t] = qrt_taps_load(&b->w[t], s->present);
    /* Absent rows lose their weights; what the bias expects of their padding goes into it. */
    if (absent[0] | absent[1] | absent[2]) {
      qrt_column_add(x.bias, qrt_column_fill(s->zero_point), qrt_taps_load(&b->w[t], absent));
    }
    if (t >= fresh) x.q[t - fresh] = column_at(s, at + (t - fresh) * s->tap, count);
  }
  for (size_t i = s->outputs;;) {
    output_at(0, fresh, count, &x);
    if (--i == 0) break;
    output_at(1, fresh, count, &x);
    if (--i == 0) break;
    output_at(2, fresh, count, &x);
    if (--i == 0) break;
  }
}

/* Functions of their own, for the sake of registers. */
static __attribute__((noinline)) void slide_1(const strip *s, const block *b, size_t at, int8_t *c) {
  slide(1, CR, s, b, at, c);
}

static __attribute__((noinline)) void slide_2(const strip *s, const block *b, size_t at, int8_t *c) {
  slide(2, CR, s, b, at, c);
}

static __attribute__((noinline)) void slide_3(const strip *s, const block *b, size_t at, int8_t *c) {
  slide(3, CR, s, b, at, c);
}

static __attribute__((noinline)) void slide_rest(size_t count, const strip *s, const block *b, size_t at, int8_t *c) {
  slide(3, count, s, b, at, c);
}

static void run_sliding(const qrt_dwconv_shape *shape, const int8_t *const *rows, const block *blocks,
                        const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels, fresh = shape->dilation == 1 ? shape->stride : SIDE;
  const strip s = strip_make(shape, rows, output);
  for (size_t j = 0; j < channels; j += CR, blocks++) {
    const size_t at = j - shape->pad_left * channels;
    if (channels - j < CR) {
      slide_rest(channels - j, &s, blocks, at, c + j);
    } else if (fresh == 1) {
      slide_1(&s, blocks, at, c + j);
    } else if (fresh == 2) {
      slide_2(&s, blocks, at, c + j);
    } else {
      slide_3(&s, blocks, at, c + j);
    }
  }
}

/* ---- other windows ---- */

static void run_taps(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                     const qrt_output_range *output, int8_t *c) {
  const qrt_dwconv_packed p = qrt_dwconv_unpack(packed, shape->channels, CR);
  const qrt_range_neon range = qrt_range_make_neon(output);
  const int8x8_t a_zero_point = vdup_n_s8((int8_t)shape->a_zero_point);
  const size_t channels = shape->channels;
  for (size_t x = 0; x < shape->out_w; x++, c += channels) {
    for (size_t j = 0; j < channels; j += CR) {
      const size_t count = channels - j < CR ? channels - j : CR;
      int32x4_t acc0 = vld1q_s32(p.bias + j), acc1 = vld1q_s32(p.bias + j + 4);
      for (size_t r = 0; r < shape->kh; r++) {
        if (rows[r] == NULL) continue;
        for (size_t t = 0; t < shape->kw; t++) {
          /* Left of the input the subtraction wraps to a huge column. */
          const size_t column = x * shape->stride + t * shape->dilation - shape->pad_left;
          if (column >= shape->in_w) continue;
          const int16x8_t a = vsubl_s8(qrt_load_neon(rows[r] + column * channels + j, count), a_zero_point);
          const int16x8_t w = vmovl_s8(vld1_s8(p.w + (r * shape->kw + t) * p.padded + j));
          acc0 = vmlal_s16(acc0, vget_low_s16(a), vget_low_s16(w));
          acc1 = vmlal_s16(acc1, vget_high_s16(a), vget_high_s16(w));
        }
      }
      const float32x4_t multiplier0 = vld1q_f32(p.multiplier + j), multiplier1 = vld1q_f32(p.multiplier + j + 4);
      qrt_store_neon(c + j, qrt_requantize_neon(acc0, acc1, multiplier0, multiplier1, &range), count);
    }
  }
}

static void run(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                const qrt_output_range *output, int8_t *c) {
  if (slides(shape->kh, shape->kw)) {
    run_sliding(shape, rows, packed, output, c);
  } else {
    run_taps(shape, rows, packed, output, c);
  }
}

#endif
