/* check_matmul.c - the matmul family; see check.h. */
#include "../../runtime_c/src/kernels/matmul/matmul.h"

#include <stdio.h>

#include "check.h"

enum { SLOT_A, SLOT_B, SLOT_BIAS, SLOT_PANELS };

/* Anything at all, or numbers whose sum depends on the order. */
static float *floats(size_t slot, size_t n) {
  float *a = check_memory(slot, n * sizeof *a, sizeof *a);
  const int tame = check_below(4) != 0;
  check_floats(a, n);
  for (size_t i = 0; tame && i < n; i++)
    a[i] = ((float)check_random() * 0x1p-31f - 1.0f) * (float)(1u << check_below(6));
  return a;
}

static void compare_once(const qrt_matmul_kernel *kernel, size_t m, size_t n, size_t runs, size_t run) {
  const qrt_matmul_kernel *reference = &qrt_matmul_kernels[qrt_matmul_kernel_count - 1];
  const size_t k = runs * run, nr = kernel->nr, wide = (n + nr - 1) / nr * nr;
  const size_t c_stride = n + (check_below(2) ? check_below(9) : 0);
  const int packed = check_below(2) == 0, biased = check_below(2) == 0;
  qrt_matmul_rows a = {NULL, runs, run, 0, 0, 0, 0};
  /* Rows may follow each other, overlap as a window's positions do, or lie apart; so may runs and lines of rows. */
  a.width = check_below(2) ? SIZE_MAX : 1 + check_below((uint32_t)m);
  a.x_stride = check_below(2) ? run + check_below(9) : 1 + check_below((uint32_t)run);
  a.run_stride = check_below(2) ? run + check_below(9) : 1 + check_below((uint32_t)run);
  a.y_stride = check_below(3) ? check_below(200) : a.width * a.x_stride;
  const size_t lines = (m - 1) / a.width, columns = m < a.width ? m : a.width;
  a.a = floats(SLOT_A, lines * a.y_stride + (columns - 1) * a.x_stride + (runs - 1) * a.run_stride + run);
  const float *plain = floats(SLOT_B, k * wide), *bias = biased ? floats(SLOT_BIAS, n) : NULL;
  float *panels = check_memory(SLOT_PANELS, k * wide * sizeof *panels, sizeof *panels);
  for (size_t j = 0; j < wide; j++) {
    for (size_t i = 0; i < k; i++) panels[j / nr * nr * k + i * nr + j % nr] = plain[i * wide + j];
  }
  const qrt_matmul_columns as_it_lies = {plain, wide, nr, bias}, in_panels = {panels, nr, nr * k, bias};
  const qrt_matmul_columns one_by_one = {plain, wide, 1, bias};
  check_output c = check_output_make(((m - 1) * c_stride + n) * sizeof(float), sizeof(float));
  check_case("m %zu, n %zu, %zu runs of %zu, strides %zu %zu %zu, width %zu, c_stride %zu, packed %d, bias %d", m, n,
             runs, run, a.run_stride, a.x_stride, a.y_stride, a.width, c_stride, packed, biased);
  reference->run(m, n, &a, &one_by_one, c.expected, c_stride);
  kernel->run(m, n, &a, packed ? &in_panels : &as_it_lies, c.actual, c_stride);
  check_output_compare(&c);
}

static void matmul_compare(size_t index) {
  const qrt_matmul_kernel *kernel = &qrt_matmul_kernels[index];
  for (size_t m = 1; m <= 2 * kernel->mr + 3; m++) {
    for (size_t i = 0; i < CHECK_SIZES; i++) {
      for (int trial = 0; trial < 12; trial++) {
        compare_once(kernel, m, check_size(kernel->nr, i), 1 + check_below(4), 1 + check_below(20));
      }
    }
  }
}

typedef struct matmul_run {
  const qrt_matmul_kernel *kernel;
  float a[64 * 64], b[64 * 64], c[64 * 64];
} matmul_run;

static void run_once(void *context) {
  matmul_run *r = context;
  const qrt_matmul_rows a = qrt_matmul_matrix(r->a, 64, 64);
  const qrt_matmul_columns b = {r->b, 64, r->kernel->nr, NULL};
  r->kernel->run(64, 64, &a, &b, r->c, 64);
}

static double matmul_bench(size_t index, size_t shape, char *what) {
  static matmul_run r;
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "64 by 64, depth 64");
  r.kernel = &qrt_matmul_kernels[index];
  return 64 * 64 * 64 / check_time(run_once, &r);
}

CHECK_FAMILY(matmul, "product");
