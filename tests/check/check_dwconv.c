/* check_dwconv.c - the depthwise family; see check.h. */
#include "../../runtime_c/src/kernels/dwconv/dwconv.h"

#include "check.h"

enum { SLOT_W, SLOT_BIAS, SLOT_MULTIPLIER, SLOT_PACKED, SLOT_REFERENCE, SLOT_ROWS, MAX_ROWS = 7, MAX_COUNT = 3 };

static void compare_once(const qrt_dwconv_kernel *kernel, size_t channels, size_t kh, size_t kw) {
  const qrt_dwconv_kernel *reference = &qrt_dwconv_kernels[qrt_dwconv_kernel_count - 1];
  static const size_t widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 70};
  qrt_output_range range = check_range();
  if (check_below(2)) { /* ReLU, or ReLU6 */
    range.min = range.zero_point;
    range.max = check_below(3) ? 127 : range.min + (int32_t)check_below((uint32_t)(128 - range.min));
  }
  qrt_dwconv_shape shape = {.channels = channels, .kh = kh, .kw = kw};
  shape.in_w = widths[check_below(11)];
  shape.stride = 1 + check_below(3);
  shape.dilation = check_below(3) ? 1 : 1 + check_below(3);
  shape.pad_left = check_below(3) ? kw / 2 * shape.dilation : check_below((uint32_t)((kw - 1) * shape.dilation + 2));
  /* From less than the input to well past it. */
  shape.out_w = 1 + check_below((uint32_t)((shape.in_w + shape.pad_left) / shape.stride + 3));
  shape.a_zero_point = check_zero_point();

  int8_t *w = check_memory(SLOT_W, channels * kh * kw, 1);
  int32_t *bias = check_memory(SLOT_BIAS, channels * sizeof *bias, sizeof *bias);
  float *multiplier = check_memory(SLOT_MULTIPLIER, channels * sizeof *multiplier, sizeof *multiplier);
  check_fill(w, channels * kh * kw, 0);
  /* Products of two of these do not fit into int16. */
  for (size_t i = check_below(4) ? 0 : 2; i > 0; i--) w[check_below((uint32_t)(kh * kw))] = -128;
  check_bias(bias, channels);
  const int one_multiplier = check_below(2) == 0;
  /* Outputs then go little beyond int8, and there are ties. */
  const float usual = (float)(check_below(2) ? 1 + check_below(1000) : 1u << (10 + check_below(4))) * 0x1p-18f;
  const int usual_multipliers = check_below(3) > 0;
  for (size_t j = 0; j < channels; j++) {
    multiplier[j] = usual_multipliers ? usual : one_multiplier && j > 0 ? multiplier[0] : check_multiplier();
  }
  const size_t count = 1 + check_below(MAX_COUNT);
  const int8_t *rows[MAX_COUNT * MAX_ROWS];
  for (size_t r = 0; r < kh; r++) {
    int8_t *row = check_memory(SLOT_ROWS + r, shape.in_w * channels, 1);
    check_fill(row, shape.in_w * channels, shape.a_zero_point);
    rows[r] = check_below(5) ? row : NULL;
  }
  /* Mostly as those of neighbours in an image. */
  const int neighbours = check_below(4) > 0;
  for (size_t r = kh; r < count * kh; r++) {
    rows[r] = neighbours && r % kh < kh - 1 ? rows[r - kh + 1]
              : check_below(5)              ? rows[check_below((uint32_t)kh)]
                                            : NULL;
  }

  const qrt_dwconv_weights weights = {channels, kh, kw, w, bias, multiplier, shape.a_zero_point};
  void *packed = check_memory_at_guard(SLOT_PACKED, kernel->packed_size(channels, kh, kw), 64);
  void *reference_packed = check_memory_at_guard(SLOT_REFERENCE, reference->packed_size(channels, kh, kw), 64);
  check_output c = check_output_make(count * shape.out_w * channels, 1);
  check_case("channels %zu, rows %zu, kernel %zu x %zu, width %zu to %zu, stride %zu, dilation %zu, pad_left %zu, "
             "zero points %d %d, clamp %d..%d",
             channels, count, kh, kw, shape.in_w, shape.out_w, shape.stride, shape.dilation, shape.pad_left,
             shape.a_zero_point, range.zero_point, range.min, range.max);
  kernel->pack(&weights, packed);
  if (!qrt_dwconv_usable(kernel, packed, channels, kh, kw)) check_fail("what pack made is refused");
  if (kernel->isa == QRT_ISA_neon || kernel->isa == QRT_ISA_neondot) {
    /* It begins with flags. */
    int32_t *flag = (int32_t *)packed + (kh <= 3 && kw == 3 ? check_below(2) : 0);
    *flag = !*flag;
    if (qrt_dwconv_usable(kernel, packed, channels, kh, kw)) check_fail("a flag was damaged, and nobody noticed");
    *flag = !*flag;
  }
  kernel->run(&shape, count, rows, packed, &range, c.actual);
  reference->pack(&weights, reference_packed);
  for (size_t i = 0; i < count; i++) {
    reference->run(&shape, 1, rows + i * kh, reference_packed, &range,
                   (int8_t *)c.expected + i * shape.out_w * channels);
  }
  check_output_compare(&c);
}

static void dwconv_compare(size_t index) {
  const qrt_dwconv_kernel *kernel = &qrt_dwconv_kernels[index];
  static const struct {
    size_t kh, kw;
  } windows[] = {{1, 1}, {1, 3}, {2, 2}, {3, 3}, {3, 1}, {5, 5}, {4, 2}, {7, 7}};
  for (size_t i = 0; i < CHECK_SIZES; i++) {
    for (size_t window = 0; window < sizeof windows / sizeof windows[0]; window++) {
      const int trials = windows[window].kh == 3 ? 300 : 80;
      for (int trial = 0; trial < trials; trial++) {
        compare_once(kernel, check_size(kernel->cr, i), windows[window].kh, windows[window].kw);
        compare_once(kernel, (size_t)1 << check_below(6), windows[window].kh, windows[window].kw);
      }
    }
  }
}

typedef struct dwconv_run {
  const qrt_dwconv_kernel *kernel;
  qrt_dwconv_shape shape;
  const int8_t *rows[MAX_ROWS];
  int8_t *c;
  void *packed;
  qrt_output_range range;
} dwconv_run;

static void run_once(void *context) {
  const dwconv_run *r = context;
  r->kernel->run(&r->shape, 1, r->rows, r->packed, &r->range, r->c);
}

static double dwconv_bench(size_t index, size_t shape, char *what) {
  /* channels, window, input width, stride */
  static const struct {
    size_t channels, k, width, stride;
  } shapes[] = {{192, 3, 28, 1}, {96, 3, 112, 2}, {32, 3, 112, 1}, {16, 3, 48, 2}, {8, 3, 48, 1},
                {144, 3, 56, 1}, {64, 3, 5, 1},   {576, 3, 14, 1}, {960, 3, 7, 1}, {96, 5, 28, 1}};
  enum { MOST_CHANNELS = 960, LARGEST = MOST_CHANNELS * 25 };
  static int8_t w[LARGEST];
  static int32_t bias[MOST_CHANNELS];
  static float multiplier[MOST_CHANNELS];
  if (shape == sizeof shapes / sizeof shapes[0]) return 0;
  const size_t channels = shapes[shape].channels, k = shapes[shape].k, width = shapes[shape].width;
  const size_t stride = shapes[shape].stride, out_width = (width - 1) / stride + 1;
  snprintf(what, CHECK_WHAT, "%zu channels, %zux%zu, width %zu, stride %zu", channels, k, k, width, stride);
  dwconv_run r = {.kernel = &qrt_dwconv_kernels[index], .range = {0, -128, 127}};
  r.shape = (qrt_dwconv_shape){channels, k, k, width, out_width, stride, 1, k / 2, 3};
  for (size_t i = 0; i < channels * k * k; i++) w[i] = (int8_t)(check_random() & 0xff);
  for (size_t j = 0; j < channels; j++) multiplier[j] = 0.01f;
  for (size_t i = 0; i < k; i++) {
    int8_t *row = check_memory_at_guard(SLOT_ROWS + i, channels * width + 64, 64);
    check_fill(row, channels * width, 3);
    r.rows[i] = row;
  }
  /* Not at the guard: that a mask excludes what lies there costs a CPU much time. */
  r.c = check_memory_at_guard(CHECK_OUTPUT_SLOT, channels * out_width + 64, 64);
  r.packed = check_memory_at_guard(SLOT_PACKED, r.kernel->packed_size(channels, k, k), 64);
  const qrt_dwconv_weights weights = {channels, k, k, w, bias, multiplier, r.shape.a_zero_point};
  r.kernel->pack(&weights, r.packed);
  return (double)(channels * out_width * k * k) / check_time(run_once, &r);
}

CHECK_FAMILY(dwconv, "MAC");
