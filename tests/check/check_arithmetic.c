/* check_arithmetic.c - what operators take from the compiler: conversion of 64-bit integers and the square root, both
 * correctly rounded; against integers. */
#include "../../runtime_c/src/sqrt.h"
#include "check.h"

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* rne of a positive integer to 24 bits, as a float's representation. */
static uint32_t rounded(uint64_t x) {
  uint32_t shift = 0;
  while (x >> shift >= UINT64_C(1) << 24) shift++;
  const uint64_t kept = x >> shift, lost = x - (kept << shift), half = shift ? UINT64_C(1) << (shift - 1) : 0;
  uint64_t mantissa = kept + (shift && (lost > half || (lost == half && (kept & 1))));
  uint32_t exponent = 127 + 23 + shift;
  while (mantissa < UINT64_C(1) << 23) mantissa <<= 1, exponent--;
  return (uint32_t)mantissa + ((exponent - 1) << 23); /* a mantissa of 2^24 carries into the exponent */
}

static void compare_conversion(uint64_t x) {
  const int64_t positive = (int64_t)x, negative = -positive;
  check_case("%lld", (long long)positive);
  if (bits_of((float)positive) != rounded(x)) check_fail("0x%08x", bits_of((float)positive));
  if (bits_of((float)negative) != (rounded(x) | 0x80000000u)) check_fail("negative: 0x%08x", bits_of((float)negative));
}

static void compare_root(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  const uint32_t expected = bits_of(qrt_sqrt_integer(x)), actual = bits_of(qrt_sqrt(x));
  check_case("square root of %a", (double)x);
  if (actual != expected) check_fail("0x%08x, in integers 0x%08x", actual, expected);
  /* The root's neighbourhood, half a step either way, holds x: 48 bits of a product are exact in 64. */
  const uint64_t mantissa = (expected & 0x7fffff) | 0x800000, low = 2 * mantissa - 1, high = 2 * mantissa + 1;
  const int32_t exponent = 2 * ((int32_t)(expected >> 23) - 127) - ((int32_t)(bits >> 23) - 127);
  const uint64_t square = (uint64_t)((bits & 0x7fffff) | 0x800000) << 25; /* of 2 * mantissa, if exponent is 0 */
  if (exponent < -1 || exponent > 0) check_fail("exponent is off by %d", exponent);
  if (low * low > square << -exponent || high * high < square << -exponent) check_fail("0x%08x", expected);
}

static void compare_conversions(void) {
  for (uint32_t bit = 0; bit < 63; bit++) {
    for (uint32_t trial = 0; trial < 3000; trial++) {
      const uint64_t low = (uint64_t)check_random() << 32 | check_random(), top = UINT64_C(1) << bit;
      compare_conversion(top | (low & (top - 1)));
      /* Ties and their neighbours: bits below the last one that stays. */
      const uint64_t half = bit > 24 ? UINT64_C(1) << (bit - 24) : 0;
      const uint64_t tie = half ? (top | (low & (top - 1))) / half * half | half : top;
      compare_conversion(tie);
      if (half > 1) compare_conversion(tie + 1), compare_conversion(tie - 1);
    }
  }
}

static void compare_roots(void) {
  for (uint32_t exponent = 1; exponent < 255; exponent++) {
    for (uint32_t mantissa = 0; mantissa < 300; mantissa++) {
      compare_root(exponent << 23 | mantissa);
      compare_root(exponent << 23 | (0x7fffff - mantissa));
      compare_root(exponent << 23 | (check_random() & 0x7fffff));
    }
  }
}

static const struct {
  const char *name;
  void (*compare)(void);
} parts[] = {{"int64", compare_conversions}, {"sqrt", compare_roots}};

static size_t arithmetic_count(void) {
  return sizeof parts / sizeof parts[0];
}

static const char *arithmetic_name(size_t index) {
  return parts[index].name;
}

static uint32_t arithmetic_isa(size_t index) {
  (void)index;
  return QRT_ISA_scalar;
}

static void arithmetic_compare(size_t index) {
  parts[index].compare();
}

typedef struct arithmetic_run {
  float x[512], y[512];
  int64_t integers[512];
} arithmetic_run;

static void convert_once(void *context) {
  arithmetic_run *r = context;
  for (size_t i = 0; i < 512; i++) r->y[i] = (float)r->integers[i];
}

static void root_once(void *context) {
  arithmetic_run *r = context;
  for (size_t i = 0; i < 512; i++) r->y[i] = qrt_sqrt(r->x[i]);
}

static double arithmetic_bench(size_t index, size_t shape, char *what) {
  static arithmetic_run r;
  if (shape > 0) return 0;
  for (size_t i = 0; i < 512; i++) r.x[i] = (float)(i + 1), r.integers[i] = (int64_t)check_random() << 20;
  snprintf(what, CHECK_WHAT, "512 elements");
  return 512 / check_time(index == 0 ? convert_once : root_once, &r);
}

const check_family check_arithmetic = {"arithmetic",       arithmetic_count, arithmetic_name, arithmetic_isa,
                                       arithmetic_compare, arithmetic_bench, "element"};
