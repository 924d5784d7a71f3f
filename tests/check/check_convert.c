/* check_convert.c - the family between float and int8; see check.h. */
#include "../../runtime_c/src/kernels/convert/convert.h"

#include <string.h>

#include "check.h"

enum { SLOT_A, SLOT_B, SLOT_SUMS, SLOT_SUM, SLOT_WEIGHT_SCALE, SLOT_BIAS };

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* After scaling, an integer of moderate size or the middle of two, or almost. */
static float moderate_float(float inverse_scale) {
  return ((float)check_below(1200) - 600.0f) * 0.5f / inverse_scale;
}

/* Any float at all, special values often; or a moderate one. */
static float any_float(float inverse_scale) {
  static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff,
                                     0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff};
  switch (check_below(4)) {
    case 0:
      return from_bits(special[check_below(13)]);
    case 1:
      return from_bits(check_random());
    default:
      return moderate_float(inverse_scale);
  }
}

static void compare_range(const qrt_convert_kernel *kernel, size_t n, const float *a) {
  const qrt_convert_kernel *reference = &qrt_convert_kernels[qrt_convert_kernel_count - 1];
  check_output range = check_output_make(2 * sizeof(float), sizeof(float));
  float *actual = range.actual, *expected = range.expected;
  check_case("range: n %zu", n);
  kernel->range(n, a, &actual[0], &actual[1]);
  reference->range(n, a, &expected[0], &expected[1]);
  check_output_compare(&range);
}

/* Biases are any floats; in place or not. */
static void compare_sums(const qrt_convert_kernel *kernel, size_t n) {
  const qrt_convert_kernel *reference = &qrt_convert_kernels[qrt_convert_kernel_count - 1];
  int32_t *a = check_memory(SLOT_SUMS, n * sizeof *a, sizeof *a);
  int32_t *sum = check_memory(SLOT_SUM, n * sizeof *sum, sizeof *sum);
  float *weight_scale = check_memory(SLOT_WEIGHT_SCALE, n * sizeof *weight_scale, sizeof *weight_scale);
  float *bias = check_memory(SLOT_BIAS, n * sizeof *bias, sizeof *bias);
  check_bias(a, n);
  check_bias(sum, n);
  for (size_t i = 0; i < n; i++) {
    weight_scale[i] = check_multiplier();
    bias[i] = check_below(2) ? any_float(1) : -(float)a[i] * weight_scale[i]; /* cancels, nearly */
  }
  const qrt_sums_scale params = {sum, weight_scale, bias, check_multiplier(), check_zero_point(), check_below(2) == 0};
  const int in_place = check_below(2) == 0;
  check_output c = check_output_make(n * sizeof(float), sizeof(float));
  check_case("scale_sums: n %zu, scale %a, zero point %d, relu %d, in place %d", n, (double)params.scale,
             params.zero_point, params.relu, in_place);
  reference->scale_sums(n, a, &params, c.expected);
  if (in_place) memcpy(c.actual, a, n * sizeof *a);
  kernel->scale_sums(n, in_place ? c.actual : a, &params, c.actual);
  check_output_compare(&c);
}

static void compare_once(const qrt_convert_kernel *kernel, size_t n) {
  const qrt_convert_kernel *reference = &qrt_convert_kernels[qrt_convert_kernel_count - 1];
  const qrt_output_range range = check_range();
  const float scale = check_multiplier();

  float *a = check_memory(SLOT_A, n * sizeof *a, sizeof *a);
  const int moderate = check_below(2) == 0; /* all of them, or all but one */
  for (size_t i = 0; i < n; i++) a[i] = moderate ? moderate_float(scale) : any_float(scale);
  a[check_below((uint32_t)n)] = any_float(scale);
  check_output c = check_output_make(n, 1);
  check_case("quantize: n %zu, inverse_scale %a, zero point %d, clamp %d..%d", n, (double)scale, range.zero_point,
             range.min, range.max);
  kernel->quantize(n, a, scale, &range, c.actual);
  reference->quantize(n, a, scale, &range, c.expected);
  check_output_compare(&c);
  compare_range(kernel, n, a);
  compare_sums(kernel, n);

  int8_t *b = check_memory(SLOT_B, n, 1);
  check_fill(b, n, range.zero_point);
  check_output d = check_output_make(n * sizeof(float), sizeof(float));
  check_case("dequantize: n %zu, scale %a, zero point %d", n, (double)scale, range.zero_point);
  kernel->dequantize(n, b, scale, range.zero_point, d.actual);
  reference->dequantize(n, b, scale, range.zero_point, d.expected);
  check_output_compare(&d);
}

static void convert_compare(size_t index) {
  const qrt_convert_kernel *kernel = &qrt_convert_kernels[index];
  for (int trial = 0; trial < 500; trial++) {
    for (size_t i = 0; i < CHECK_SIZES; i++) compare_once(kernel, check_size(kernel->xr, i));
    compare_once(kernel, 1 + check_below(70));
    compare_once(kernel, 3000);
  }
}

typedef struct convert_run {
  const qrt_convert_kernel *kernel;
  float a[4096], b[4096];
  int32_t sums[4096];
  int8_t c[4096];
} convert_run;

static void quantize_once(void *context) {
  convert_run *r = context;
  const qrt_output_range range = {0, -128, 127};
  r->kernel->quantize(4096, r->a, 20.0f, &range, r->c);
}

static void dequantize_once(void *context) {
  convert_run *r = context;
  r->kernel->dequantize(4096, r->c, 0.05f, 3, r->b);
}

static void range_once(void *context) {
  convert_run *r = context;
  float low = 0, high = 0;
  r->kernel->range(4096, r->a, &low, &high);
}

static void scale_sums_once(void *context) {
  convert_run *r = context;
  const qrt_sums_scale params = {r->sums, r->a, r->a, 0.05f, 3, 0};
  r->kernel->scale_sums(4096, r->sums, &params, r->b);
}

static double convert_bench(size_t index, size_t shape, char *what) {
  static const struct {
    const char *what;
    void (*once)(void *context);
  } parts[] = {
      {"quantize", quantize_once}, {"dequantize", dequantize_once}, {"range", range_once}, {"sums", scale_sums_once}};
  static convert_run r;
  if (shape == sizeof parts / sizeof parts[0]) return 0;
  r.kernel = &qrt_convert_kernels[index];
  for (size_t i = 0; i < 4096; i++) r.a[i] = (float)(i % 64) * 0.1f - 3, r.sums[i] = (int32_t)i - 2048;
  snprintf(what, CHECK_WHAT, "%s, 4096 elements", parts[shape].what);
  return 4096 / check_time(parts[shape].once, &r);
}

CHECK_FAMILY(convert, "element");
