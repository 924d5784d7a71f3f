/* dwconv_windows_neon.h - windows that do not slide: for each output, or four side by side, the products of all taps,
 * two and two, of 16 channels at a time or 8. For one output after the other a list says where taps meet the input, and
 * which do not.
 *
 *   int32 safe, 0, 0, 0          no channel has two weights of -128
 *   int32 bias[padded]           channels rounded up to 8; as in dwconv_neon.h
 *   float multiplier[padded]
 *   int8 w[kh * kw + 1][padded]  the last ones zero
 */
#ifndef QRT_DWCONV_WINDOWS_NEON_H
#define QRT_DWCONV_WINDOWS_NEON_H

#include "dwconv_bytes_neon.h"
#include "dwconv_pack.h"

enum { MOST_TAPS = 64, TOGETHER = 4, WINDOWS_HEADER = 16 };

static size_t windows_size(size_t channels, size_t kh, size_t kw) {
  return WINDOWS_HEADER + qrt_dwconv_packed_size(channels, kh, kw, 8) + qrt_dwconv_padded(channels, 8);
}

static int windows_safe(const void *packed, size_t channels, size_t taps) {
  const qrt_dwconv_packed p = qrt_dwconv_unpack((const char *)packed + WINDOWS_HEADER, channels, 8);
  for (size_t j = 0; j < channels; j++) {
    size_t lowest = 0;
    for (size_t tap = 0; tap < taps; tap++) lowest += p.w[tap * p.padded + j] == -128;
    if (lowest > 1) return 0;
  }
  return 1;
}

static int windows_usable(const void *packed, size_t channels, size_t taps) {
  return *(const int32_t *)packed == windows_safe(packed, channels, taps);
}

static void windows_pack(const qrt_dwconv_weights *weights, void *packed) {
  const size_t channels = weights->channels, taps = weights->kh * weights->kw;
  memset(packed, 0, windows_size(channels, weights->kh, weights->kw));
  int32_t *bias = (int32_t *)((char *)packed + WINDOWS_HEADER);
  qrt_dwconv_pack(weights, 8, bias);
  for (size_t j = 0; j < channels; j++) {
    uint32_t sum = 0;
    for (size_t tap = 0; tap < taps; tap++) sum += (uint32_t)weights->w[j * taps + tap];
    bias[j] = (int32_t)((uint32_t)bias[j] - (uint32_t)weights->a_zero_point * sum);
  }
  *(int32_t *)packed = windows_safe(packed, channels, taps);
}

/* What an output meets, an even number of taps each: one of no weight may come twice. */
typedef struct window {
  size_t met, missed;
  const int8_t *a[MOST_TAPS + 2]; /* of the taps that are met: the pixels, */
  const int8_t *w[MOST_TAPS + 2]; /* their weights, and from the end on those of the others */
} window;

static void find_taps(const qrt_dwconv_shape *shape, const int8_t *const *rows, const qrt_dwconv_packed *p, size_t x,
                      window *found) {
  const size_t taps = shape->kh * shape->kw;
  const int8_t *w = p->w;
  size_t met = 0, missed = 0;
  for (size_t r = 0; r < shape->kh; r++) {
    /* Left of the input the subtraction wraps to a huge column. */
    size_t column = x * shape->stride - shape->pad_left;
    for (size_t t = 0; t < shape->kw; t++, column += shape->dilation, w += p->padded) {
      if (rows[r] && column < shape->in_w) {
        found->a[met] = rows[r] + column * shape->channels;
        found->w[met++] = w;
      } else {
        found->w[MOST_TAPS + 1 - missed++] = w;
      }
    }
  }
  if (met % 2) {
    found->a[met] = found->a[met - 1];
    found->w[met++] = p->w + taps * p->padded;
  }
  if (missed % 2) found->w[MOST_TAPS + 1 - missed++] = p->w + taps * p->padded;
  found->met = met;
  found->missed = missed;
}

/* Outputs, `advance` bytes apart in the input. */
typedef struct windows {
  const qrt_dwconv_packed *packed;
  const window *found;
  size_t advance, channels;
  int8_t zero_point; /* of the input */
  const qrt_range_neon *range;
} windows;

/* `width` channels from j on, of `outputs`, whose taps are `at` bytes right of those of the list. */
QRT_INLINE void windows_at(size_t width, size_t outputs, const windows *v, size_t j, size_t at, int8_t *c) {
  const window *found = v->found;
  int32x4_t acc[TOGETHER][WIDTH / 4], bias[WIDTH / 4];
  float32x4_t multiplier[WIDTH / 4];
  size_t from[TOGETHER];
#pragma GCC unroll 4
  for (size_t i = 0; i < width / 4; i++) bias[i] = vld1q_s32(v->packed->bias + j + 4 * i);
  for (size_t i = 0; i < found->missed; i += 2) {
    const qrt_bytes x = bytes_fill(v->zero_point);
    const qrt_bytes w0 = bytes_load(width, found->w[MOST_TAPS + 1 - i] + j);
    const qrt_bytes w1 = bytes_load(width, found->w[MOST_TAPS - i] + j);
#pragma GCC unroll 2
    for (size_t half = 0; half < width / 8; half++) {
      const int16x8_t p = multiply_pair(half, x, w0, x, w1);
      bias[2 * half] = add_low(bias[2 * half], p);
      bias[2 * half + 1] = add_high(bias[2 * half + 1], p);
    }
  }
#pragma GCC unroll 4
  for (size_t n = 0; n < outputs; n++) {
    from[n] = at + j + n * v->advance;
#pragma GCC unroll 4
    for (size_t i = 0; i < width / 4; i++) acc[n][i] = bias[i];
  }
  for (size_t i = 0; i < found->met; i += 2) {
    const int8_t *const a0 = found->a[i], *const a1 = found->a[i + 1];
    const qrt_bytes w[2] = {bytes_load(width, found->w[i] + j), bytes_load(width, found->w[i + 1] + j)};
    qrt_bytes x[TOGETHER][2];
#pragma GCC unroll 2
    for (size_t n = 0; n < outputs; n += 2) {
      const size_t next = n + 1 < outputs ? n + 1 : n;
      x[n][0] = bytes_load(width, a0 + from[n]), x[n][1] = bytes_load(width, a1 + from[n]);
      if (next > n) x[next][0] = bytes_load(width, a0 + from[next]), x[next][1] = bytes_load(width, a1 + from[next]);
#pragma GCC unroll 2
      for (size_t half = 0; half < width / 8; half++) {
        int16x8_t p, q;
        if (next > n) {
          multiply_pairs(half, x[n], w, x[next], w, &p, &q);
        } else {
          p = multiply_pair(half, x[n][0], w[0], x[n][1], w[1]);
        }
        acc[n][2 * half] = add_low(acc[n][2 * half], p);
        acc[n][2 * half + 1] = add_high(acc[n][2 * half + 1], p);
        if (next > n) {
          acc[next][2 * half] = add_low(acc[next][2 * half], q);
          acc[next][2 * half + 1] = add_high(acc[next][2 * half + 1], q);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < width / 4; i++) multiplier[i] = vld1q_f32(v->packed->multiplier + j + 4 * i);
#pragma GCC unroll 4
  for (size_t n = 0; n < outputs; n++) {
    float32x4_t x[WIDTH / 4];
#pragma GCC unroll 4
    for (size_t i = 0; i < width / 4; i++) x[i] = vmulq_f32(vcvtq_f32_s32(acc[n][i]), multiplier[i]);
    bytes_store(width, bytes_round(width, x, v->range), c + j + n * v->channels);
  }
}

static __attribute__((noinline)) void windows_wide(const windows *v, size_t j, size_t at, int8_t *c) {
  windows_at(WIDTH, 1, v, j, at, c);
}

static __attribute__((noinline)) void windows_wide_together(const windows *v, size_t j, size_t at, int8_t *c) {
  windows_at(WIDTH, TOGETHER, v, j, at, c);
}

#if defined(__aarch64__)
static __attribute__((noinline)) void windows_half(const windows *v, size_t j, size_t at, int8_t *c) {
  windows_at(8, 1, v, j, at, c);
}

static __attribute__((noinline)) void windows_half_together(const windows *v, size_t j, size_t at, int8_t *c) {
  windows_at(8, TOGETHER, v, j, at, c);
}
#else
#define windows_half          windows_wide
#define windows_half_together windows_wide_together
#endif

/* All channels, 8 or more of them, of one output, or of four. The last ones are computed together with some before
 * them, even if for a second time. */
static void windows_channels(int together, const windows *v, size_t at, int8_t *c) {
  const size_t channels = v->channels;
  for (size_t j = 0; j < channels;) {
    const size_t left = channels - j, width = left > 8 && channels >= WIDTH ? WIDTH : 8;
    const size_t first = left < width ? channels - width : j;
    if (width == WIDTH) {
      (together ? windows_wide_together : windows_wide)(v, first, at, c);
    } else {
      (together ? windows_half_together : windows_half)(v, first, at, c);
    }
    j += width;
  }
}

static void windows_line(const qrt_dwconv_shape *shape, const int8_t *const *rows, const qrt_dwconv_packed *p,
                         const qrt_range_neon *range, int8_t *c) {
  const size_t channels = shape->channels, reach = (shape->kw - 1) * shape->dilation + 1;
  /* Outputs whose windows lie in the input: from `first` to `end`. */
  const size_t first = (shape->pad_left + shape->stride - 1) / shape->stride;
  const size_t room = shape->in_w + shape->pad_left;
  size_t end = room < reach ? 0 : (room - reach) / shape->stride + 1;
  end = end < shape->out_w ? end : shape->out_w;
  window found;
  const windows v = {.packed = p,
                     .found = &found,
                     .advance = shape->stride * channels,
                     .channels = channels,
                     .zero_point = (int8_t)shape->a_zero_point,
                     .range = range};
  size_t listed = SIZE_MAX; /* the output that the list is for */
  for (size_t x = 0, count; x < shape->out_w; x += count) {
    const int inside = x >= first && x < end;
    count = inside && end - x >= TOGETHER ? TOGETHER : 1;
    if (!inside || listed == SIZE_MAX || listed < first) {
      find_taps(shape, rows, p, x, &found);
      listed = x;
    }
    windows_channels(count > 1, &v, (x - listed) * v.advance, c + x * channels);
  }
}

/* Any weights and any number of channels: products go into the sums one by one. */
static void careful_line(const qrt_dwconv_shape *shape, const int8_t *const *rows, const qrt_dwconv_packed *p,
                         const qrt_range_neon *range, int8_t *c) {
  const size_t channels = shape->channels;
  for (size_t x = 0; x < shape->out_w; x++, c += channels) {
    for (size_t j = 0; j < channels; j += 8) {
      const size_t count = channels - j < 8 ? channels - j : 8;
      const int8_t *w = p->w + j;
      int32x4_t acc0 = vld1q_s32(p->bias + j), acc1 = vld1q_s32(p->bias + j + 4);
      for (size_t r = 0; r < shape->kh; r++) {
        size_t column = x * shape->stride - shape->pad_left;
        for (size_t t = 0; t < shape->kw; t++, column += shape->dilation, w += p->padded) {
          const int8x8_t a = rows[r] && column < shape->in_w ? qrt_load_neon(rows[r] + column * channels + j, count)
                                                             : vdup_n_s8((int8_t)shape->a_zero_point);
          const int16x8_t product = vmull_s8(a, vld1_s8(w));
          acc0 = vaddw_s16(acc0, vget_low_s16(product));
          acc1 = vaddw_s16(acc1, vget_high_s16(product));
        }
      }
      const float32x4_t multiplier0 = vld1q_f32(p->multiplier + j), multiplier1 = vld1q_f32(p->multiplier + j + 4);
      qrt_store_neon(c + j, qrt_requantize_neon(acc0, acc1, multiplier0, multiplier1, range), count);
    }
  }
}

static void windows_run(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const void *packed,
                        const qrt_output_range *output, int8_t *c) {
  const char *numbers = (const char *)packed + WINDOWS_HEADER;
  const qrt_dwconv_packed p = qrt_dwconv_unpack(numbers, shape->channels, 8);
  const qrt_range_neon range = qrt_range_make_neon(output);
  const int quick = *(const int32_t *)packed && shape->channels >= 8 && shape->kh * shape->kw <= MOST_TAPS;
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    (quick ? windows_line : careful_line)(shape, rows, &p, &range, c);
  }
}

#endif
