/* check_gemm.c - the gemm family; see check.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime_c/src/kernels/convert/convert.h"
#include "../../runtime_c/src/kernels/gemm/gemm.h"

#include "check.h"

enum { SLOT_A, SLOT_W, SLOT_BIAS, SLOT_MULTIPLIER, SLOT_PACKED, SLOT_REFERENCE, SLOT_SUM, SLOT_FLOAT_BIAS, SLOT_ROWS };

/* Floats of the columns from `first` on, by the reference: sums, then floats of them. */
static void reference_floats(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed, const float *multiplier,
                             const qrt_gemm_floats *f, float *c, size_t c_stride) {
  qrt_gemm_kernels[qrt_gemm_kernel_count - 1].run(m, n, a, packed, NULL, (int8_t *)c, c_stride);
  for (size_t i = 0; i < m; i++, c += c_stride / sizeof *c) {
    const qrt_quantization *q = f->rows + i * f->step;
    const qrt_sums_scale params = {f->sum, multiplier, f->bias, q->scale, q->zero_point, f->relu};
    qrt_convert_kernels[qrt_convert_kernel_count - 1].scale_sums(n, (const int32_t *)(const void *)c, &params, c);
  }
}

/* Biases are any floats, some of them such that the result is near zero; in half of the cases all of them are finite.
 */
static qrt_gemm_floats make_floats(size_t m, size_t n, const float *multiplier) {
  int32_t *sum = check_memory(SLOT_SUM, n * sizeof *sum, sizeof *sum);
  float *bias = check_memory(SLOT_FLOAT_BIAS, n * sizeof *bias, sizeof *bias);
  const size_t step = check_below(2), rows = step ? m : 1;
  qrt_quantization *q = check_memory(SLOT_ROWS, rows * sizeof *q, sizeof(int32_t));
  check_bias(sum, n);
  check_floats(bias, n);
  for (size_t i = 0; i < rows; i++) q[i] = (qrt_quantization){check_multiplier(), 0, check_zero_point()};
  const int finite = check_below(2) == 0;
  for (size_t j = 0; j < n; j++) {
    const int any = check_below(2) && (isfinite(bias[j]) || !finite);
    bias[j] = any ? bias[j] : (float)sum[j] * (q->scale * multiplier[j]);
  }
  return (qrt_gemm_floats){sum, bias, q, step, check_below(2) == 0};
}

static void compare_floats(const qrt_gemm_kernel *kernel, size_t m, size_t n, const qrt_gemm_rows *a,
                           const void *packed, const void *reference_packed, const float *multiplier, size_t c_stride) {
  const qrt_gemm_floats floats = make_floats(m, n, multiplier);
  check_output c = check_output_make((m - 1) * c_stride + n * sizeof(float), sizeof(float));
  reference_floats(m, n, a, reference_packed, multiplier, &floats, c.expected, c_stride);
  kernel->run_floats(m, n, a, packed, &floats, c.actual, c_stride);
  check_output_compare(&c);
}

/* m rows of `a`, whose memory is made here. */
static void compare_rows(const qrt_gemm_kernel *kernel, size_t m, size_t n, qrt_gemm_rows a) {
  const qrt_gemm_kernel *reference = &qrt_gemm_kernels[qrt_gemm_kernel_count - 1];
  const qrt_output_range range = check_range();
  const qrt_output_range *output = check_below(4) ? &range : NULL;
  const size_t element = output ? 1 : sizeof(int32_t);
  const size_t c_stride = (n + (check_below(2) ? check_below(9) : 0)) * element;
  const int32_t a_zero_point = check_zero_point();
  const size_t runs = a.runs, run = a.run;
  const size_t lines = (m - 1) / a.width, columns = m < a.width ? m : a.width;
  const size_t size = lines * a.y_stride + (columns - 1) * a.x_stride + (runs - 1) * a.run_stride + run;

  int8_t *left = check_memory(SLOT_A, size, 1);
  int8_t *w = check_memory(SLOT_W, n * runs * run, 1);
  int32_t *bias = check_memory(SLOT_BIAS, n * sizeof *bias, sizeof *bias);
  float *multiplier = check_memory(SLOT_MULTIPLIER, n * sizeof *multiplier, sizeof *multiplier);
  check_fill(left, size, a_zero_point);
  check_fill(w, n * runs * run, 0);
  check_bias(bias, n);
  const int one_multiplier = check_below(2) == 0;
  for (size_t j = 0; j < n; j++) multiplier[j] = one_multiplier && j > 0 ? multiplier[0] : check_multiplier();
  a.a = left;

  const qrt_gemm_weights weights = {n, runs, run, w, bias, multiplier, a_zero_point, !output};
  void *packed = check_memory_at_guard(SLOT_PACKED, kernel->packed_size(n, runs, run), 64);
  void *reference_packed = check_memory_at_guard(SLOT_REFERENCE, reference->packed_size(n, runs, run), 64);
  check_output c = check_output_make((m - 1) * c_stride + n * element, element);
  check_case(
      "m %zu, n %zu, %zu runs of %zu, strides %zu %zu %zu, width %zu, c_stride %zu, zero points %d %d, clamp %d..%d, "
      "multiplier[0] %a, %s",
      m, n, runs, run, a.run_stride, a.x_stride, a.y_stride, a.width, c_stride, a_zero_point, range.zero_point,
      range.min, range.max, (double)multiplier[0], output ? "int8" : "sums");
  kernel->pack(&weights, packed);
  if (!qrt_gemm_usable(kernel, packed, n, runs, run)) check_fail("what pack made is refused");
  reference->pack(&weights, reference_packed);
  kernel->run(m, n, &a, packed, output, c.actual, c_stride);
  reference->run(m, n, &a, reference_packed, output, c.expected, c_stride);
  check_output_compare(&c);
  if (kernel->layout && n > kernel->nr) { /* the same in two parts, as threads do it */
    const size_t first = kernel->nr * (1 + check_below((uint32_t)((n - 1) / kernel->nr)));
    const char *rest = (const char *)packed + kernel->packed_size(first, runs, run);
    check_output parts = check_output_make((m - 1) * c_stride + n * element, element);
    reference->run(m, n, &a, reference_packed, output, parts.expected, c_stride);
    kernel->run(m, first, &a, packed, output, parts.actual, c_stride);
    kernel->run(m, n - first, &a, rest, output, (int8_t *)parts.actual + first * element, c_stride);
    check_output_compare(&parts);
  }
  if (kernel->run_floats && !output) {
    compare_floats(kernel, m, n, &a, packed, reference_packed, multiplier, c_stride);
  }
}

static void compare_once(const qrt_gemm_kernel *kernel, size_t m, size_t n, size_t runs, size_t run) {
  qrt_gemm_rows a = {NULL, runs, run, 0, 0, 0, 0};
  /* Rows may follow each other, overlap as a window's positions do, or lie apart; so may runs and lines of rows. */
  a.width = check_below(2) ? SIZE_MAX : 1 + check_below((uint32_t)m);
  a.x_stride = check_below(2) ? run + check_below(9) : 1 + check_below((uint32_t)run);
  a.run_stride = check_below(2) ? run + check_below(9) : 1 + check_below((uint32_t)run);
  a.y_stride = check_below(3) ? check_below(200) : a.width * a.x_stride;
  compare_rows(kernel, m, n, a);
}

/* Lines of windows three pixels wide, of colors or of more channels, which a kernel may take in a way of their own. */
static void compare_windows(const qrt_gemm_kernel *kernel) {
  const size_t pixel = check_below(3) ? 4 * (1 + check_below(9)) : 3, width = 8 + check_below(60);
  const size_t lines = 1 + check_below(3), step = check_below(3) ? pixel : 1 + check_below(20);
  const qrt_gemm_rows a = {NULL,
                           1 + check_below(4),
                           3 * pixel,
                           check_below(2) ? 3 * pixel : 1 + check_below(200),
                           width,
                           step,
                           width * step + check_below(50)};
  compare_rows(kernel, width * lines + (check_below(4) ? 0 : check_below((uint32_t)width)), 1 + check_below(90), a);
}

/* Depths around kr, and around what a kernel may take at once. */
static const size_t depths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15, 16, 17, 24, 31, 32, 33, 61, 64, 67, 131};
enum { DEPTHS = sizeof depths / sizeof depths[0] };

/* Panels of the neon kernel begin with a flag: are there products that would not fit int16 in pairs? */
static void refuse_wrong_flags(const qrt_gemm_kernel *kernel) {
  enum { N = 24, RUN = 40 };
  static int8_t w[N * RUN];
  static int32_t bias[N];
  static float multiplier[N];
  for (int trial = 0; trial < 20; trial++) {
    const size_t panel = check_below(3), column = 8 * panel + check_below(8), pair = check_below(8);
    const int wide = trial % 2;
    for (size_t i = 0; i < sizeof w; i++) w[i] = (int8_t)(check_random() | 1);
    if (wide) w[column * RUN + pair] = w[column * RUN + pair + 8] = -128;
    const qrt_gemm_weights weights = {N, 1, RUN, w, bias, multiplier, 0, 0};
    char *packed = check_memory_at_guard(SLOT_PACKED, kernel->packed_size(N, 1, RUN), 64);
    kernel->pack(&weights, packed);
    check_case("flag of panel %zu, wide %d", panel, wide);
    int32_t *flag = (int32_t *)(void *)(packed + kernel->packed_size(8 * panel, 1, RUN));
    if (*flag != wide) check_fail("the flag is %d", (int)*flag);
    *flag = !wide;
    if (qrt_gemm_usable(kernel, packed, N, 1, RUN)) check_fail("it was damaged, and nobody noticed");
    *flag = wide;
    if (!qrt_gemm_usable(kernel, packed, N, 1, RUN)) check_fail("it was repaired, and still refused");
  }
}

/* Panels of all ARM kernels have two more: are results small, so that nothing has to saturate on the way to int16, and
 * are sums below 2^23? Here they are as large as they can be, or not quite small. */
static void compare_largest(const qrt_gemm_kernel *kernel) {
  enum { M = 13, N = 24, RUN = 48, MOST = 128 * 128 * RUN };
  static int8_t a[M * RUN], w[N * RUN], actual[M * N], expected[M * N];
  static int32_t bias[N];
  static float multiplier[N];
  const qrt_gemm_kernel *reference = &qrt_gemm_kernels[qrt_gemm_kernel_count - 1];
  const qrt_gemm_rows rows = qrt_gemm_matrix(a, RUN, RUN);
  const qrt_gemm_weights weights = {N, 1, RUN, w, bias, multiplier, 0, 0};
  char *packed = check_memory_at_guard(SLOT_PACKED, kernel->packed_size(N, 1, RUN), 64);
  char *reference_packed = check_memory_at_guard(SLOT_REFERENCE, reference->packed_size(N, 1, RUN), 64);
  for (int trial = 0; trial < 200; trial++) {
    const size_t last = trial % 2 ? N : check_below(N); /* the one column, if any, whose results are not small */
    const qrt_output_range output = trial % 4 < 2 ? (qrt_output_range){check_zero_point(), -128, 127} : check_range();
    memset(a, -128, sizeof a);
    for (size_t j = 0; j < N; j++) {
      const int negative = (int)check_below(2);
      memset(w + j * RUN, negative ? 127 : -128, RUN);
      bias[j] = (int32_t)check_below(trial % 3 ? (1 << 23) - MOST : 1 << 23);
      if (check_below(40) == 0) bias[j] = (1 << 23) - MOST - 1 + (int32_t)check_below(2);
      multiplier[j] = (j == last ? 32010.0f : 31999.0f) / (float)(MOST + bias[j]);
      if (negative) bias[j] = -bias[j];
    }
    check_case("results up to 32000, zero point %d, clamp %d..%d, column %zu beyond", output.zero_point, output.min,
               output.max, last);
    kernel->pack(&weights, packed);
    reference->pack(&weights, reference_packed);
    kernel->run(M, N, &rows, packed, &output, actual, N);
    reference->run(M, N, &rows, reference_packed, &output, expected, N);
    if (memcmp(actual, expected, sizeof actual) != 0) check_fail("other bytes than the reference's");
    const size_t width = kernel->nr, panel = (last < N ? last : check_below(N)) / width * width;
    int32_t expected_flags = last < N ? 2 : 3;
    for (size_t j = panel; j < N && j < panel + width; j++) {
      if (abs(bias[j]) + MOST >= 1 << 23) expected_flags &= 1;
    }
    int32_t *flags = (int32_t *)(void *)(packed + kernel->packed_size(panel, 1, RUN)) + 1;
    if (*flags != expected_flags) check_fail("the flags are %d, not %d", (int)*flags, (int)expected_flags);
    *flags ^= 1 << check_below(2);
    if (qrt_gemm_usable(kernel, packed, N, 1, RUN)) check_fail("it was damaged, and nobody noticed");
  }
}

static void gemm_compare(size_t index) {
  const qrt_gemm_kernel *kernel = &qrt_gemm_kernels[index];
  if (kernel->isa == QRT_ISA_neon) refuse_wrong_flags(kernel);
  if (kernel->isa & (QRT_ISA_neon | QRT_ISA_neondot | QRT_ISA_i8mm)) compare_largest(kernel);
  /* Every number of rows that a tile and the rest behind it can have. */
  for (size_t m = 1; m <= 2 * kernel->mr + 5; m++) {
    for (size_t i = 0; i < CHECK_SIZES; i++) {
      const size_t n = check_size(kernel->nr, i);
      for (size_t d = 0; d < DEPTHS; d++) {
        for (int trial = 0; trial < 4; trial++) compare_once(kernel, m, n, 1, depths[d]);
      }
    }
    /* Every number of columns, and windows of several runs. */
    for (int trial = 0; trial < 300; trial++) {
      const size_t run = depths[check_below(DEPTHS - 4)];
      const size_t runs = run < kernel->kr ? 1 : 1 + check_below(5);
      compare_once(kernel, m, 1 + check_below(2 * kernel->nr), runs, run);
    }
  }
  /* Little depth and many columns: the epilogue, on every kind of accumulator. */
  for (int trial = 0; trial < 3000; trial++)
    compare_once(kernel, kernel->mr, 4 * kernel->nr + check_below(kernel->nr), 1, 1);
  for (int trial = 0; trial < 2000; trial++) compare_windows(kernel);
  /* Many short runs. */
  for (int trial = 0; trial < 40; trial++) {
    compare_once(kernel, 1 + check_below(2 * kernel->mr), 1 + check_below(2 * kernel->nr), 60 + check_below(300),
                 kernel->kr + check_below(10));
  }
  /* Long sums, up to more than 2^24, where f32(acc) rounds. */
  for (int trial = 0; trial < 40; trial++)
    compare_once(kernel, 1 + check_below(kernel->mr), 2, 1, 1499 + check_below(700));
}

typedef struct gemm_run {
  const qrt_gemm_kernel *kernel;
  size_t m, n, k;
  int8_t *a, *c;
  void *packed;
  qrt_output_range range;
} gemm_run;

static void run_once(void *context) {
  const gemm_run *r = context;
  const qrt_gemm_rows rows = qrt_gemm_matrix(r->a, r->k, r->k);
  r->kernel->run(r->m, r->n, &rows, r->packed, &r->range, r->c, r->n);
}

static double gemm_bench(size_t index, size_t shape, char *what) {
  /* All of it in the first-level cache; then little depth, few columns, few rows, and weights from further away. */
  static const struct {
    size_t m, n, k;
  } shapes[] = {{24, 128, 256}, {48, 64, 576}, {48, 96, 16},  {48, 144, 24}, {48, 24, 144},
                {48, 16, 144},  {48, 8, 27},   {4, 256, 256}, {1, 128, 128}, {1, 1024, 256}};
  enum { LARGEST = 1024 * 256 };
  static int8_t w[LARGEST];
  static int32_t bias[1024];
  static float multiplier[1024];
  if (shape == sizeof shapes / sizeof shapes[0]) return 0;
  gemm_run r = {.kernel = &qrt_gemm_kernels[index], .range = {0, -128, 127}};
  r.m = shapes[shape].m, r.n = shapes[shape].n, r.k = shapes[shape].k;
  snprintf(what, CHECK_WHAT, "%zux%zu, depth %zu", r.m, r.n, r.k);
  for (size_t i = 0; i < r.n * r.k; i++) w[i] = (int8_t)(check_random() & 0xff);
  for (size_t j = 0; j < r.n; j++) multiplier[j] = 0.001f;
  r.a = check_memory_at_guard(SLOT_A, r.m * r.k, 64);
  r.c = check_memory_at_guard(CHECK_OUTPUT_SLOT, r.m * r.n + 64, 64); /* see check_dwconv.c */
  r.packed = check_memory_at_guard(SLOT_PACKED, r.kernel->packed_size(r.n, 1, r.k), 64);
  check_fill(r.a, r.m * r.k, 0);
  const qrt_gemm_weights weights = {r.n, 1, r.k, w, bias, multiplier, 3, 0};
  r.kernel->pack(&weights, r.packed);
  return (double)(r.m * r.n * r.k) / check_time(run_once, &r);
}

CHECK_FAMILY(gemm, "MAC");
