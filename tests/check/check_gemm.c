/* check_gemm.c - the gemm family; see check.h. */
#include "../../runtime_c/src/kernels/gemm/gemm.h"

#include "check.h"

enum { SLOT_A, SLOT_W, SLOT_BIAS, SLOT_MULTIPLIER, SLOT_PACKED, SLOT_REFERENCE };

static void compare_once(const qrt_gemm_kernel *kernel, size_t m, size_t n, size_t k) {
  const qrt_gemm_kernel *reference = &qrt_gemm_kernels[qrt_gemm_kernel_count - 1];
  const qrt_output_range range = check_range();
  const size_t a_stride = k + (check_below(2) ? check_below(9) : 0),
               c_stride = n + (check_below(2) ? check_below(9) : 0);
  const int32_t a_zero_point = check_zero_point();

  int8_t *a = check_memory(SLOT_A, (m - 1) * a_stride + k, 1);
  int8_t *w = check_memory(SLOT_W, n * k, 1);
  int32_t *bias = check_memory(SLOT_BIAS, n * sizeof *bias, sizeof *bias);
  float *multiplier = check_memory(SLOT_MULTIPLIER, n * sizeof *multiplier, sizeof *multiplier);
  check_fill(a, (m - 1) * a_stride + k, a_zero_point);
  check_fill(w, n * k, 0);
  check_bias(bias, n);
  const int one_multiplier = check_below(2) == 0;
  for (size_t j = 0; j < n; j++) multiplier[j] = one_multiplier && j > 0 ? multiplier[0] : check_multiplier();

  const qrt_gemm_weights weights = {n, k, w, bias, multiplier, a_zero_point};
  void *packed = check_memory_at_guard(SLOT_PACKED, kernel->packed_size(n, k), 64);
  void *reference_packed = check_memory_at_guard(SLOT_REFERENCE, reference->packed_size(n, k), 64);
  check_output c = check_output_make((m - 1) * c_stride + n, 1);
  check_case("m %zu, n %zu, k %zu, a_stride %zu, c_stride %zu, zero points %d %d, clamp %d..%d, multiplier[0] %a", m, n,
             k, a_stride, c_stride, a_zero_point, range.zero_point, range.min, range.max, (double)multiplier[0]);
  kernel->pack(&weights, packed);
  kernel->run(m, n, k, a, a_stride, packed, &range, c.actual, c_stride);
  reference->pack(&weights, reference_packed);
  for (size_t i = 0; i < m; i++) {
    reference->run(1, n, k, a + i * a_stride, a_stride, reference_packed, &range, (int8_t *)c.expected + i * c_stride,
                   c_stride);
  }
  check_output_compare(&c);
}

static void gemm_compare(size_t index) {
  const qrt_gemm_kernel *kernel = &qrt_gemm_kernels[index];
  /* Depths around kr, and around what a kernel may take at once. */
  static const size_t depths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15, 16, 17, 24, 31, 32, 33, 61, 64, 67, 131};
  for (size_t m = 1; m <= kernel->mr; m++) {
    for (size_t i = 0; i < CHECK_SIZES; i++) {
      const size_t n = check_size(kernel->nr, i);
      for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
        for (int trial = 0; trial < 16; trial++) compare_once(kernel, m, n, depths[d]);
      }
      for (size_t d = 0; d < CHECK_SIZES; d++) compare_once(kernel, m, n, check_size(kernel->kr, d));
    }
  }
  /* Little depth and many columns: the epilogue, on every kind of accumulator. */
  for (int trial = 0; trial < 3000; trial++)
    compare_once(kernel, kernel->mr, 4 * kernel->nr + check_below(kernel->nr), 1);
  /* Long sums, up to more than 2^24, where f32(acc) rounds. */
  for (int trial = 0; trial < 40; trial++)
    compare_once(kernel, 1 + check_below(kernel->mr), 2, 1499 + check_below(700));
}

typedef struct gemm_run {
  const qrt_gemm_kernel *kernel;
  size_t n, k;
  int8_t *a, *c;
  void *packed;
  qrt_output_range range;
} gemm_run;

static void run_once(void *context) {
  const gemm_run *r = context;
  r->kernel->run(r->kernel->mr, r->n, r->k, r->a, r->k, r->packed, &r->range, r->c, r->n);
}

static double gemm_bench(size_t index) {
  gemm_run r = {&qrt_gemm_kernels[index], 128, 256, NULL, NULL, NULL, {0, -128, 127}};
  static int8_t w[128 * 256];
  static int32_t bias[128];
  static float multiplier[128];
  for (size_t i = 0; i < sizeof w; i++) w[i] = (int8_t)(check_random() & 0xff);
  for (size_t j = 0; j < r.n; j++) multiplier[j] = 0.001f;
  r.a = check_memory_at_guard(SLOT_A, r.kernel->mr * r.k, 64);
  r.c = check_memory_at_guard(CHECK_OUTPUT_SLOT, r.kernel->mr * r.n, 64);
  r.packed = check_memory_at_guard(SLOT_PACKED, r.kernel->packed_size(r.n, r.k), 64);
  check_fill(r.a, r.kernel->mr * r.k, 0);
  const qrt_gemm_weights weights = {r.n, r.k, w, bias, multiplier, 3};
  r.kernel->pack(&weights, r.packed);
  return (double)(r.kernel->mr * r.n * r.k) / check_time(run_once, &r);
}

CHECK_FAMILY(gemm, "MAC");
