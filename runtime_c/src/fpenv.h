/* fpenv.h - the floating-point mode of a run: round to nearest even, denormals kept, no traps. Whatever mode the
 * application is in, answers are the same; its mode is restored afterwards.
 *
 * (NEON on armv7 and MVE flush denormals in any mode: float operators use scalar instructions there.)
 */
#ifndef QRT_FPENV_H
#define QRT_FPENV_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>
#endif

static inline uint64_t qrt_fpenv_enter(void) {
#if defined(__x86_64__) || defined(__SSE__)
  uint64_t before = _mm_getcsr();
  _mm_setcsr(0x1f80); /* all exceptions masked, nearest, no FTZ, no DAZ */
  return before;
#elif defined(__aarch64__)
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0) : "memory");
  return before;
#elif defined(__arm__) && defined(__ARM_FP)
  uint32_t before;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(before));
  /* Clears DN, FZ, rounding mode, FZ16 and trap enables. LTPSIZE (bits 16 to 18) has to stay. */
  __asm__ volatile("vmsr fpscr, %0" : : "r"(before & ~UINT32_C(0x03c89f00)) : "memory");
  return before;
#else
  return 0; /* software floating point has one mode */
#endif
}

static inline void qrt_fpenv_leave(uint64_t before) {
#if defined(__x86_64__) || defined(__SSE__)
  _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
#elif defined(__arm__) && defined(__ARM_FP)
  __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)before) : "memory");
#else
  (void)before;
#endif
}

#endif
