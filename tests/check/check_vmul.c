/* check_vmul.c - the elementwise multiplication family; see check.h. */
#include "../../runtime_c/src/kernels/vmul/vmul.h"

#include <string.h>

#include "check.h"

enum { SLOT_A, SLOT_B };
enum { SEPARATE, IN_PLACE_A, IN_PLACE_B, PLACES };

static void run(const qrt_vmul_kernel *kernel, size_t n, const int8_t *a, const int8_t *b, size_t b_stride, int place,
                const qrt_vmul_params *params, int8_t *c) {
  if (place == IN_PLACE_A) memcpy(c, a, n);
  if (place == IN_PLACE_B) memcpy(c, b, n);
  kernel->run(n, place == IN_PLACE_A ? c : a, place == IN_PLACE_B ? c : b, b_stride, params, c);
}

/* All pairs of int8 when n is 65536. */
static void compare_once(const qrt_vmul_kernel *kernel, size_t n, size_t b_stride, int place) {
  const qrt_vmul_kernel *reference = &qrt_vmul_kernels[qrt_vmul_kernel_count - 1];
  const qrt_vmul_params params = {check_zero_point(), check_zero_point(), check_multiplier(), check_range()};
  int8_t *a = check_memory(SLOT_A, n, 1);
  int8_t *b = check_memory(SLOT_B, b_stride ? n : 1, 1);
  if (n == 65536) {
    for (size_t i = 0; i < n; i++) a[i] = (int8_t)(i & 0xff);
    for (size_t i = 0; i < n * b_stride; i++) b[i] = (int8_t)(i >> 8);
  } else {
    check_fill(a, n, params.a_zero_point);
    check_fill(b, b_stride ? n : 1, params.b_zero_point);
  }
  check_output c = check_output_make(n, 1);
  check_case("n %zu, b_stride %zu, %s, zero points %d %d %d, clamp %d..%d, multiplier %a", n, b_stride,
             place == SEPARATE     ? "c apart"
             : place == IN_PLACE_A ? "c is a"
                                   : "c is b",
             params.a_zero_point, params.b_zero_point, params.output.zero_point, params.output.min, params.output.max,
             (double)params.multiplier);
  run(kernel, n, a, b, b_stride, place, &params, c.actual);
  run(reference, n, a, b, b_stride, place, &params, c.expected);
  check_output_compare(&c);
}

static void vmul_compare(size_t index) {
  const qrt_vmul_kernel *kernel = &qrt_vmul_kernels[index];
  for (int trial = 0; trial < 200; trial++) {
    for (int place = SEPARATE; place < PLACES; place++) {
      for (size_t b_stride = place == IN_PLACE_B; b_stride < 2; b_stride++) {
        for (size_t i = 0; i < CHECK_SIZES; i++) compare_once(kernel, check_size(kernel->xr, i), b_stride, place);
        compare_once(kernel, 1 + check_below(70), b_stride, place);
      }
    }
  }
  for (int trial = 0; trial < 150; trial++) compare_once(kernel, 65536, 1, SEPARATE);
}

enum { BENCH_SIZE = 4096 };

typedef struct vmul_run {
  const qrt_vmul_kernel *kernel;
  qrt_vmul_params params;
  int8_t a[BENCH_SIZE], b[BENCH_SIZE], c[BENCH_SIZE];
} vmul_run;

static void run_once(void *context) {
  vmul_run *r = context;
  r->kernel->run(BENCH_SIZE, r->a, r->b, 1, &r->params, r->c);
}

static double vmul_bench(size_t index, size_t shape, char *what) {
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "%d elements", BENCH_SIZE);
  static vmul_run r;
  r.kernel = &qrt_vmul_kernels[index];
  r.params = (qrt_vmul_params){3, -5, 0.01f, {1, -128, 127}};
  return BENCH_SIZE / check_time(run_once, &r);
}

CHECK_FAMILY(vmul, "element");
