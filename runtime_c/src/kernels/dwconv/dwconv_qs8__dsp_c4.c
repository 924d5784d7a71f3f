/* dwconv_qs8__dsp_c4.c - 4 channels at a time; which taps meet the input is found once for a pixel. Uses the file's
 * weights where they lie. */
#include "../../dsp.h"
#include "../../requantize.h"
#include "dwconv.h"

size_t qrt_dwconv_qs8__dsp_c4_packed_size(size_t channels, size_t kh, size_t kw) {
  (void)channels, (void)kh, (void)kw;
  return sizeof(qrt_dwconv_weights);
}

void qrt_dwconv_qs8__dsp_c4_pack(const qrt_dwconv_weights *weights, void *packed) {
  *(qrt_dwconv_weights *)packed = *weights;
}

/* The taps of one pixel: columns t of the window from first to end, the first at `at` bytes of a row, the next `step`
 * bytes further. */
typedef struct taps {
  size_t first, end, at, step;
} taps;

static taps find_taps(const qrt_dwconv_shape *shape, size_t x) {
  taps found = {0, 0, 0, shape->dilation * shape->channels};
  const size_t begin = x * shape->stride;
  while (found.first < shape->kw && begin + found.first * shape->dilation < shape->pad_left) found.first++;
  found.end = found.first;
  while (found.end < shape->kw && begin + found.end * shape->dilation - shape->pad_left < shape->in_w) found.end++;
  found.at = (begin + found.first * shape->dilation - shape->pad_left) * shape->channels;
  return found;
}

static void four_channels(const qrt_dwconv_shape *shape, const int8_t *const *rows, const qrt_dwconv_weights *weights,
                          const taps *found, size_t j, uint32_t offset, const qrt_output_range *output, int8_t *c) {
  const size_t window = shape->kh * shape->kw;
  const int8_t *w_row = weights->w + j * window + found->first;
  const int32_t *bias = weights->bias + j;
  uint32_t acc0 = (uint32_t)bias[0], acc1 = (uint32_t)bias[1], acc2 = (uint32_t)bias[2], acc3 = (uint32_t)bias[3];
  for (size_t r = 0; r < shape->kh; r++, w_row += shape->kw) {
    if (rows[r] == NULL) continue;
    const int8_t *a = rows[r] + found->at + j, *w0 = w_row;
    const int8_t *w1 = w0 + window, *w2 = w1 + window, *w3 = w2 + window;
    for (size_t t = found->first; t < found->end; t++, a += found->step) {
      const uint32_t bytes = qrt_load_dsp(a);
      const uint32_t even = qrt_even_dsp(offset, bytes), odd = qrt_odd_dsp(offset, bytes);
      acc0 = qrt_multiply_low_dsp(acc0, even, *w0++);
      acc1 = qrt_multiply_low_dsp(acc1, odd, *w1++);
      acc2 = qrt_multiply_high_dsp(acc2, even, *w2++);
      acc3 = qrt_multiply_high_dsp(acc3, odd, *w3++);
    }
  }
  const float *multiplier = weights->multiplier + j;
  c[j] = qrt_requantize(acc0, multiplier[0], output);
  c[j + 1] = qrt_requantize(acc1, multiplier[1], output);
  c[j + 2] = qrt_requantize(acc2, multiplier[2], output);
  c[j + 3] = qrt_requantize(acc3, multiplier[3], output);
}

static void one_channel(const qrt_dwconv_shape *shape, const int8_t *const *rows, const qrt_dwconv_weights *weights,
                        const taps *found, size_t j, const qrt_output_range *output, int8_t *c) {
  const int8_t *w = weights->w + j * shape->kh * shape->kw;
  uint32_t acc = (uint32_t)weights->bias[j];
  for (size_t r = 0; r < shape->kh; r++, w += shape->kw) {
    if (rows[r] == NULL) continue;
    const int8_t *a = rows[r] + found->at + j;
    for (size_t t = found->first; t < found->end; t++, a += found->step) {
      acc += (uint32_t)((*a - shape->a_zero_point) * w[t]);
    }
  }
  c[j] = qrt_requantize(acc, weights->multiplier[j], output);
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  const qrt_dwconv_weights *weights = packed;
  const uint32_t offset = qrt_twice_dsp(-shape->a_zero_point);
  for (size_t x = 0; x < shape->out_w; x++, c += shape->channels) {
    const taps found = find_taps(shape, x);
    size_t j = 0;
    for (; j + 4 <= shape->channels; j += 4) four_channels(shape, rows, weights, &found, j, offset, output, c);
    for (; j < shape->channels; j++) one_channel(shape, rows, weights, &found, j, output, c);
  }
}

void qrt_dwconv_qs8__dsp_c4(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c) {
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
