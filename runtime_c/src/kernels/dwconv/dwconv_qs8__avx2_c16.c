/* dwconv_qs8__avx2_c16.c - 16 channels at a time, one tap at a time.
 *
 * |a - a_zero_point| <= 255 and |w| <= 128, so a product fits int16 (at most 32640).
 */
#include "../../requantize_avx2.h"
#include "dwconv_pack.h"

enum { CR = 16 };

size_t qrt_dwconv_qs8__avx2_c16_packed_size(size_t channels, size_t kh, size_t kw) {
  return qrt_dwconv_packed_size(channels, kh, kw, CR);
}

void qrt_dwconv_qs8__avx2_c16_pack(const qrt_dwconv_weights *weights, void *packed) {
  qrt_dwconv_pack(weights, CR, packed);
}

void qrt_dwconv_qs8__avx2_c16(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                              const qrt_output_range *output, int8_t *c) {
  const qrt_dwconv_packed p = qrt_dwconv_unpack(packed, shape->channels, CR);
  const qrt_range_avx2 range = qrt_range_make_avx2(output);
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
