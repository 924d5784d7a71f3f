/* dwconv_qs8__mve_c8.c - 8 channels at a time, in lanes of 16 bits, of which even and odd ones are multiplied into
 * lanes of 32 bits. Uses the file's weights where they lie: those of a channel follow each other, so that a tap's
 * weights are gathered; of windows of 3 by 3 that is done once for a line. */
#include "../../requantize_mve.h"
#include "dwconv_pieces.h"

enum { CR = 8, MOST_TAPS = 9000 /* gathered with offsets of 16 bits */ };

size_t qrt_dwconv_qs8__mve_c8_packed_size(size_t channels, size_t kh, size_t kw) {
  (void)channels, (void)kh, (void)kw;
  return sizeof(qrt_dwconv_weights);
}

void qrt_dwconv_qs8__mve_c8_pack(const qrt_dwconv_weights *weights, void *packed) {
  *(qrt_dwconv_weights *)packed = *weights;
}

/* What belongs to 8 channels, or the last few. */
typedef struct group {
  mve_pred16_t some; /* the lanes of 16 bits that are channels */
  const int8_t *w;   /* of the first channel */
  uint16x8_t at;     /* the other channels' from there */
  int16_t zero_point;
  int16x8_t low, high; /* of the output, without its zero point */
  int16_t output_zero_point;
  int32x4_t even, odd; /* biases of channels 0 2 4 6, and of 1 3 5 7 */
  float32x4_t even_multiplier, odd_multiplier;
} group;

static group make_group(const qrt_dwconv_shape *shape, const qrt_dwconv_weights *weights, size_t j,
                        const qrt_output_range *output) {
  const size_t taps = shape->kh * shape->kw, count = shape->channels - j;
  const uint32x4_t second = {0, 8, 16, 24};
  const mve_pred16_t even = vctp32q((count + 1) / 2), odd = vctp32q(count / 2);
  const int32_t *bias = weights->bias + j;
  const float *multiplier = weights->multiplier + j;
  const group g = {
      .some = vctp16q(count),
      .w = weights->w + j * taps,
      .at = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)taps),
      .zero_point = (int16_t)shape->a_zero_point,
      .low = vdupq_n_s16((int16_t)(output->min - output->zero_point)),
      .high = vdupq_n_s16((int16_t)(output->max - output->zero_point)),
      .output_zero_point = (int16_t)output->zero_point,
      .even = vldrwq_gather_offset_z_s32(bias, second, even),
      .odd = vldrwq_gather_offset_z_s32(bias + 1, second, odd),
      .even_multiplier = vldrwq_gather_offset_z_f32(multiplier, second, even),
      .odd_multiplier = vldrwq_gather_offset_z_f32(multiplier + 1, second, odd),
  };
  return g;
}

/* Conversions to int32, and from there to int16, saturate. */
static inline int16x8_t requantize(const group *g, int32x4_t even, int32x4_t odd) {
  const int32x4_t x = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(even), g->even_multiplier));
  const int32x4_t y = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(odd), g->odd_multiplier));
  const int16x8_t both = vqmovntq_s32(vqmovnbq_s32(vuninitializedq_s16(), x), y);
  return vaddq_n_s16(vminq_s16(vmaxq_s16(both, g->low), g->high), g->output_zero_point);
}

/* ---- windows of any size ---- */

static void any_pixel(const qrt_dwconv_shape *shape, const int8_t *const *rows, const group *g, size_t j, size_t x,
                      int8_t *c) {
  const size_t begin = x * shape->stride, step = shape->dilation * shape->channels;
  size_t first = 0;
  while (first < shape->kw && begin + first * shape->dilation < shape->pad_left) first++;
  size_t end = first;
  while (end < shape->kw && begin + end * shape->dilation - shape->pad_left < shape->in_w) end++;
  const size_t at = (begin + first * shape->dilation - shape->pad_left) * shape->channels + j;
  int32x4_t even = g->even, odd = g->odd;
  for (size_t r = 0; r < shape->kh; r++) {
    if (rows[r] == NULL) continue;
    const int8_t *a = rows[r] + at, *w = g->w + r * shape->kw + first;
    for (size_t t = first; t < end; t++, a += step, w++) {
      const int16x8_t value = vsubq_n_s16(vldrbq_z_s16(a, g->some), g->zero_point);
      const int16x8_t weight = vldrbq_gather_offset_z_s16(w, g->at, g->some);
      even = vaddq_s32(even, vmullbq_int_s16(value, weight));
      odd = vaddq_s32(odd, vmulltq_int_s16(value, weight));
    }
  }
  vstrbq_p_s16(c + x * shape->channels + j, requantize(g, even, odd), g->some);
}

/* ---- windows of 3 by 3 ---- */

/* The weights of 8 channels in lanes, as dwconv_pieces.h wants them, and what belongs to them; the pixels' loop knows
 * the offsets. */
typedef struct windows {
  int32_t bias[2][4];                 /* 0: even and odd channels, with the zero point, for one place */
  float multiplier[2][4];             /* 32 */
  int16_t low[8], high[8];            /* 64, 80 */
  int16_t w[3][QRT_DWCONV_PLACES][8]; /* of missing rows zeros, too */
  int16_t sum[QRT_DWCONV_PLACES][8];  /* of a column's three */
} windows;

static void load_windows(windows *k, const group *g, const int8_t *const *rows) {
  const int8_t *w = g->w;
  int16x8_t sum0 = vdupq_n_s16(0), sum1 = sum0, sum2 = sum0;
  for (size_t r = 0; r < 3; r++, w += 3) {
    int16x8_t w0 = vdupq_n_s16(0), w1 = w0, w2 = w0;
    if (rows[r]) {
      w0 = vldrbq_gather_offset_s16(w, g->at);
      w1 = vldrbq_gather_offset_s16(w + 1, g->at);
      w2 = vldrbq_gather_offset_s16(w + 2, g->at);
      sum0 = vaddq_s16(sum0, w0), sum1 = vaddq_s16(sum1, w1), sum2 = vaddq_s16(sum2, w2);
    }
    vst1q_s16(k->w[r][QRT_DWCONV_WHOLE], w0), vst1q_s16(k->w[r][QRT_DWCONV_WHOLE + 1], w1),
        vst1q_s16(k->w[r][QRT_DWCONV_WHOLE + 2], w2);
  }
  vst1q_s16(k->sum[QRT_DWCONV_WHOLE], sum0), vst1q_s16(k->sum[QRT_DWCONV_WHOLE + 1], sum1),
      vst1q_s16(k->sum[QRT_DWCONV_WHOLE + 2], sum2);
  vst1q_f32(k->multiplier[0], g->even_multiplier);
  vst1q_f32(k->multiplier[1], g->odd_multiplier);
  vst1q_s16(k->low, g->low);
  vst1q_s16(k->high, g->high);
}

#define TAP(a, w)                 \
  "vldrb.s16 q2, [%[" a "]]\n"    \
  "vldrw.32 q3, [%[w], #" w "]\n" \
  "vmullb.s16 q4, q2, q3\n"       \
  "vmullt.s16 q2, q2, q3\n"       \
  "vadd.i32 q0, q0, q4\n"         \
  "vadd.i32 q1, q1, q2\n"
#define TO(a, step)        "add %[" a "], %[" step "]\n"
#define ROW(a, w0, w1, w2) TAP(a, w0) TO(a, "channels") TAP(a, w1) TO(a, "channels") TAP(a, w2) TO(a, "next")

/* `count` pixels, `next` bytes of a row apart, whose windows begin at `at` of the rows and have their weights at
 * `place`. */
__attribute__((noinline)) static void run_windows(windows *k, const group *g, const int8_t *const rows[3], size_t place,
                                                  size_t at, size_t next, size_t channels, size_t count, int8_t *c) {
  const int16x8_t zero_point = vdupq_n_s16(g->zero_point);
  const int16x8_t sum =
      vaddq_s16(vaddq_s16(vld1q_s16(k->sum[place]), vld1q_s16(k->sum[place + 1])), vld1q_s16(k->sum[place + 2]));
  vst1q_s32(k->bias[0], vsubq_s32(g->even, vmullbq_int_s16(sum, zero_point)));
  vst1q_s32(k->bias[1], vsubq_s32(g->odd, vmulltq_int_s16(sum, zero_point)));
  const int8_t *a0 = rows[0] + at, *a1 = rows[1] + at, *a2 = rows[2] + at;
  /* clang-format off */
  __asm__ volatile(
      "vldrw.32 q5, [%[k], #32]\n"
      "vldrw.32 q6, [%[k], #48]\n"
      "vldrw.32 q7, [%[k], #64]\n"
      "dls lr, %[count]\n"
      "1: vldrw.32 q0, [%[k], #0]\n"
      "vldrw.32 q1, [%[k], #16]\n"
      ROW("a0", "0", "16", "32")
      ROW("a1", "144", "160", "176")
      ROW("a2", "288", "304", "320")
      "vcvt.f32.s32 q0, q0\n"
      "vcvt.f32.s32 q1, q1\n"
      "vmul.f32 q0, q0, q5\n"
      "vmul.f32 q1, q1, q6\n"
      "vcvtn.s32.f32 q0, q0\n"
      "vcvtn.s32.f32 q1, q1\n"
      "vqmovnb.s32 q2, q0\n"
      "vqmovnt.s32 q2, q1\n"
      "vldrw.32 q3, [%[k], #80]\n"
      "vmax.s16 q2, q2, q7\n"
      "vmin.s16 q2, q2, q3\n"
      "vadd.i16 q2, q2, %[zero_point]\n"
      "vstrb.16 q2, [%[c]]\n"
      "add %[c], %[channels]\n"
      "le lr, 1b"
      : [a0] "+l"(a0), [a1] "+l"(a1), [a2] "+l"(a2), [c] "+l"(c)
      : [w] "r"(&k->w[0][place][0]), [k] "r"(k), [channels] "r"(channels), [next] "r"(next - 2 * channels),
        [count] "r"(count), [zero_point] "r"((int32_t)g->output_zero_point)
      : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "memory");
  /* clang-format on */
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels, next = shape->stride * channels;
  const int8_t *found[3];
  if (channels >= CR && qrt_dwconv_has_pieces(shape, rows, found)) {
    windows k;
    memset(&k, 0, sizeof k);
    for (size_t j = 0; j < channels; j += CR) {
      const size_t first = j < channels - CR ? j : channels - CR; /* some channels are computed twice */
      const group g = make_group(shape, packed, first, output);
      load_windows(&k, &g, rows);
      for (size_t x = 0; x < shape->out_w;) {
        const qrt_dwconv_piece piece = qrt_dwconv_piece_at(shape, x);
        run_windows(&k, &g, found, piece.place, piece.column * channels + first, next, channels, piece.count,
                    c + x * channels + first);
        x += piece.count;
      }
    }
    return;
  }
  for (size_t j = 0; j < channels; j += CR) {
    const group g = make_group(shape, packed, j, output);
    for (size_t x = 0; x < shape->out_w; x++) any_pixel(shape, rows, &g, j, x, c);
  }
}

void qrt_dwconv_qs8__mve_c8(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c) {
  if (shape->kh * shape->kw > MOST_TAPS) {
    qrt_dwconv_qs8__scalar_c1(shape, count, rows, packed, output, c);
    return;
  }
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
