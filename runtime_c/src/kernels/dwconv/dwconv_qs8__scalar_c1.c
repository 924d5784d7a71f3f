/* dwconv_qs8__scalar_c1.c - the reference: dwconv.h's loops. Uses the file's weights where they lie. */
#include "../../requantize.h"
#include "dwconv.h"

size_t qrt_dwconv_qs8__scalar_c1_packed_size(size_t channels, size_t kh, size_t kw) {
  (void)channels, (void)kh, (void)kw;
  return sizeof(qrt_dwconv_weights);
}

void qrt_dwconv_qs8__scalar_c1_pack(const qrt_dwconv_weights *weights, void *packed) {
  *(qrt_dwconv_weights *)packed = *weights;
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  const qrt_dwconv_weights *weights = packed;
  for (size_t x = 0; x < shape->out_w; x++) {
    for (size_t j = 0; j < shape->channels; j++) {
      const int8_t *w = weights->w + j * shape->kh * shape->kw;
      uint32_t acc = (uint32_t)weights->bias[j];
      for (size_t r = 0; r < shape->kh; r++) {
        if (rows[r] == NULL) continue;
        for (size_t t = 0; t < shape->kw; t++) {
          /* Left of the input the subtraction wraps to a huge column. */
          const size_t column = x * shape->stride + t * shape->dilation - shape->pad_left;
          if (column >= shape->in_w) continue;
          const int32_t a = rows[r][column * shape->channels + j] - shape->a_zero_point;
          acc += (uint32_t)(a * w[r * shape->kw + t]);
        }
      }
      *c++ = qrt_requantize(acc, weights->multiplier[j], output);
    }
  }
}

void qrt_dwconv_qs8__scalar_c1(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows,
                               const void *packed, const qrt_output_range *output, int8_t *c) {
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
