/* check_unary.c - functions of one float; see check.h. */
#include "../../runtime_c/src/kernels/unary/unary.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

enum { SLOT_A };

static void compare_once(const qrt_unary_kernel *kernel, qrt_unary_function function, size_t n, const float *a) {
  const qrt_unary_kernel *reference = &qrt_unary_kernels[qrt_unary_kernel_count - 1];
  const int in_place = check_below(2) == 0;
  float p[QRT_UNARY_PARAMETERS];
  check_floats(p, 2);
  if (function == QRT_UNARY_clamp && !(p[0] <= p[1])) p[0] = -0.5f, p[1] = 6.0f;
  check_output c = check_output_make(n * sizeof *a, sizeof *a);
  check_case("function %d: n %zu, a[0] %a, in place %d", (int)function, n, (double)a[0], in_place);
  reference->run(function, n, a, p, c.expected);
  if (in_place) memcpy(c.actual, a, n * sizeof *a);
  kernel->run(function, n, in_place ? c.actual : a, p, c.actual);
  check_output_compare(&c);
}

static void unary_compare(size_t index) {
  const qrt_unary_kernel *kernel = &qrt_unary_kernels[index];
  for (int function = 0; function < QRT_UNARY_COUNT; function++) {
    for (size_t trial = 0; trial < 60; trial++) {
      const size_t n = trial < 3 * CHECK_SIZES ? check_size(kernel->xr, trial % CHECK_SIZES) : check_any_size(40);
      float *a = check_memory(SLOT_A, n * sizeof *a, sizeof *a);
      check_floats(a, n);
      compare_once(kernel, (qrt_unary_function)function, n, a);
    }
    /* Many values of moderate size, so that few, some or most of a stretch are far from zero. */
    for (size_t trial = 0; trial < 6; trial++) {
      const size_t n = 8000 + check_below(1000);
      float *a = check_memory(SLOT_A, n * sizeof *a, sizeof *a);
      for (size_t i = 0; i < n; i++) {
        const float size = (float)(1u << (i / 2048 + trial) % 6);
        a[i] = check_below(500) ? ((float)check_random() * 0x1p-31f - 1.0f) * size * 0.5f : check_float(check_random());
      }
      compare_once(kernel, (qrt_unary_function)function, n, a);
    }
    /* Every 16411th float there is. */
    for (uint32_t bits = 0; bits < UINT32_MAX - 4096 * 16411u; bits += 4096 * 16411u) {
      float *a = check_memory(SLOT_A, 4096 * sizeof *a, sizeof *a);
      for (uint32_t i = 0; i < 4096; i++) a[i] = check_float(bits + i * 16411u);
      compare_once(kernel, (qrt_unary_function)function, 4096, a);
    }
  }
}

typedef struct unary_run {
  const qrt_unary_kernel *kernel;
  qrt_unary_function function;
  float a[1024], c[1024];
} unary_run;

static void run_once(void *context) {
  unary_run *r = context;
  r->kernel->run(r->function, 1024, r->a, NULL, r->c);
}

static double unary_bench(size_t index, size_t shape, char *what) {
  static const struct {
    const char *what;
    qrt_unary_function function;
  } parts[] = {
      {"sigmoid", QRT_UNARY_sigmoid}, {"tanh", QRT_UNARY_tanh}, {"exp", QRT_UNARY_exp}, {"gelu", QRT_UNARY_gelu}};
  static unary_run r;
  if (shape == sizeof parts / sizeof parts[0]) return 0;
  r.kernel = &qrt_unary_kernels[index];
  r.function = parts[shape].function;
  for (size_t i = 0; i < 1024; i++) r.a[i] = (float)(i % 64) * 0.1f - 3;
  snprintf(what, CHECK_WHAT, "%s, 1024 elements", parts[shape].what);
  return 1024 / check_time(run_once, &r);
}

CHECK_FAMILY(unary, "element");
