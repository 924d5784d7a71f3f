/* check_rows.c - sums over rows of floats, softmax and normalization; see check.h. */
#include "../../runtime_c/src/kernels/rows/rows.h"

#include <stdio.h>
#include <string.h>

#include "../../runtime_c/src/floats.h"
#include "check.h"

enum { SLOT_A, SLOT_B, SLOT_BIAS };

/* Anything at all, or numbers whose sum depends on the order. */
static float *floats(size_t slot, size_t n) {
  float *a = check_memory(slot, n * sizeof *a, sizeof *a);
  const int tame = check_below(4) != 0;
  check_floats(a, n);
  for (size_t i = 0; tame && i < n; i++)
    a[i] = ((float)check_random() * 0x1p-31f - 1.0f) * (float)(1u << check_below(6));
  return a;
}

static void compare_dot(const qrt_rows_kernel *kernel, const qrt_rows_kernel *reference, size_t n) {
  const float *a = floats(SLOT_A, n), *b = floats(SLOT_B, n);
  check_output c = check_output_make(sizeof(float), sizeof(float));
  check_case("dot: n %zu", n);
  *(float *)c.expected = qrt_canonical(reference->dot(n, a, b));
  *(float *)c.actual = qrt_canonical(kernel->dot(n, a, b));
  check_output_compare(&c);
}

static void compare_sums(const qrt_rows_kernel *kernel, const qrt_rows_kernel *reference, size_t n) {
  const size_t m = check_any_size(kernel->xr), stride = m + check_below(3);
  const float *a = floats(SLOT_A, (n - 1) * stride + m);
  check_output c = check_output_make(m * sizeof(float), sizeof(float));
  float *expected = c.expected, *actual = c.actual;
  check_case("sums: n %zu, m %zu, stride %zu", n, m, stride);
  reference->sums(n, m, a, stride, expected);
  kernel->sums(n, m, a, stride, actual);
  for (size_t j = 0; j < m; j++) expected[j] = qrt_canonical(expected[j]), actual[j] = qrt_canonical(actual[j]);
  check_output_compare(&c);
}

static void compare_softmax(const qrt_rows_kernel *kernel, const qrt_rows_kernel *reference, size_t n) {
  const size_t m = check_below(4) ? 1 + check_below(3) : 1 + check_below(20);
  const float *a = floats(SLOT_A, m * n);
  const int in_place = check_below(2) == 0;
  check_output c = check_output_make(m * n * sizeof *a, sizeof *a);
  check_case("softmax: m %zu, n %zu, in place %d", m, n, in_place);
  reference->softmax(m, n, a, c.expected);
  if (in_place) memcpy(c.actual, a, m * n * sizeof *a);
  kernel->softmax(m, n, in_place ? c.actual : a, c.actual);
  check_output_compare(&c);
}

static void compare_normalize(const qrt_rows_kernel *kernel, const qrt_rows_kernel *reference, size_t n) {
  const size_t m = check_below(4) ? 1 + check_below(3) : 1 + check_below(20);
  const float *a = floats(SLOT_A, m * n), *weight = floats(SLOT_B, n), *bias = floats(SLOT_BIAS, n);
  const int in_place = check_below(2) == 0;
  const float eps = check_below(3) ? 1e-5f : 0.0f;
  check_output c = check_output_make(m * n * sizeof *a, sizeof *a);
  check_case("normalize: m %zu, n %zu, eps %a, in place %d", m, n, (double)eps, in_place);
  reference->normalize(m, n, a, weight, bias, eps, c.expected);
  if (in_place) memcpy(c.actual, a, m * n * sizeof *a);
  kernel->normalize(m, n, in_place ? c.actual : a, weight, bias, eps, c.actual);
  check_output_compare(&c);
}

static void rows_compare(size_t index) {
  const qrt_rows_kernel *kernel = &qrt_rows_kernels[index], *reference = &qrt_rows_kernels[qrt_rows_kernel_count - 1];
  for (size_t trial = 0; trial < 1500; trial++) {
    const size_t n = trial < 600 ? 1 + trial % 100 : check_any_size(QRT_ROW_SUMS);
    compare_dot(kernel, reference, n);
    compare_sums(kernel, reference, n);
    compare_softmax(kernel, reference, n);
    compare_normalize(kernel, reference, n);
  }
}

typedef struct rows_run {
  const qrt_rows_kernel *kernel;
  float a[1024], b[1024], c[1024];
} rows_run;

enum { BENCH_N = 64, BENCH_M = 1024 / BENCH_N };

static void softmax_once(void *context) {
  rows_run *r = context;
  r->kernel->softmax(BENCH_M, BENCH_N, r->a, r->c);
}

static void normalize_once(void *context) {
  rows_run *r = context;
  r->kernel->normalize(BENCH_M, BENCH_N, r->a, r->b, r->b, 1e-5f, r->c);
}

static double rows_bench(size_t index, size_t shape, char *what) {
  static const struct {
    const char *what;
    void (*once)(void *context);
  } parts[] = {{"softmax", softmax_once}, {"normalize", normalize_once}};
  static rows_run r;
  if (shape == sizeof parts / sizeof parts[0]) return 0;
  r.kernel = &qrt_rows_kernels[index];
  for (size_t i = 0; i < 1024; i++) r.a[i] = (float)(i % 64) * 0.1f - 3;
  snprintf(what, CHECK_WHAT, "%s, %d rows of %d elements", parts[shape].what, BENCH_M, BENCH_N);
  return 1024 / check_time(parts[shape].once, &r);
}

CHECK_FAMILY(rows, "element");
