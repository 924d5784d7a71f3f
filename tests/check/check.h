/* check.h - what the checks of all kernel families share: memory that notices trespass, random data that provokes, and
 * the report. A family's file holds one check_family; which kernels there are comes from the family's .inc, so that a
 * new kernel needs no change here.
 *
 * A check compares each kernel with the last one of its family, the scalar reference, byte by byte. The reference goes
 * through the same memory, so its reads and writes are watched as well.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../runtime_c/src/kernels/kernels.h"

enum { CHECK_WHAT = 160 }; /* room for any five numbers */

typedef struct check_family {
  const char *name;
  size_t (*count)(void);
  const char *(*kernel_name)(size_t index);
  uint32_t (*isa)(size_t index);
  void (*compare)(size_t index); /* every case calls check_case, then check_output_compare; returns if all agree */
  /* `unit`s per nanosecond of the kernel's `shape`-th workload, named in what[CHECK_WHAT]; 0 when there are no more. */
  double (*bench)(size_t index, size_t shape, char *what);
  const char *unit;
} check_family;

/* Defines check_<family> from its table of kernels and from <family>_compare and <family>_bench. */
#define CHECK_FAMILY(family, unit)                                                                    \
  static size_t family##_count(void) {                                                                \
    return qrt_##family##_kernel_count;                                                               \
  }                                                                                                   \
  static const char *family##_name(size_t index) {                                                    \
    return qrt_##family##_kernels[index].name;                                                        \
  }                                                                                                   \
  static uint32_t family##_isa(size_t index) {                                                        \
    return qrt_##family##_kernels[index].isa;                                                         \
  }                                                                                                   \
  const check_family check_##family = {#family,          family##_count, family##_name, family##_isa, \
                                       family##_compare, family##_bench, unit}

extern const check_family check_requantize, check_gemm, check_dwconv, check_vadd, check_vmul, check_pool, check_lut,
    check_convert, check_interleave, check_arithmetic, check_functions, check_wgemm, check_unary, check_binary,
    check_rows, check_matmul, check_taps, check_transpose;

/* ---- report ---- */

/* Opens a case: counts it and keeps its description for a failure's message. */
void check_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reports a failure in the current case and leaves the kernel; does not return. */
_Noreturn void check_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- memory ---- */

/* `size` bytes in a mapping of the slot's own, which has an inaccessible page behind it. Either the last byte is the
 * last before that page, or the address is odd by chance; always a multiple of `alignment`. Asking again for a slot
 * reuses its memory. */
void *check_memory(size_t slot, size_t size, size_t alignment);

/* As above, but always as close before the page as the alignment allows. */
void *check_memory_at_guard(size_t slot, size_t size, size_t alignment);

enum { CHECK_SLOTS = 24, CHECK_OUTPUT_SLOT = CHECK_SLOTS };

/* An output twice: from the reference and from the kernel under test, with margins that both must leave alone. */
typedef struct check_output {
  void *expected, *actual;
  size_t size;
  size_t margin_after; /* of `actual`; the margin before is CHECK_MARGIN */
} check_output;

enum { CHECK_MARGIN = 64 };

/* Both filled with one random byte, margins included. */
check_output check_output_make(size_t size, size_t alignment);
void check_output_compare(const check_output *output);

/* ---- data ---- */

void check_seed(uint64_t seed);
uint32_t check_random(void);
uint32_t check_below(uint32_t n); /* [0, n) */

/* int8: random; all -128; all 127; alternating; around the zero point. */
void check_fill(int8_t *a, size_t n, int32_t zero_point);

/* -128, 127, 0 or random. */
int32_t check_zero_point(void);

/* Full, rectified, narrow, and a single value. */
qrt_output_range check_range(void);

/* In [2^-60, 2^60], its ends included; often a power of two, which makes ties. */
float check_multiplier(void);

/* Zero, small, random, at and near the ends of int32. */
void check_bias(int32_t *bias, size_t n);

/* A float with these bits. */
float check_float(uint32_t bits);

/* Any floats at all, special values often; many where functions are neither flat nor linear. */
void check_floats(float *a, size_t n);

/* 1, t-1, t, t+1, 2t+1 and a prime, chosen by chance or by index; a size is never 0. */
enum { CHECK_SIZES = 6 };
size_t check_size(size_t tile, size_t index);
size_t check_any_size(size_t tile);

/* ---- benchmarks ---- */

/* Nanoseconds that one call of run(context) takes. */
double check_time(void (*run)(void *context), void *context);

/* The clock, measured by a chain of additions, one cycle each. */
double check_cycles_per_ns(void);

#endif
