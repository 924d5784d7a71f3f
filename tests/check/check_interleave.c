/* check_interleave.c - the family that makes pixels of planes; see check.h. */
#include "../../runtime_c/src/kernels/interleave/interleave.h"

#include "check.h"

enum { SLOT_A };

static void compare_once(const qrt_interleave_kernel *kernel, size_t n, size_t channels) {
  const qrt_interleave_kernel *reference = &qrt_interleave_kernels[qrt_interleave_kernel_count - 1];
  const size_t a_stride = n + check_below(40), size = (channels - 1) * a_stride + n;
  int8_t *a = check_memory(SLOT_A, size, 1);
  check_fill(a, size, 0);
  check_output c = check_output_make(n * channels, 1);
  check_case("n %zu, channels %zu, a_stride %zu", n, channels, a_stride);
  kernel->run(n, channels, (const uint8_t *)a, a_stride, c.actual);
  reference->run(n, channels, (const uint8_t *)a, a_stride, c.expected);
  check_output_compare(&c);
}

static void interleave_compare(size_t index) {
  const qrt_interleave_kernel *kernel = &qrt_interleave_kernels[index];
  for (int trial = 0; trial < 100; trial++) {
    for (size_t channels = 1; channels <= 6; channels++) {
      for (size_t i = 0; i < CHECK_SIZES; i++) compare_once(kernel, check_size(kernel->xr, i), channels);
      compare_once(kernel, 1 + check_below(300), channels);
    }
  }
}

typedef struct interleave_run {
  const qrt_interleave_kernel *kernel;
  uint8_t a[3 * 1024], c[3 * 1024];
} interleave_run;

static void run_once(void *context) {
  interleave_run *r = context;
  r->kernel->run(1024, 3, r->a, 1024, r->c);
}

static double interleave_bench(size_t index, size_t shape, char *what) {
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "3 of 1024");
  static interleave_run r;
  r.kernel = &qrt_interleave_kernels[index];
  return sizeof r.a / check_time(run_once, &r);
}

CHECK_FAMILY(interleave, "byte");
