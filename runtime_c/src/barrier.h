/* barrier.h - where the threads of a run wait for each other. They spin: an operator takes microseconds, to sleep and
 * to wake up tens of them. */
#ifndef QRT_BARRIER_H
#define QRT_BARRIER_H

#include "qrt.h"

typedef struct qrt_barrier {
  uint32_t arrived;    /* at this wait */
  uint32_t generation; /* waits that all have left behind */
  uint32_t broken;     /* nobody waits any more: the run has failed */
} qrt_barrier;

static inline void qrt_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
  __asm__ volatile("yield");
#endif
}

static inline void qrt_barrier_break(qrt_barrier *b) {
  __atomic_store_n(&b->broken, 1, __ATOMIC_RELEASE);
}

/* Everything that any thread has done before is seen by every thread afterwards. 0 if the barrier is broken. */
static inline int qrt_barrier_wait(qrt_barrier *b, uint32_t threads, void (*yield)(void)) {
  /* About a microsecond. Then perhaps both threads are on one core: with 100 us here a run took eight times as long
   * there, and where each has its own, to yield costs little. */
  enum { PATIENCE = 1 << 5 };
  const uint32_t generation = __atomic_load_n(&b->generation, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_ACQ_REL) == threads) {
    __atomic_store_n(&b->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->generation, generation + 1, __ATOMIC_RELEASE);
    return 1;
  }
  for (uint32_t i = 0; __atomic_load_n(&b->generation, __ATOMIC_ACQUIRE) == generation;) {
    if (__atomic_load_n(&b->broken, __ATOMIC_ACQUIRE)) {
      return 0;
    }
    if (i < PATIENCE || !yield) {
      ++i;
      qrt_pause();
    } else {
      yield();
    }
  }
  return 1;
}

#endif
