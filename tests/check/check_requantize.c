/* check_requantize.c - requantize.h, which the scalar kernels are made of, against the same formula in double. */
#include <math.h>

#include "../../runtime_c/src/requantize.h"
#include "check.h"
#if defined(__ARM_NEON)
#include "../../runtime_c/src/requantize_neon.h"
#endif

/* A product of two floats is exact in double, so that each rounding to float below is the one that the contract names.
 */
static int8_t oracle(float x, float multiplier, const qrt_output_range *output) {
  const float product = (float)((double)x * (double)multiplier);
  const double rounded = nearbyint((double)product) + output->zero_point;
  return (int8_t)(rounded < output->min ? output->min : rounded > output->max ? output->max : rounded);
}

static void compare_one(uint32_t acc, float multiplier, const qrt_output_range *output) {
  const int8_t expected = oracle((float)(double)(int32_t)acc, multiplier, output);
  const int8_t floats = qrt_requantize_float(acc, multiplier, output);
  const int8_t integers = qrt_requantize_integer(acc, multiplier, output);
  if (expected == floats && expected == integers) return;
  check_case("accumulator %d, multiplier %a, zero point %d, clamp %d..%d", (int32_t)acc, (double)multiplier,
             output->zero_point, output->min, output->max);
  check_fail("expected %d, in floats %d, in integers %d", expected, floats, integers);
}

/* Floats of every exponent, near ties and anywhere. */
static void compare_rounding(const qrt_output_range *output) {
  for (uint32_t i = 0; i < 4096; i++) {
    uint32_t bits = i << 20 | (check_random() & 0xfffff);
    float x;
    if (i % 2) { /* a half integer, or its neighbour */
      x = (float)((int32_t)check_below(1025) - 512) + 0.5f;
      memcpy(&bits, &x, sizeof bits);
      bits += check_below(3) - 1;
    }
    memcpy(&x, &bits, sizeof x);
    if (x != x) continue;
    const int32_t floats = qrt_round_float(x, output), integers = qrt_round_integer(x, output);
    if (floats == integers) continue;
    check_case("%a, zero point %d, clamp %d..%d", (double)x, output->zero_point, output->min, output->max);
    check_fail("in floats %d, in integers %d", floats, integers);
  }
}

#if defined(__ARM_NEON)
/* What lanes make of small values: half integers and their neighbours, up to the largest. */
static void compare_small(const qrt_output_range *output) {
  const qrt_range_neon range = qrt_range_make_neon(output);
  for (int trial = 0; trial < 2000; trial++) {
    float32x4_t x[4];
    float values[16];
    int8_t sixteen[16], eight[8];
    for (size_t i = 0; i < 16; i++) {
      const float most = check_below(2) ? 300.0f : QRT_SMALL;
      const float any = (float)((double)check_random() / 4294967295.0 * 2 - 1) * most;
      const float half = nearbyintf(any) + 0.5f;
      const float near[] = {any, half, nextafterf(half, 0), nextafterf(half, INFINITY), copysignf(most, any)};
      values[i] = near[check_below(5)];
      if (values[i] > QRT_SMALL) values[i] = QRT_SMALL;
    }
    for (size_t v = 0; v < 4; v++) x[v] = vld1q_f32(values + 4 * v);
    vst1q_s8(sixteen, qrt_round_clamp16_small_neon(x, &range));
    vst1_s8(eight, qrt_round_clamp_small_neon(x[0], x[1], &range));
    for (size_t i = 0; i < 16; i++) {
      const int32_t expected = qrt_round_float(values[i], output);
      if (expected == sixteen[i] && (i >= 8 || expected == eight[i])) continue;
      check_case("%a, zero point %d, clamp %d..%d", (double)values[i], output->zero_point, output->min, output->max);
      check_fail("expected %d, small in lanes %d", expected, sixteen[i]);
    }
  }
  const float least = ldexpf(1, -60);
  if (!qrt_is_small(32000, 1) || qrt_is_small(32001, 1) || qrt_is_small(1, -32001.0f) || qrt_is_small(1, NAN) ||
      !qrt_is_small(INT64_MAX, least * 1024) || qrt_is_small(INT64_MAX, INFINITY)) {
    check_fail("small is up to 32000");
  }
}
#endif

static void requantize_compare(size_t index) {
  (void)index;
  for (int trial = 0; trial < 200; trial++) {
    const qrt_output_range output = trial == 0 ? (qrt_output_range){0, -128, 127} : check_range();
    const float multiplier = trial == 0 ? 0.5f : check_multiplier();
    check_case("multiplier %a, zero point %d, clamp %d..%d", (double)multiplier, output.zero_point, output.min,
               output.max);
    /* Every small accumulator, and the neighbourhood of every power of two, where floats lose bits. */
    for (uint32_t acc = 0; acc < 3000; acc++) {
      compare_one(acc, multiplier, &output);
      compare_one(0 - acc, multiplier, &output);
    }
    for (uint32_t power = 1; power != 0; power <<= 1) {
      for (uint32_t near = 0; near < 40; near++) {
        compare_one(power + near - 20, multiplier, &output);
        compare_one(near - 20 - power, multiplier, &output);
        compare_one(power + (power >> 1) + near - 20, multiplier, &output);
      }
    }
    compare_rounding(&output);
#if defined(__ARM_NEON)
    compare_small(&output);
#endif
    for (int i = 0; i < 5000; i++) compare_one(check_random() >> check_below(32), multiplier, &output);
    /* Products near each half integer, from both sides. */
    for (int half = -600; half <= 600; half++) {
      const double acc = half * 0.5 / (double)multiplier;
      if (acc < -2147483000.0 || acc > 2147483000.0) continue;
      for (uint32_t near = 0; near < 5; near++) compare_one((uint32_t)(int32_t)acc + near - 2, multiplier, &output);
    }
  }
  const qrt_output_range narrow = {-7, 10, 20};
  check_case("quantize: NaN and infinities");
  if (qrt_quantize(NAN, 1.0f, &narrow) != -7) check_fail("NaN must give the zero point");
  if (qrt_quantize(INFINITY, 1.0f, &narrow) != 20 || qrt_quantize(-INFINITY, 1.0f, &narrow) != 10) {
    check_fail("infinities must saturate");
  }
}

static size_t requantize_count(void) {
  return 1;
}

static const char *requantize_name(size_t index) {
  (void)index;
  return "scalar";
}

static uint32_t requantize_isa(size_t index) {
  (void)index;
  return QRT_ISA_scalar;
}

typedef struct requantize_run {
  uint32_t acc[1024];
  int8_t c[1024];
} requantize_run;

static void run_once(void *context) {
  requantize_run *r = context;
  const qrt_output_range range = {3, -128, 127};
  for (size_t i = 0; i < 1024; i++) r->c[i] = qrt_requantize(r->acc[i], 0.01f, &range);
}

static double requantize_bench(size_t index, size_t shape, char *what) {
  static requantize_run r;
  (void)index;
  if (shape > 0) return 0;
  for (size_t i = 0; i < 1024; i++) r.acc[i] = check_below(20001) - 10000;
  snprintf(what, CHECK_WHAT, "1024 elements");
  return 1024 / check_time(run_once, &r);
}

const check_family check_requantize = {"requantize",       requantize_count, requantize_name, requantize_isa,
                                       requantize_compare, requantize_bench, "element"};
