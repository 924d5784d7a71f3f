/* check_wgemm.c - float activations times weights of 8 or 4 bits; see check.h. */
#include "../../runtime_c/src/kernels/wgemm/wgemm.h"

#include <string.h>

#include "check.h"

enum { SLOT_A, SLOT_W, SLOT_SCALE, SLOT_BIAS, SLOT_PACKED, SLOT_REFERENCE };

/* Mostly of a size that makes sums round; sometimes any float at all. */
static float any_float(void) {
  const uint32_t bits = check_random();
  float x;
  memcpy(&x, &bits, sizeof x);
  return check_below(200) ? ((float)bits * 0x1p-32f - 0.5f) * (float)(1u << check_below(12)) : x;
}

static float *floats(size_t slot, size_t n) {
  float *a = check_memory(slot, n * sizeof *a, sizeof *a);
  for (size_t i = 0; i < n; i++) a[i] = any_float();
  return a;
}

static void compare_once(const qrt_wgemm_kernel *kernel, size_t m, size_t n, size_t k) {
  const qrt_wgemm_kernel *reference = &qrt_wgemm_kernels[qrt_wgemm_kernel_count - 1];
  const int bits = check_below(2) ? 8 : 4;
  const size_t group = check_below(2) ? k : 32 * (1 + check_below(3)), groups = (k + group - 1) / group;
  const size_t bytes = n * (bits == 8 ? k : (k + 1) / 2), a_stride = k + check_below(5), c_stride = n + check_below(5);
  const float *a = floats(SLOT_A, (m - 1) * a_stride + k), *bias = floats(SLOT_BIAS, n);
  int8_t *w = check_memory(SLOT_W, bytes, 1);
  float *scale = check_memory(SLOT_SCALE, n * groups * sizeof *scale, sizeof *scale);
  check_fill(w, bytes, 0);
  for (size_t i = 0; i < n * groups; i++)
    scale[i] = check_below(8) ? 0x1p-8f * (float)(1 + check_below(500)) : check_multiplier();
  const qrt_wgemm_weights weights = {n, k, group, bits, w, scale, bias};
  const qrt_wgemm_shape shape = {n, k, group, bits, check_below(2) == 0};
  void *packed = check_memory_at_guard(SLOT_PACKED, kernel->packed_size(n, k, group, bits), 64);
  void *reference_packed = check_memory_at_guard(SLOT_REFERENCE, reference->packed_size(n, k, group, bits), 64);
  check_output c = check_output_make(((m - 1) * c_stride + n) * sizeof(float), sizeof(float));
  check_case("m %zu, n %zu, k %zu, group %zu, %d bits, relu %d", m, n, k, group, bits, shape.relu);
  kernel->pack(&weights, packed);
  kernel->run(&shape, m, a, a_stride, packed, c.actual, c_stride);
  reference->pack(&weights, reference_packed);
  reference->run(&shape, m, a, a_stride, reference_packed, c.expected, c_stride);
  check_output_compare(&c);
}

static void wgemm_compare(size_t index) {
  static const size_t depths[] = {1, 2, 3, 31, 32, 33, 64, 65, 100, 131};
  const qrt_wgemm_kernel *kernel = &qrt_wgemm_kernels[index];
  for (size_t m = 1; m <= 2 * kernel->mr + 1; m++) {
    for (size_t i = 0; i < CHECK_SIZES; i++) {
      for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
        for (int trial = 0; trial < 4; trial++) compare_once(kernel, m, check_size(kernel->nr, i), depths[d]);
      }
    }
  }
}

typedef struct wgemm_run {
  const qrt_wgemm_kernel *kernel;
  qrt_wgemm_shape shape;
  size_t m;
  float *a, *c;
  void *packed;
} wgemm_run;

static void run_once(void *context) {
  const wgemm_run *r = context;
  r->kernel->run(&r->shape, r->m, r->a, r->shape.k, r->packed, r->c, r->shape.n);
}

static double wgemm_bench(size_t index, size_t shape, char *what) {
  static const struct {
    size_t m, group;
    int bits;
  } shapes[] = {{4, 32, 4}, {4, 256, 8}, {1, 32, 4}, {1, 256, 8}};
  enum { N = 256, K = 256 };
  static float bias[N], scale[N * K / 32];
  static uint8_t w[N * K];
  if (shape == sizeof shapes / sizeof shapes[0]) return 0;
  wgemm_run r = {.kernel = &qrt_wgemm_kernels[index], .m = shapes[shape].m};
  const size_t group = shapes[shape].group;
  const int bits = shapes[shape].bits;
  r.shape = (qrt_wgemm_shape){N, K, group, bits, 0};
  snprintf(what, CHECK_WHAT, "%zux%d, depth %d, %d bits in groups of %zu", r.m, N, K, bits, group);
  for (size_t i = 0; i < sizeof w; i++) w[i] = (uint8_t)check_below(256);
  for (size_t i = 0; i < sizeof scale / sizeof *scale; i++) scale[i] = 0.01f;
  r.a = floats(SLOT_A, r.m * K);
  for (size_t i = 0; i < r.m * K; i++) r.a[i] = (float)i * 0.01f;
  r.c = check_memory(CHECK_OUTPUT_SLOT, r.m * N * sizeof(float), 64);
  r.packed = check_memory_at_guard(SLOT_PACKED, r.kernel->packed_size(N, K, group, bits), 64);
  const qrt_wgemm_weights weights = {N, K, group, bits, w, scale, bias};
  r.kernel->pack(&weights, r.packed);
  return (double)(r.m * N * K) / check_time(run_once, &r);
}

CHECK_FAMILY(wgemm, "MAC");
