/* check_functions.c - functions of floats, and the cells of recurrent layers; see check.h. */
#include "../../runtime_c/src/kernels/functions/functions.h"

#include <string.h>

#include "check.h"

enum { SLOT_A, SLOT_X, SLOT_H, SLOT_CELL };

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Any float at all, special values often; or one where the functions are neither flat nor linear. */
static float any_float(void) {
  static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff,
                                     0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff};
  switch (check_below(4)) {
    case 0:
      return from_bits(special[check_below(13)]);
    case 1:
      return from_bits(check_random());
    default:
      return ((float)check_random() * 0x1p-32f - 0.5f) * (float)(1u << check_below(9));
  }
}

static float *floats(size_t slot, size_t n) {
  float *a = check_memory(slot, n * sizeof *a, sizeof *a);
  for (size_t i = 0; i < n; i++) a[i] = any_float();
  return a;
}

static void compare_function(size_t n, const char *name, void (*kernel)(size_t, const float *, float *),
                             void (*reference)(size_t, const float *, float *)) {
  const float *a = floats(SLOT_A, n);
  const int in_place = check_below(2) == 0;
  check_output c = check_output_make(n * sizeof *a, sizeof *a);
  check_case("%s: n %zu, in place %d", name, n, in_place);
  reference(n, a, c.expected);
  if (in_place) memcpy(c.actual, a, n * sizeof *a);
  kernel(n, in_place ? c.actual : a, c.actual);
  check_output_compare(&c);
}

/* Cells: outputs are the new hidden state and, of lstm, the new cell state behind it. */
static void compare_cells(const qrt_functions_kernel *kernel, size_t n) {
  const qrt_functions_kernel *reference = &qrt_functions_kernels[qrt_functions_kernel_count - 1];
  const float *x = floats(SLOT_X, 4 * n), *h = floats(SLOT_H, 4 * n), *before = floats(SLOT_CELL, n);
  const int relu = check_below(2) == 0;
  check_output c = check_output_make(2 * n * sizeof(float), sizeof(float));
  float *actual = c.actual, *expected = c.expected;
  check_case("cells: n %zu, relu %d", n, relu);
  kernel->rnn(n, x, h, relu, actual);
  reference->rnn(n, x, h, relu, expected);
  kernel->gru(n, x, h, before, actual + n);
  reference->gru(n, x, h, before, expected + n);
  check_output_compare(&c);
  memcpy(actual + n, before, n * sizeof *before);
  memcpy(expected + n, before, n * sizeof *before);
  kernel->lstm(n, x, h, actual + n, actual);
  reference->lstm(n, x, h, expected + n, expected);
  check_output_compare(&c);
}

static void functions_compare(size_t index) {
  const qrt_functions_kernel *kernel = &qrt_functions_kernels[index];
  const qrt_functions_kernel *reference = &qrt_functions_kernels[qrt_functions_kernel_count - 1];
  for (int trial = 0; trial < 600; trial++) {
    const size_t n = trial < 3 * CHECK_SIZES ? check_size(kernel->xr, (size_t)trial % CHECK_SIZES) : check_any_size(40);
    compare_function(n, "sigmoid", kernel->sigmoid, reference->sigmoid);
    compare_function(n, "tanh", kernel->tanh, reference->tanh);
    compare_cells(kernel, n);
  }
  /* Every 4099th float there is. */
  for (uint32_t bits = 0; bits < UINT32_MAX - 4096 * 4099u; bits += 4096 * 4099u) {
    float *a = check_memory(SLOT_A, 4096 * sizeof *a, sizeof *a);
    for (uint32_t i = 0; i < 4096; i++) a[i] = from_bits(bits + i * 4099u);
    check_output c = check_output_make(4096 * sizeof *a, sizeof *a);
    check_case("sigmoid and tanh of floats from %08x on", (unsigned)bits);
    kernel->sigmoid(4096, a, c.actual);
    reference->sigmoid(4096, a, c.expected);
    check_output_compare(&c);
    kernel->tanh(4096, a, c.actual);
    reference->tanh(4096, a, c.expected);
    check_output_compare(&c);
  }
}

typedef struct functions_run {
  const qrt_functions_kernel *kernel;
  float x[1024], h[1024], cell[256], c[256];
} functions_run;

static void sigmoid_once(void *context) {
  functions_run *r = context;
  r->kernel->sigmoid(256, r->x, r->c);
}

static void tanh_once(void *context) {
  functions_run *r = context;
  r->kernel->tanh(256, r->x, r->c);
}

static void lstm_once(void *context) {
  functions_run *r = context;
  r->kernel->lstm(256, r->x, r->h, r->cell, r->c);
}

static void gru_once(void *context) {
  functions_run *r = context;
  r->kernel->gru(256, r->x, r->h, r->cell, r->c);
}

static double functions_bench(size_t index, size_t shape, char *what) {
  static const struct {
    const char *what;
    void (*once)(void *context);
  } parts[] = {{"sigmoid", sigmoid_once}, {"tanh", tanh_once}, {"lstm", lstm_once}, {"gru", gru_once}};
  static functions_run r;
  if (shape == sizeof parts / sizeof parts[0]) return 0;
  r.kernel = &qrt_functions_kernels[index];
  for (size_t i = 0; i < 1024; i++) r.x[i] = (float)(i % 64) * 0.1f - 3;
  snprintf(what, CHECK_WHAT, "%s, 256 elements", parts[shape].what);
  return 256 / check_time(parts[shape].once, &r);
}

CHECK_FAMILY(functions, "element");
