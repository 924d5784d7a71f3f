/* dwconv_neon.h - what the ARM kernels have in common: windows three columns wide and at most three rows high slide
 * along the row, 16 or 8 channels at a time, and a column that the next outputs need again stays in registers. Weights
 * stay there from line to line. Other windows go tap by tap.
 *
 * For sliding windows the packed form is blocks of 16 channels and, where 8 or fewer are left, of 8; on 32-bit ARM all
 * are of 8. The last block covers the last channels, even if some of them are in the block before it too; blocks past
 * the channels exist only where there are fewer than 8.
 *
 *   int32 safe, bounded, 0, 0    see below
 *   int32 bias[width]            bias[j] - a_zero_point * sum w[j]   modulo 2^32: padding counts as zero points
 *   float multiplier[width]
 *   int8 w[width * QRT_TAPS]     in the kernel's order
 *
 * safe: the kernel's sums hold whatever the input. bounded: |acc| < 2^23 and f32(acc) * multiplier is small whatever
 * the input, so that x + 1.5 * 2^23 has rne(x) in its low half, and adding an even zero point to the constant adds it
 * to that.
 *
 * The file that includes this has defined
 *
 *   qrt_column, qrt_taps            three rows of a column, and a block's numbers, in registers
 *   QRT_TAPS                        bytes of packed weights per channel
 *   qrt_pack_tap(w, width, r, t, j) where the weight of row r, column t, channel j of a block lies
 *   qrt_is_safe(w, width)
 *   qrt_column_half(half, rows, column)  makes a column of three rows, 8 channels at a time, the lower ones first
 *   qrt_taps_load(width, block, at)  of `width` channels of a packed block, from `at` on
 *   qrt_sums(careful, half, taps, columns, acc)   the sums of 8 channels; careful ones hold even if they are not safe
 *   qrt_multipliers(half, taps, m)  those of 8 channels
 *   QRT_RELU                        1: dwconv_relu_neondot.h is for outputs with ReLU
 */
#ifndef QRT_DWCONV_NEON_H
#define QRT_DWCONV_NEON_H

#include "dwconv_windows_neon.h"

enum { SIDE = 3, HALF = 8, HEADER = 16 };

#if defined(__aarch64__) && !QRT_RELU
#define QRT_BEGINS 1
#else
#define QRT_BEGINS 0
#endif

/* ---- packing ---- */

static int slides(size_t kh, size_t kw) {
  return kh <= SIDE && kw == SIDE;
}

/* The block of channels from j on: how many, from which one. */
typedef struct span {
  size_t width, first;
} span;

static span span_at(size_t channels, size_t j) {
  const size_t left = channels - j;
  const size_t width = left > HALF && channels >= WIDTH ? WIDTH : HALF;
  const span s = {width, left < width && channels >= width ? channels - width : j};
  return s;
}

static size_t block_size(size_t width) {
  return (HEADER + width * (sizeof(int32_t) + sizeof(float) + QRT_TAPS) + 15) / 16 * 16;
}

static size_t packed_size(size_t channels, size_t kh, size_t kw) {
  size_t size = 0;
  if (!slides(kh, kw)) return windows_size(channels, kh, kw);
  for (size_t j = 0, width; j < channels; j += width) {
    width = span_at(channels, j).width;
    size += block_size(width);
  }
  return size;
}

static qrt_packed_block unpack(const char *packed, size_t width) {
  const int32_t *bias = (const int32_t *)(packed + HEADER);
  const float *multiplier = (const float *)(bias + width);
  const qrt_packed_block b = {width, bias, multiplier, (const int8_t *)(multiplier + width)};
  return b;
}

/* The block's channel i is channel j. */
static void pack_channel(const qrt_dwconv_weights *weights, size_t width, size_t i, size_t j, char *to) {
  int32_t *bias = (int32_t *)(to + HEADER);
  float *multiplier = (float *)(bias + width);
  uint32_t sum = 0;
  for (size_t r = 0; r < weights->kh; r++) {
    for (size_t t = 0; t < SIDE; t++) {
      const int8_t w = weights->w[(j * weights->kh + r) * SIDE + t];
      *qrt_pack_tap((int8_t *)(multiplier + width), width, r, t, i) = w;
      sum += (uint32_t)w;
    }
  }
  bias[i] = (int32_t)((uint32_t)weights->bias[j] - (uint32_t)weights->a_zero_point * sum);
  multiplier[i] = weights->multiplier[j];
}

static int is_bounded(const qrt_packed_block *b) {
  int bounded = 1;
  for (size_t i = 0; i < b->width; i++) {
    int64_t low = b->bias[i], high = b->bias[i];
    for (size_t tap = 0; tap < SIDE * SIDE; tap++) {
      const int w = *qrt_pack_tap((int8_t *)b->w, b->width, tap / SIDE, tap % SIDE, i);
      low += w < 0 ? 127 * w : -128 * w;
      high += w < 0 ? -128 * w : 127 * w;
    }
    const int64_t most = -low > high ? -low : high;
    bounded &= most < (1 << 23) && qrt_is_small(most, b->multiplier[i]);
  }
  return bounded;
}

static void pack(const qrt_dwconv_weights *weights, void *packed) {
  const size_t channels = weights->channels;
  if (!slides(weights->kh, weights->kw)) {
    windows_pack(weights, packed);
    return;
  }
  memset(packed, 0, packed_size(channels, weights->kh, weights->kw));
  char *to = packed;
  for (size_t j = 0; j < channels;) {
    const span s = span_at(channels, j);
    for (size_t i = 0; i < s.width && s.first + i < channels; i++) {
      pack_channel(weights, s.width, i, s.first + i, to);
    }
    const qrt_packed_block b = unpack(to, s.width);
    ((int32_t *)to)[0] = qrt_is_safe(b.w, s.width);
    ((int32_t *)to)[1] = is_bounded(&b);
    to += block_size(s.width);
    j += s.width;
  }
}

static int usable(const char *packed, size_t channels, size_t kh, size_t kw) {
  if (!slides(kh, kw)) return windows_usable(packed, channels, kh * kw);
  for (size_t j = 0, width; j < channels; j += width, packed += block_size(width)) {
    width = span_at(channels, j).width;
    const qrt_packed_block b = unpack(packed, width);
    const int32_t *flags = (const int32_t *)packed;
    if (flags[0] != qrt_is_safe(b.w, width) || flags[1] != is_bounded(&b)) return 0;
  }
  return 1;
}

/* ---- sliding windows ---- */

/* Lines of the output, and what is the same for all blocks of their channels. */
typedef struct lines {
  const qrt_dwconv_shape *shape;
  size_t count;
  const int8_t *const *rows;
  int8_t *c;
  int finish;         /* of bounded outputs */
  int32_t zero_point; /* of the output */
  int8_t padding[64]; /* zero points */
  qrt_range_neon range;
} lines;

/* A block of channels on its way along a line. */
typedef struct slider {
  qrt_taps taps;
  qrt_column q[SIDE];
  const int8_t *p[SIDE]; /* the next column */
  size_t step[SIDE];     /* 0 in padding */
  size_t left;           /* columns of the input */
  int8_t *c;
  size_t c_step;
  qrt_finish finish;
  const float *begin; /* of products */
} slider;

/* A new column, or padding. */
QRT_INLINE void take_rows(size_t width, slider *s, qrt_bytes rows[SIDE]) {
#pragma GCC unroll 3
  for (size_t r = 0; r < SIDE; r++) rows[r] = bytes_take(width, &s->p[r], s->step[r]);
}

QRT_INLINE void pad_rows(const lines *l, qrt_bytes rows[SIDE]) {
  rows[0] = rows[1] = rows[2] = bytes_fill(l->padding[0]);
}

QRT_INLINE qrt_column column_of(size_t width, const qrt_bytes rows[SIDE]) {
  qrt_column column;
#pragma GCC unroll 2
  for (size_t half = 0; half < width / HALF; half++) qrt_column_half(half, rows, &column);
  return column;
}

/* The outputs of 8 channels, as floats; if from `begin` on, sums are the bits of 2^23 + acc, see slide(). */
QRT_INLINE void products(int careful, size_t half, const qrt_taps *taps, const float *begin, qrt_column q0,
                         qrt_column q1, qrt_column q2, float32x4_t x[2]) {
  int32x4_t acc[2];
  float32x4_t multiplier[2];
  qrt_sums(careful, half, taps, q0, q1, q2, acc);
  qrt_multipliers(half, taps, multiplier);
#if QRT_BEGINS
  if (begin) {
    multiply_from(begin + HALF * half, acc, multiplier, x);
    return;
  }
#endif
  (void)begin;
#pragma GCC unroll 2
  for (size_t i = 0; i < 2; i++) x[i] = vmulq_f32(vcvtq_f32_s32(acc[i]), multiplier[i]);
}

/* One output. Columns keep their registers: tap t of output k is in q[(k * fresh + t) % 3]; what is fresh is loaded,
 * and lies in the input unless the line `ends`. */
QRT_INLINE void output_at(int finish, int ends, size_t width, size_t k, size_t fresh, const lines *l, slider *s) {
  const size_t first = k * fresh % SIDE, second = (first + 1) % SIDE, third = (first + 2) % SIDE;
  qrt_bytes rows[2][SIDE]; /* of the second column, if fresh, and of the third */
#pragma GCC unroll 2
  for (size_t i = 2 - fresh; i < 2; i++) {
    if (ends && s->left == 0) {
      pad_rows(l, rows[i]);
    } else {
      take_rows(width, s, rows[i]);
      if (ends) s->left--;
    }
  }
  float32x4_t x[4];
  int16x8_t y[2];
#pragma GCC unroll 2
  for (size_t half = 0; half < width / HALF; half++) {
    if (fresh == 2) qrt_column_half(half, rows[0], &s->q[second]);
    qrt_column_half(half, rows[1], &s->q[third]);
    products(0, half, &s->taps, finish == RELU ? s->begin : NULL, s->q[first], s->q[second], s->q[third], x + 2 * half);
    if (finish != ANY) y[half] = finish8(finish, x[2 * half], x[2 * half + 1], &s->finish);
  }
  bytes_put(width, finish == ANY ? bytes_round(width, x, &l->range) : finish_bytes(finish, width, y, &s->finish), &s->c,
            s->c_step);
}

/* `midst`, a multiple of 3, outputs, and `end` more. */
QRT_INLINE void slide_line(int finish, size_t width, size_t fresh, const lines *l, size_t midst, size_t end,
                           slider *s) {
  for (; finish != ANY && midst > 0; midst -= SIDE) {
#pragma GCC unroll 3
    for (size_t k = 0; k < SIDE; k++) output_at(finish, 0, width, k, fresh, l, s);
  }
  while (end > 0) {
#pragma GCC unroll 3
    for (size_t k = 0; k < SIDE; k++) {
      output_at(finish, 1, width, k, fresh, l, s);
      if (--end == 0) break;
    }
  }
}

/* The window moves by `fresh` columns, and no fresh one is left of the input. */
QRT_INLINE void slide(int finish, size_t width, size_t fresh, const lines *l, size_t first, const char *packed) {
  const qrt_dwconv_shape *shape = l->shape;
  const size_t channels = shape->channels, old = SIDE - fresh, pad = shape->pad_left, in_w = shape->in_w;
  const size_t ahead = old - pad < in_w ? in_w - (old - pad) : 0; /* columns right of the first `old` */
  const size_t inside = ahead / fresh < shape->out_w ? ahead / fresh : shape->out_w;
  const size_t midst = finish == ANY ? 0 : inside / SIDE * SIDE, end = shape->out_w - midst;
  const int8_t *const *rows = l->rows;
  const qrt_packed_block b = unpack(packed, width);
  slider s = {.taps = qrt_taps_load(width, &b, 0), .c_step = channels, .finish = finish_make(finish, l->zero_point)};
  int8_t *c = l->c + first;
  const size_t last = shape->kh - 1, used[SIDE] = {0, last < 1 ? last : 1, last}; /* weights of rows past it are 0 */
#if QRT_BEGINS
  /* Sums as floats without a conversion: dwconv_relu_neondot.h says why. */
  float32x4_t begin[WIDTH / 4];
  if (finish == RELU) {
#pragma GCC unroll 4
    for (size_t i = 0; i < width / 4; i++) {
      s.taps.bias[i] = vaddq_s32(s.taps.bias[i], vdupq_n_s32(0x4b000000));
      begin[i] = vmulq_n_f32(s.taps.multiplier[i], -0x1p23f);
    }
  }
  s.begin = (const float *)begin;
#endif
  MEMORY_MEETS;
  for (size_t i = l->count; i > 0; i--, rows += shape->kh, c += shape->out_w * channels) {
#pragma GCC unroll 3
    for (size_t r = 0; r < SIDE; r++) {
      const int8_t *row = rows[used[r]];
      s.p[r] = row ? row + first : l->padding;
      s.step[r] = row ? channels : 0;
    }
#pragma GCC unroll 2
    for (size_t t = 0; t < old; t++) {
      qrt_bytes bytes[SIDE];
      if (t - pad < in_w) {
        take_rows(width, &s, bytes);
      } else {
        pad_rows(l, bytes);
      }
      s.q[t] = column_of(width, bytes);
    }
    s.left = ahead - midst * fresh;
    s.c = c;
    slide_line(finish, width, fresh, l, midst, end, &s);
  }
  MEMORY_MEETS;
}

/* Functions of their own, for the sake of registers. */
#define SLIDE(finish, width, fresh)                                                                      \
  static __attribute__((noinline)) void slide_##width##_##fresh##_##finish(const lines *l, size_t first, \
                                                                           const char *packed) {         \
    slide(finish, width, fresh, l, first, packed);                                                       \
  }
#if QRT_RELU /* What is left: outputs without ReLU, single lines; of 8 channels few. */
SLIDE(ANY, 8, 1)
SLIDE(ANY, 8, 2)
SLIDE(ANY, 16, 1)
SLIDE(ANY, 16, 2)
SLIDE(WHOLE, 16, 1)
SLIDE(WHOLE, 16, 2)
#define SLIDE_NAMES(width, fresh, whole) \
  {slide_##width##_##fresh##_ANY, slide_##width##_##fresh##_##whole, slide_##width##_##fresh##_ANY}
#else
#define SLIDES(width, fresh) SLIDE(ANY, width, fresh) SLIDE(WHOLE, width, fresh) SLIDE(RELU, width, fresh)
#define SLIDE_NAMES(width, fresh, whole) \
  {slide_##width##_##fresh##_ANY, slide_##width##_##fresh##_WHOLE, slide_##width##_##fresh##_RELU}
SLIDES(8, 1)
SLIDES(8, 2)
#if defined(__aarch64__)
SLIDES(16, 1)
SLIDES(16, 2)
#endif
#endif

/* By width / 16, fresh - 1, and finish. */
static void (*const slide_functions[][2][3])(const lines *l, size_t first, const char *packed) = {
    {SLIDE_NAMES(8, 1, ANY), SLIDE_NAMES(8, 2, ANY)},
#if defined(__aarch64__)
    {SLIDE_NAMES(16, 1, WHOLE), SLIDE_NAMES(16, 2, WHOLE)},
#endif
};

/* ---- windows that share no columns ---- */

/* Any stride, dilation and padding. */
QRT_INLINE void jump(size_t width, const lines *l, size_t first, const char *packed) {
  const qrt_dwconv_shape *shape = l->shape;
  const size_t channels = shape->channels, size = shape->in_w * channels;
  const size_t tap = shape->dilation * channels, advance = shape->stride * channels;
  const size_t last = shape->kh - 1, used[SIDE] = {0, last < 1 ? last : 1, last};
  const qrt_packed_block b = unpack(packed, width);
  const qrt_taps taps = qrt_taps_load(width, &b, 0);
  const int8_t *const *rows = l->rows;
  int8_t *c = l->c + first;
  for (size_t i = l->count; i > 0; i--, rows += shape->kh) {
    const int8_t *p[SIDE];
    size_t mask[SIDE]; /* 0 in padding */
#pragma GCC unroll 3
    for (size_t r = 0; r < SIDE; r++) {
      const int8_t *row = rows[used[r]];
      p[r] = row ? row + first : l->padding;
      mask[r] = row ? SIZE_MAX : 0;
    }
    size_t at = 0 - shape->pad_left * channels; /* left of the input it has wrapped to a huge position */
    for (size_t x = shape->out_w; x > 0; x--, at += advance, c += channels) {
      qrt_column q[SIDE];
      float32x4_t y[4];
#pragma GCC unroll 3
      for (size_t t = 0; t < SIDE; t++) {
        qrt_bytes bytes[SIDE];
        if (at + t * tap < size) {
#pragma GCC unroll 3
          for (size_t r = 0; r < SIDE; r++) bytes[r] = bytes_load(width, p[r] + ((at + t * tap) & mask[r]));
        } else {
          pad_rows(l, bytes);
        }
        q[t] = column_of(width, bytes);
      }
#pragma GCC unroll 2
      for (size_t half = 0; half < width / HALF; half++) products(0, half, &taps, NULL, q[0], q[1], q[2], y + 2 * half);
      bytes_store(width, bytes_round(width, y, &l->range), c);
    }
  }
}

static __attribute__((noinline)) void jump_8(const lines *l, size_t first, const char *packed) {
  jump(8, l, first, packed);
}

#if defined(__aarch64__)
static __attribute__((noinline)) void jump_16(const lines *l, size_t first, const char *packed) {
  jump(16, l, first, packed);
}
#endif

static void (*const jump_functions[])(const lines *l, size_t first, const char *packed) = {
    jump_8,
#if defined(__aarch64__)
    jump_16,
#endif
};

/* Any weights, too, and `count` <= 8 channels. */
static __attribute__((noinline)) void step_along(const lines *l, size_t first, size_t count, const qrt_taps *taps) {
  const qrt_dwconv_shape *shape = l->shape;
  const size_t channels = shape->channels;
  const int8_t *const *rows = l->rows;
  int8_t *c = l->c + first;
  for (size_t i = l->count; i > 0; i--, rows += shape->kh) {
    for (size_t x = 0; x < shape->out_w; x++, c += channels) {
      qrt_column q[SIDE];
#pragma GCC unroll 3
      for (size_t t = 0; t < SIDE; t++) {
        /* Left of the input the subtraction wraps to a huge column. */
        const size_t column = x * shape->stride + t * shape->dilation - shape->pad_left;
        qrt_bytes bytes[SIDE];
#pragma GCC unroll 3
        for (size_t r = 0; r < SIDE; r++) {
          const int8_t *row = r < shape->kh && column < shape->in_w ? rows[r] : NULL;
          bytes[r] = bytes_load_some(row ? row + column * channels + first : l->padding, count);
        }
        q[t] = column_of(HALF, bytes);
      }
      float32x4_t y[2];
      products(1, 0, taps, NULL, q[0], q[1], q[2], y);
      qrt_store_neon(c, qrt_round_clamp_neon(y[0], y[1], &l->range), count);
    }
  }
}

#if QRT_RELU
#include "dwconv_relu_neondot.h"
#endif

static int finish_of(const qrt_output_range *output) {
  if (output->max != 127) return ANY;
  return output->min == -128 && output->zero_point % 2 == 0 ? WHOLE : output->min == output->zero_point ? RELU : ANY;
}

static lines lines_make(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                        const qrt_output_range *output, int8_t *c) {
  lines l = {.shape = shape,
             .count = count,
             .rows = rows,
             .c = c,
             .finish = finish_of(output),
             .zero_point = output->zero_point,
             .range = qrt_range_make_neon(output)};
  memset(l.padding, shape->a_zero_point, sizeof l.padding);
  return l;
}

static void run_sliding(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const char *packed,
                        const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels, fresh = shape->stride;
  const int regular = shape->dilation == 1 && fresh < SIDE && shape->pad_left <= SIDE - fresh;
  const lines l = lines_make(shape, count, rows, output, c);
#if QRT_RELU
  relu r;
  const int quick = regular && relu_make(&r, &l, output);
#endif
  for (size_t j = 0; j < channels;) {
    const span s = span_at(channels, j);
    const int bounded = ((const int32_t *)packed)[1];
    if (channels < HALF || !*(const int32_t *)packed) {
      const qrt_packed_block b = unpack(packed, s.width);
      for (size_t i = 0; i < s.width; i += HALF) {
        const qrt_taps taps = qrt_taps_load(HALF, &b, i);
        step_along(&l, s.first + i, channels < HALF ? channels : HALF, &taps);
      }
#if QRT_RELU
    } else if (quick && bounded) {
      const qrt_packed_block b = unpack(packed, s.width);
      for (size_t i = 0; i < s.width; i += HALF) slide_relu(&r, s.first + i, &b, i);
#endif
    } else if (regular) {
      slide_functions[s.width / 16][fresh - 1][bounded ? l.finish : ANY](&l, s.first, packed);
    } else {
      jump_functions[s.width / 16](&l, s.first, packed);
    }
    packed += block_size(s.width);
    j += s.width;
  }
}

static void run(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const void *packed,
                const qrt_output_range *output, int8_t *c) {
  if (slides(shape->kh, shape->kw)) {
    run_sliding(shape, count, rows, packed, output, c);
    return;
  }
  windows_run(shape, count, rows, packed, output, c);
}

#endif
