/* check_lut.c - the table lookup family; see check.h. */
#include "../../runtime_c/src/kernels/lut/lut.h"

#include <string.h>

#include "check.h"

enum { SLOT_A, SLOT_TABLE };

static void compare_once(const qrt_lut_kernel *kernel, size_t n, int in_place) {
  const qrt_lut_kernel *reference = &qrt_lut_kernels[qrt_lut_kernel_count - 1];
  const qrt_output_range range = check_range();
  int8_t *a = check_memory(SLOT_A, n, 1), *table = check_memory(SLOT_TABLE, 256, 1);
  check_fill(table, 256, 0);
  check_fill(a, n, 0);
  if (n >= 256) {
    for (size_t i = 0; i < n; i++) a[i] = (int8_t)(i & 0xff);
  }

  check_output c = check_output_make(n, 1);
  if (in_place) memcpy(c.actual, a, n);
  check_case("lookup: n %zu, %s", n, in_place ? "in place" : "c apart");
  kernel->lookup(n, in_place ? c.actual : a, table, c.actual);
  reference->lookup(n, a, table, c.expected);
  check_output_compare(&c);

  c = check_output_make(n, 1);
  if (in_place) memcpy(c.actual, a, n);
  check_case("clamp: n %zu, %d..%d, %s", n, range.min, range.max, in_place ? "in place" : "c apart");
  kernel->clamp(n, in_place ? c.actual : a, range.min, range.max, c.actual);
  reference->clamp(n, a, range.min, range.max, c.expected);
  check_output_compare(&c);
}

static void lut_compare(size_t index) {
  const qrt_lut_kernel *kernel = &qrt_lut_kernels[index];
  for (int trial = 0; trial < 200; trial++) {
    for (int in_place = 0; in_place < 2; in_place++) {
      for (size_t i = 0; i < CHECK_SIZES; i++) compare_once(kernel, check_size(kernel->xr, i), in_place);
      compare_once(kernel, 1 + check_below(150), in_place);
      compare_once(kernel, 256 + check_below(256), in_place);
    }
  }
}

typedef struct lut_run {
  const qrt_lut_kernel *kernel;
  int8_t a[4096], table[256], c[4096];
} lut_run;

static void run_once(void *context) {
  lut_run *r = context;
  r->kernel->lookup(sizeof r->a, r->a, r->table, r->c);
}

static double lut_bench(size_t index, size_t shape, char *what) {
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "4096 elements");
  static lut_run r;
  r.kernel = &qrt_lut_kernels[index];
  return sizeof r.a / check_time(run_once, &r);
}

CHECK_FAMILY(lut, "lookup");
