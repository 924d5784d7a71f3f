/* dwconv_qs8__dsp_c4.c - 4 channels at a time. Windows of 3 by 3 go line by line: their weights are widened to 16 bits
 * once for a line, and the loop over pixels is written in assembler, because it needs all core registers. For others
 * the taps that meet the input are found for each pixel. Uses the file's weights where they lie. */
#include "../../dsp.h"
#include "../../requantize.h"
#include "dwconv_pieces.h"

size_t qrt_dwconv_qs8__dsp_c4_packed_size(size_t channels, size_t kh, size_t kw) {
  (void)channels, (void)kh, (void)kw;
  return sizeof(qrt_dwconv_weights);
}

void qrt_dwconv_qs8__dsp_c4_pack(const qrt_dwconv_weights *weights, void *packed) {
  *(qrt_dwconv_weights *)packed = *weights;
}

/* Sums of 4 channels to bytes, for `count` pixels. The range is a copy, which bytes that are stored cannot change. */
__attribute__((noinline)) static void store(size_t count, const uint32_t *sums, const float *multiplier,
                                            qrt_output_range range, int8_t *c, size_t channels) {
  for (size_t j = 0; j < 4; j += 2) {
    const float m0 = multiplier[j], m1 = multiplier[j + 1];
    int8_t *to = c + j;
    for (size_t i = 0; i < count; i++, to += channels) {
      to[0] = qrt_requantize(sums[4 * i + j], m0, &range);
      to[1] = qrt_requantize(sums[4 * i + j + 1], m1, &range);
    }
  }
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
  const uint32_t sums[4] = {acc0, acc1, acc2, acc3};
  store(1, sums, weights->multiplier + j, *output, c + j, 0);
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

/* ---- windows of 3 by 3 ---- */

enum { PIXELS = 16 }; /* whose sums are kept: 256 bytes of stack */

/* What the loop over pixels takes; it knows the offsets. */
typedef struct line {
  const int8_t *a[3];        /* 0 */
  size_t channels;           /* 12 */
  size_t next;               /* 16: from a pixel's window to the next one's */
  const uint32_t *w;         /* 20: of the first tap; channels 0 and 2, 1 and 3 */
  uint32_t offset;           /* 24 */
  const int32_t *bias;       /* 28 */
  uint32_t *sums, *sums_end; /* 32, 36: four for each pixel */
} line;

/* r1 r2 r3 are the rows, r4 the channels, r5 weights, r6 the offset, r8 to r11 sums. */
#define TAP(a, w)                  \
  "ldr r12, [" a "]\n"             \
  "ldrd r0, lr, [r5, #" w "]\n"    \
  "sxtab16 r7, r6, r12\n"          \
  "sxtab16 r12, r6, r12, ror #8\n" \
  "smlabb r8, r7, r0, r8\n"        \
  "smlatt r10, r7, r0, r10\n"      \
  "smlabb r9, r12, lr, r9\n"       \
  "smlatt r11, r12, lr, r11\n"
#define ROW(a, w0, w1, w2) TAP(a, w0) TAP(a ", r4", w1) TAP(a ", r4, lsl #1", w2)

/* clang-format off */
__attribute__((naked)) static void sum_pixels(line *l __attribute__((unused))) {
  __asm__(
      "push {r0, r4-r11, lr}\n"
      "ldrd r5, r6, [r0, #20]\n"
      "ldmia r0, {r1-r4}\n"
      "1: ldr r0, [sp]\n"
      "ldr r0, [r0, #28]\n"
      "ldmia r0, {r8-r11}\n"
      ROW("r1", "0", "8", "16")
      ROW("r2", "72", "80", "88")
      ROW("r3", "144", "152", "160")
      "ldr r0, [sp]\n"
      "ldr r7, [r0, #16]\n"
      "add r1, r7\n"
      "add r2, r7\n"
      "add r3, r7\n"
      "ldr r12, [r0, #32]\n"
      "stmia r12!, {r8-r11}\n"
      "str r12, [r0, #32]\n"
      "ldr lr, [r0, #36]\n"
      "cmp r12, lr\n"
      "bne 1b\n"
      "pop {r0, r4-r11, pc}");
}
/* clang-format on */

static inline uint32_t halves(int32_t low, int32_t high) {
  return ((uint32_t)low & 0xffff) | (uint32_t)high << 16;
}

/* Weights of 4 channels, as dwconv_pieces.h wants them; those of missing rows are zeros. */
static void widen(const int8_t *w, const int8_t *const *rows, uint32_t to[3][QRT_DWCONV_PLACES][2]) {
  for (size_t r = 0; r < 3; r++) {
    for (size_t t = 0; t < 3; t++, w++) {
      to[r][QRT_DWCONV_WHOLE + t][0] = rows[r] ? halves(w[0], w[18]) : 0;
      to[r][QRT_DWCONV_WHOLE + t][1] = rows[r] ? halves(w[9], w[27]) : 0;
    }
  }
}

/* 4 channels from j on. */
static void run_line(const qrt_dwconv_shape *shape, const int8_t *const found[3], const qrt_dwconv_weights *weights,
                     uint32_t w[3][QRT_DWCONV_PLACES][2], size_t j, const qrt_output_range *output, int8_t *c) {
  const size_t channels = shape->channels;
  uint32_t sums[4 * PIXELS];
  line l = {.channels = channels,
            .next = shape->stride * channels,
            .offset = qrt_twice_dsp(-shape->a_zero_point),
            .bias = weights->bias + j};
  for (size_t x = 0; x < shape->out_w;) {
    const qrt_dwconv_piece piece = qrt_dwconv_piece_at(shape, x);
    const size_t count = piece.count < PIXELS ? piece.count : PIXELS;
    for (size_t r = 0; r < 3; r++) l.a[r] = found[r] + piece.column * channels + j;
    l.w = w[0][piece.place];
    l.sums = sums;
    l.sums_end = sums + 4 * count;
    sum_pixels(&l);
    store(count, sums, weights->multiplier + j, *output, c + x * channels + j, channels);
    x += count;
  }
}

static void run_row(const qrt_dwconv_shape *shape, const int8_t *const *rows, const void *packed,
                    const qrt_output_range *output, int8_t *c) {
  const qrt_dwconv_weights *weights = packed;
  const size_t channels = shape->channels;
  const uint32_t offset = qrt_twice_dsp(-shape->a_zero_point);
  const int8_t *found[3];
  if (channels >= 4 && qrt_dwconv_has_pieces(shape, rows, found)) {
    uint32_t w[3][QRT_DWCONV_PLACES][2] = {{{0}}};
    for (size_t j = 0; j < channels; j += 4) {
      const size_t first = j < channels - 4 ? j : channels - 4; /* some channels are computed twice */
      widen(weights->w + first * 9, rows, w);
      run_line(shape, found, weights, w, first, output, c);
    }
    return;
  }
  for (size_t x = 0; x < shape->out_w; x++, c += channels) {
    const taps found_taps = find_taps(shape, x);
    size_t j = 0;
    for (; j + 4 <= channels; j += 4) four_channels(shape, rows, weights, &found_taps, j, offset, output, c);
    for (; j < channels; j++) one_channel(shape, rows, weights, &found_taps, j, output, c);
  }
}

void qrt_dwconv_qs8__dsp_c4(const qrt_dwconv_shape *shape, size_t count, const int8_t *const *rows, const void *packed,
                            const qrt_output_range *output, int8_t *c) {
  for (; count > 0; count--, rows += shape->kh, c += shape->out_w * shape->channels) {
    run_row(shape, rows, packed, output, c);
  }
}
