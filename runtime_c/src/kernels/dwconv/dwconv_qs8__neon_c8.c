/* dwconv_qs8__neon_c8.c - 8 channels at a time, one tap at a time. */
#include "../../requantize_neon.h"
#include "dwconv_pack.h"

enum { CR = 8 };

size_t qrt_dwconv_qs8__neon_c8_packed_size(size_t channels, size_t kh, size_t kw) {
  return qrt_dwconv_packed_size(channels, kh, kw, CR);
}

void qrt_dwconv_qs8__neon_c8_pack(const qrt_dwconv_weights *weights, void *packed) {
  qrt_dwconv_pack(weights, CR, packed);
}

void qrt_dwconv_qs8__neon_c8(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
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
