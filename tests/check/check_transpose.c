/* check_transpose.c - the family that makes rows of columns; see check.h. */
#include "../../runtime_c/src/kernels/transpose/transpose.h"

#include <stdio.h>

#include "check.h"

enum { SLOT_A };

static void compare_once(const qrt_transpose_kernel *kernel, size_t rows, size_t columns) {
  const qrt_transpose_kernel *reference = &qrt_transpose_kernels[qrt_transpose_kernel_count - 1];
  const size_t stride = 4 * rows + check_below(80), size = (columns - 1) * stride + 4 * rows;
  int8_t *a = check_memory(SLOT_A, size, 1);
  check_fill(a, size, 0);
  const int backwards = check_below(4) == 0;
  const uint8_t *first = (const uint8_t *)a + (backwards ? (columns - 1) * stride : 0);
  const ptrdiff_t a_stride = backwards ? -(ptrdiff_t)stride : (ptrdiff_t)stride;
  check_output c = check_output_make(4 * rows * columns, 1);
  check_case("rows %zu, columns %zu, a_stride %td", rows, columns, a_stride);
  kernel->run(rows, columns, first, a_stride, c.actual);
  reference->run(rows, columns, first, a_stride, c.expected);
  check_output_compare(&c);
}

static void transpose_compare(size_t index) {
  const qrt_transpose_kernel *kernel = &qrt_transpose_kernels[index];
  for (size_t rows = 1; rows <= 2 * kernel->mr + 1; rows++) {
    for (size_t columns = 1; columns <= 2 * kernel->nr + 1; columns++) compare_once(kernel, rows, columns);
  }
  for (int trial = 0; trial < 300; trial++) compare_once(kernel, 1 + check_below(70), 1 + check_below(70));
}

typedef struct transpose_run {
  const qrt_transpose_kernel *kernel;
  uint32_t a[64 * 32], c[64 * 32];
} transpose_run;

static void run_once(void *context) {
  transpose_run *r = context;
  r->kernel->run(32, 64, (const uint8_t *)r->a, 32 * sizeof *r->a, (uint8_t *)r->c);
}

static double transpose_bench(size_t index, size_t shape, char *what) {
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "32 by 64");
  static transpose_run r;
  r.kernel = &qrt_transpose_kernels[index];
  return sizeof r.a / check_time(run_once, &r);
}

CHECK_FAMILY(transpose, "byte");
