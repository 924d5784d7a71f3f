/* check_binary.c - functions of two floats; see check.h. */
#include "../../runtime_c/src/kernels/binary/binary.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

enum { SLOT_A, SLOT_B };

static const float *operand(size_t slot, size_t n, size_t step) {
  const size_t count = step ? n : 1;
  float *a = check_memory(slot, count * sizeof *a, sizeof *a);
  check_floats(a, count);
  return a;
}

static void binary_compare(size_t index) {
  const qrt_binary_kernel *kernel = &qrt_binary_kernels[index];
  const qrt_binary_kernel *reference = &qrt_binary_kernels[qrt_binary_kernel_count - 1];
  for (size_t trial = 0; trial < 1000; trial++) {
    const size_t n = trial < 3 * CHECK_SIZES ? check_size(kernel->xr, trial % CHECK_SIZES) : check_any_size(40);
    const size_t a_step = check_below(4) != 0, b_step = check_below(4) != 0;
    const float *a = operand(SLOT_A, n, a_step), *b = operand(SLOT_B, n, b_step);
    const int in_place = (a_step || b_step) && check_below(2) == 0;
    for (int function = 0; function < QRT_BINARY_COUNT; function++) {
      check_output c = check_output_make(n * sizeof *a, sizeof *a);
      check_case("function %d: n %zu, steps %zu %zu, in place %d", function, n, a_step, b_step, in_place);
      reference->run((qrt_binary_function)function, n, a, a_step, b, b_step, c.expected);
      if (in_place) memcpy(c.actual, a_step ? a : b, n * sizeof *a);
      kernel->run((qrt_binary_function)function, n, in_place && a_step ? c.actual : a, a_step,
                  in_place && !a_step ? c.actual : b, b_step, c.actual);
      check_output_compare(&c);
    }
  }
}

typedef struct binary_run {
  const qrt_binary_kernel *kernel;
  float a[1024], b[1024], c[1024];
} binary_run;

static void run_once(void *context) {
  binary_run *r = context;
  r->kernel->run(QRT_BINARY_add, 1024, r->a, 1, r->b, 1, r->c);
}

static double binary_bench(size_t index, size_t shape, char *what) {
  if (shape > 0) return 0;
  snprintf(what, CHECK_WHAT, "sum of 1024 elements");
  static binary_run r;
  r.kernel = &qrt_binary_kernels[index];
  return 1024 / check_time(run_once, &r);
}

CHECK_FAMILY(binary, "element");
