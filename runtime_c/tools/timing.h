/* timing.h - how long runs took, and where the time went. Times are in CLOCK_UNIT. */
#ifndef TIMING_H
#define TIMING_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "qrt.h"

typedef struct operator_timing {
  double sum; /* over all runs */
  const char *operation, *name, *kernel;
} operator_timing;

typedef struct timing {
  double *runs; /* `most` of them have room */
  unsigned long count, most;
  operator_timing *operators; /* NULL unless asked for */
  double last;                /* when the operator in progress began */
} timing;

/* 0 without enough memory. */
static inline int timing_open(timing *t, unsigned long runs, uint32_t operators) {
  *t = (timing){NULL, 0, runs, NULL, 0};
  if (runs <= SIZE_MAX / sizeof *t->runs) {
    t->runs = malloc(runs * sizeof *t->runs);
    t->operators = operators ? calloc(operators, sizeof *t->operators) : NULL;
  }
  return t->runs && (t->operators || !operators);
}

static inline void timing_close(timing *t) {
  free(t->runs);
  free(t->operators);
}

/* What qrt_config.on_operator gets to be called with. */
static inline void timing_operator(void *user, const qrt_event *event) {
  timing *t = user;
  if (t->operators) {
    operator_timing *o = &t->operators[event->index];
    *o = (operator_timing){o->sum + clock_now() - t->last, event->operation, event->name, event->kernel};
    t->last = clock_now();
  }
}

static inline double timing_begin(timing *t) {
  return t->last = clock_now();
}

static inline void timing_end(timing *t, double begin) {
  t->runs[t->count++] = clock_now() - begin;
}

static inline int timing_order(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline void timing_print(timing *t) {
  qsort(t->runs, t->count, sizeof *t->runs, timing_order);
  printf("runs %lu  min %.1f  median %.1f  p90 %.1f  p99 %.1f  max %.1f %s\n", t->count, t->runs[0],
         t->runs[t->count / 2], t->runs[t->count * 9 / 10], t->runs[t->count * 99 / 100], t->runs[t->count - 1],
         CLOCK_UNIT);
}

/* A line per operator: its mean time per run, and its share. */
static inline void timing_print_operators(const timing *t, uint32_t operators) {
  double all = 0;
  for (uint32_t i = 0; i < operators; ++i) {
    all += t->operators[i].sum;
  }
  for (uint32_t i = 0; i < operators; ++i) {
    const operator_timing *o = &t->operators[i];
    printf("operator %" PRIu32 ": %.1f %s  %.1f%%  %s %s %s\n", i, o->sum / (double)t->count, CLOCK_UNIT,
           all > 0 ? 100 * o->sum / all : 0.0, o->operation, *o->kernel ? o->kernel : "-", o->name);
  }
}

#endif
