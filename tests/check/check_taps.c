/* check_taps.c - windows of floats: products, means and largest values; see check.h. */
#include "../../runtime_c/src/kernels/taps/taps.h"

#include <stdio.h>

#include "check.h"

enum { SLOT_A, SLOT_W, SLOT_BIAS, MOST_TAPS = 12 };

static void taps_compare(size_t index) {
  const qrt_taps_kernel *kernel = &qrt_taps_kernels[index], *reference = &qrt_taps_kernels[qrt_taps_kernel_count - 1];
  for (size_t trial = 0; trial < 2000; trial++) {
    const size_t n = trial < 3 * CHECK_SIZES ? check_size(kernel->xr, trial % CHECK_SIZES) : check_any_size(kernel->xr);
    const size_t taps = check_below(MOST_TAPS + 1), stride = n + check_below(5),
                 size = (taps ? taps - 1 : 0) * stride + n;
    float *a = check_memory(SLOT_A, size * sizeof *a, sizeof *a),
          *w = check_memory(SLOT_W, size * sizeof *w, sizeof *w);
    float *bias = check_memory(SLOT_BIAS, n * sizeof *bias, sizeof *bias);
    const float *at[MOST_TAPS], *weight[MOST_TAPS], divisor = (float)(1 + check_below(30));
    check_floats(a, size);
    check_floats(w, size);
    check_floats(bias, n);
    for (size_t t = 0; t < taps; t++) at[t] = a + t * stride, weight[t] = w + (taps - 1 - t) * stride;
    check_output c = check_output_make(n * sizeof *a, sizeof *a);
    check_case("products: %zu taps, n %zu", taps, n);
    reference->products(taps, n, at, weight, bias, c.expected);
    kernel->products(taps, n, at, weight, bias, c.actual);
    check_output_compare(&c);
    check_case("mean: %zu taps, n %zu", taps, n);
    reference->mean(taps, n, at, divisor, c.expected);
    kernel->mean(taps, n, at, divisor, c.actual);
    check_output_compare(&c);
    check_case("largest: %zu taps, n %zu", taps, n);
    reference->largest(taps, n, at, c.expected);
    kernel->largest(taps, n, at, c.actual);
    check_output_compare(&c);
  }
}

typedef struct taps_run {
  const qrt_taps_kernel *kernel;
  float a[9][256], w[9][256], c[256];
} taps_run;

static void run_once(void *context) {
  taps_run *r = context;
  const float *a[9], *w[9];
  for (size_t t = 0; t < 9; t++) a[t] = r->a[t], w[t] = r->w[t];
  r->kernel->products(9, 256, a, w, r->w[0], r->c);
}

static double taps_bench(size_t index, size_t shape, char *what) {
  static taps_run r;
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "9 taps of 256 channels");
  r.kernel = &qrt_taps_kernels[index];
  return 9 * 256 / check_time(run_once, &r);
}

CHECK_FAMILY(taps, "product");
