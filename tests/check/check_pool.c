/* check_pool.c - the pooling family; see check.h. */
#include "../../runtime_c/src/kernels/pool/pool.h"

#include "check.h"

enum { SLOT_A };

static void compare_once(const qrt_pool_kernel *kernel, size_t channels, size_t rows, size_t columns) {
  const qrt_pool_kernel *reference = &qrt_pool_kernels[qrt_pool_kernel_count - 1];
  const qrt_output_range range = check_range();
  const int32_t a_zero_point = check_zero_point();
  /* Sums are small beside the accumulators that check_multiplier serves; half of the time, a mean's own multiplier. */
  const float multiplier = check_below(2) ? check_multiplier() : 1.0f / (float)(rows * columns + 1);
  qrt_pool_window window = {NULL, rows, columns, 0, 0, channels};
  window.column_stride = channels * (1 + check_below(3));
  window.row_stride = columns * window.column_stride + check_below(40);
  const size_t size =
      rows && columns ? (rows - 1) * window.row_stride + (columns - 1) * window.column_stride + channels : 0;
  int8_t *a = check_memory(SLOT_A, size, 1);
  check_fill(a, size, a_zero_point);
  window.a = a;

  if (rows && columns) {
    check_output c = check_output_make(channels, 1);
    check_case("max: channels %zu, rows %zu, columns %zu", channels, rows, columns);
    kernel->max(&window, c.actual);
    reference->max(&window, c.expected);
    check_output_compare(&c);
  }
  check_output c = check_output_make(channels, 1);
  check_case("avg: channels %zu, rows %zu, columns %zu, zero points %d %d, clamp %d..%d, multiplier %a", channels, rows,
             columns, a_zero_point, range.zero_point, range.min, range.max, (double)multiplier);
  kernel->avg(&window, a_zero_point, multiplier, &range, c.actual);
  reference->avg(&window, a_zero_point, multiplier, &range, c.expected);
  check_output_compare(&c);
}

static void pool_compare(size_t index) {
  const qrt_pool_kernel *kernel = &qrt_pool_kernels[index];
  for (size_t i = 0; i < CHECK_SIZES; i++) {
    const size_t channels = check_size(kernel->cr, i);
    for (size_t rows = 0; rows <= 3; rows++) {
      for (size_t columns = 0; columns <= 4; columns++) {
        for (int trial = 0; trial < 60; trial++) compare_once(kernel, channels, rows, columns);
      }
    }
    for (int trial = 0; trial < 30; trial++) compare_once(kernel, channels, 7, 7);
    compare_once(kernel, channels, 1, 700);
    compare_once(kernel, channels, 3, 300);
  }
  /* Sums past the range of int16, from every start. */
  for (int trial = 0; trial < 5; trial++) compare_once(kernel, kernel->cr, 61, 61);
}

typedef struct pool_run {
  const qrt_pool_kernel *kernel;
  int8_t a[49 * 320], c[320];
} pool_run;

static void run_once(void *context) {
  pool_run *r = context;
  const qrt_pool_window window = {r->a, 7, 7, 7 * 320, 320, 320};
  const qrt_output_range range = {0, -128, 127};
  r->kernel->avg(&window, 3, 1.0f / 49, &range, r->c);
}

static double pool_bench(size_t index, size_t shape, char *what) {
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "7x7 of 320 channels");
  static pool_run r;
  r.kernel = &qrt_pool_kernels[index];
  return sizeof r.a / check_time(run_once, &r);
}

CHECK_FAMILY(pool, "averaged byte");
