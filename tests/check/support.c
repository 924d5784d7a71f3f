/* support.c - memory, random data and timing of the checks. The report is check.c's. */
#define _DEFAULT_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* ---- memory ---- */

#if QRT_HOSTED
#include <sys/mman.h>

enum { SLOT_SIZE = 1 << 20 };

static char *slot_memory(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *memory = mmap(NULL, SLOT_SIZE + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED || mprotect(memory + SLOT_SIZE, page, PROT_NONE) != 0 ? NULL : memory;
}
#else /* no pages, so none that notices trespass; margins do */
enum { SLOT_SIZE = 3 << 16 }; /* all of them fit into 4 MB */

static char *slot_memory(void) {
  return malloc(SLOT_SIZE + CHECK_MARGIN);
}
#endif

static char *slot_end(size_t slot) {
  static char *ends[CHECK_SLOTS + 1];
  if (ends[slot] == NULL) {
    char *memory = slot_memory();
    if (memory == NULL) {
      perror("check: memory");
      exit(2);
    }
    ends[slot] = memory + SLOT_SIZE;
  }
  return ends[slot];
}

static char *place(size_t slot, size_t size, size_t alignment, size_t distance) {
  if (size + distance + alignment + CHECK_MARGIN > SLOT_SIZE) {
    fprintf(stderr, "check: %zu bytes are too many for a slot\n", size);
    exit(2);
  }
  char *memory = slot_end(slot) - size - distance;
  return memory - (uintptr_t)memory % alignment;
}

void *check_memory_at_guard(size_t slot, size_t size, size_t alignment) {
  return place(slot, size, alignment, 0);
}

void *check_memory(size_t slot, size_t size, size_t alignment) {
  return place(slot, size, alignment, check_below(2) ? 0 : CHECK_MARGIN + check_below(64));
}

static char expected_memory[SLOT_SIZE];

check_output check_output_make(size_t size, size_t alignment) {
  const int filler = (int)check_below(256);
  char *actual = check_memory(CHECK_OUTPUT_SLOT, size, alignment);
  const size_t room = (size_t)(slot_end(CHECK_OUTPUT_SLOT) - actual) - size;
  const check_output output = {expected_memory + CHECK_MARGIN, actual, size, room < CHECK_MARGIN ? room : CHECK_MARGIN};
  memset(expected_memory, filler, size + 2 * CHECK_MARGIN);
  memset(actual - CHECK_MARGIN, filler, CHECK_MARGIN + size + output.margin_after);
  return output;
}

void check_output_compare(const check_output *output) {
  const signed char *expected = (const signed char *)output->expected - CHECK_MARGIN;
  const signed char *actual = (const signed char *)output->actual - CHECK_MARGIN;
  const size_t size = CHECK_MARGIN + output->size + output->margin_after;
  if (memcmp(expected, actual, size) == 0) return;
  size_t first = 0, different = 0;
  for (size_t i = size; i-- > 0;) {
    if (expected[i] == actual[i]) continue;
    first = i;
    different++;
  }
  const long at = (long)first - CHECK_MARGIN;
  const char *where = at < 0 ? "before the output" : (size_t)at >= output->size ? "behind the output" : "in the output";
  check_fail("%zu bytes differ, first %s at %ld: expected %d, got %d", different, where, at, expected[first],
             actual[first]);
}

/* ---- data ---- */

static uint64_t state = 1;

void check_seed(uint64_t seed) {
  state = seed * 2654435769u + 1;
}

/* splitmix64 */
uint32_t check_random(void) {
  uint64_t x = state += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)(x >> 32);
}

uint32_t check_below(uint32_t n) {
  return (uint32_t)(((uint64_t)check_random() * n) >> 32);
}

void check_fill(int8_t *a, size_t n, int32_t zero_point) {
  const uint32_t kind = check_below(8);
  for (size_t i = 0; i < n; i++) {
    switch (kind) {
      case 0:
        a[i] = -128;
        break;
      case 1:
        a[i] = 127;
        break;
      case 2:
        a[i] = i % 2 ? -128 : 127;
        break;
      case 3: {
        const int32_t near = zero_point + (int32_t)check_below(3) - 1;
        a[i] = (int8_t)(near < -128 ? -128 : near > 127 ? 127 : near);
        break;
      }
      default:
        a[i] = (int8_t)(check_random() & 0xff);
    }
  }
}

int32_t check_zero_point(void) {
  switch (check_below(5)) {
    case 0:
      return -128;
    case 1:
      return 127;
    case 2:
      return 0;
    default:
      return (int32_t)check_below(256) - 128;
  }
}

qrt_output_range check_range(void) {
  qrt_output_range range = {check_zero_point(), -128, 127};
  const int32_t any = (int32_t)check_below(256) - 128;
  switch (check_below(6)) {
    case 0:
      range.min = range.zero_point;
      break;
    case 1:
      range.min = any;
      range.max = any + (int32_t)check_below(4);
      if (range.max > 127) range.max = 127;
      break;
    case 2:
      range.min = range.max = any;
      break;
    default:
      break;
  }
  return range;
}

static float power_of_two(int exponent) {
  float power = 1.0f;
  for (; exponent > 0; exponent--) power *= 2.0f;
  for (; exponent < 0; exponent++) power *= 0.5f;
  return power;
}

float check_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static float any_float(void) {
  static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff,
                                     0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff};
  switch (check_below(4)) {
    case 0:
      return check_float(special[check_below(13)]);
    case 1:
      return check_float(check_random());
    default:
      return ((float)check_random() * 0x1p-32f - 0.5f) * (float)(1u << check_below(9));
  }
}

void check_floats(float *a, size_t n) {
  for (size_t i = 0; i < n; i++) a[i] = any_float();
}

float check_multiplier(void) {
  const float mantissa = 1.0f + (float)check_below(1u << 23) / (float)(1u << 23);
  switch (check_below(8)) {
    case 0:
      return power_of_two(-60);
    case 1:
      return power_of_two(60);
    case 2:
    case 3:
      return power_of_two((int)check_below(20) - 18);
    case 4:
      return mantissa * power_of_two((int)check_below(119) - 60);
    default:
      return mantissa * power_of_two((int)check_below(24) - 22);
  }
}

void check_bias(int32_t *bias, size_t n) {
  const uint32_t kind = check_below(7);
  for (size_t i = 0; i < n; i++) {
    switch (kind) {
      case 0:
        bias[i] = 0;
        break;
      case 1:
        bias[i] = i % 2 ? INT32_MIN : INT32_MAX;
        break;
      case 2:
        bias[i] = (int32_t)(0x80000000u + check_below(100000) - 50000); /* some will wrap */
        break;
      case 3:
        bias[i] = (int32_t)check_random();
        break;
      case 4: /* where integers begin to be more than floats hold */
        bias[i] = (int32_t)((check_below(2) ? 0u - (1u << 23) : 1u << 23) + check_below(200000) - 100000);
        break;
      default:
        bias[i] = (int32_t)check_below(20001) - 10000;
    }
  }
}

size_t check_size(size_t tile, size_t index) {
  const size_t sizes[CHECK_SIZES] = {1, tile > 1 ? tile - 1 : 2, tile, tile + 1, 2 * tile + 1, 61};
  return sizes[index];
}

size_t check_any_size(size_t tile) {
  return check_size(tile, check_below(CHECK_SIZES));
}

/* ---- benchmarks ---- */

#if QRT_HOSTED
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}
#else
#include "board.h"

/* As if a cycle took a nanosecond. */
static double now(void) {
  return (double)qrt_board_cycles();
}
#endif

/* The best of many short spans, so that other processes do not count. */
double check_time(void (*run)(void *context), void *context) {
  enum { SPANS = 200 };
  size_t calls = 1;
  double best = 0, start = now(), elapsed = 0;
  while (elapsed < 2e7) { /* warms up; then a span takes about 0.1 ms */
    run(context);
    elapsed = now() - start;
    calls++;
  }
  calls = calls / 200 + 1;
  for (int span = 0; span < SPANS; span++) {
    start = now();
    for (size_t i = 0; i < calls; i++) run(context);
    elapsed = (now() - start) / (double)calls;
    if (span == 0 || elapsed < best) best = elapsed;
  }
  return best;
}

static void spin(void *context) {
  size_t *steps = context, x = 1;
  for (size_t i = *steps; i > 0; i--) {
    x += x;
    __asm__ volatile("" : "+r"(x));
  }
}

double check_cycles_per_ns(void) {
  size_t steps = 10000;
  return (double)steps / check_time(spin, &steps);
}
