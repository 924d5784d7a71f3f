/* clock.h - a time in microseconds that nobody sets back, or on a board without an operating system the core's cycles.
 * Whoever includes it asks for POSIX before all else. */
#ifndef CLOCK_H
#define CLOCK_H

#if QRT_HOSTED
#include <time.h>

#define CLOCK_UNIT "us"

static inline double clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}
#else
#include "board.h"

#define CLOCK_UNIT "cycles"

static inline double clock_now(void) {
  return (double)qrt_board_cycles();
}
#endif
#endif
