/* check_functions.c - the cells of recurrent layers; see check.h. */
#include "../../runtime_c/src/kernels/functions/functions.h"

#include <string.h>

#include "check.h"

enum { SLOT_X, SLOT_H, SLOT_CELL };

static float *floats(size_t slot, size_t n) {
  float *a = check_memory(slot, n * sizeof *a, sizeof *a);
  check_floats(a, n);
  return a;
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
  for (int trial = 0; trial < 600; trial++) {
    const size_t n = trial < 3 * CHECK_SIZES ? check_size(kernel->xr, (size_t)trial % CHECK_SIZES) : check_any_size(40);
    compare_cells(kernel, n);
  }
}

typedef struct functions_run {
  const qrt_functions_kernel *kernel;
  float x[1024], h[1024], cell[256], c[256];
} functions_run;

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
  } parts[] = {{"lstm", lstm_once}, {"gru", gru_once}};
  static functions_run r;
  if (shape == sizeof parts / sizeof parts[0]) return 0;
  r.kernel = &qrt_functions_kernels[index];
  for (size_t i = 0; i < 1024; i++) r.x[i] = (float)(i % 64) * 0.1f - 3;
  snprintf(what, CHECK_WHAT, "%s, 256 elements", parts[shape].what);
  return 256 / check_time(parts[shape].once, &r);
}

CHECK_FAMILY(functions, "element");
