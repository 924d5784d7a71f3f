/* measure.c - clocks for Python: what each operator of a run takes, the CPU's frequency, and the most products that its
 * instructions make. Part of the extension, not of libqrt; build.py declares these functions to cffi by hand. */
#include <time.h>

static int64_t nanoseconds(void) {
  struct timespec time;
  timespec_get(&time, TIME_UTC);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

typedef struct qsdk_stopwatch {
  int64_t mark;   /* when the operator that runs now began */
  int64_t cost;   /* of reading the clock, which is no operator's */
  int64_t *spent; /* nanoseconds of each operator */
} qsdk_stopwatch;

/* qrt_session_run, on a session whose configuration has qsdk_stopwatch_event and this user. */
static qrt_status qsdk_stopwatch_run(qrt_session *session, qsdk_stopwatch *watch, qrt_error *error) {
  watch->cost = INT64_MAX;
  for (int i = 0; i < 20; i++) {
    watch->mark = nanoseconds();
    const int64_t cost = nanoseconds() - watch->mark;
    watch->cost = cost < watch->cost ? cost : watch->cost;
  }
  watch->mark = nanoseconds();
  return qrt_session_run(session, error);
}

/* A qrt_config.on_operator whose user is a qsdk_stopwatch. */
static void qsdk_stopwatch_event(void *user, const qrt_event *event) {
  qsdk_stopwatch *watch = user;
  const int64_t spent = nanoseconds() - watch->mark - watch->cost;
  watch->spent[event->index] = spent > 0 ? spent : 0;
  watch->mark = nanoseconds();
}

/* Nanoseconds of the shortest of many spans of `loop`, so that other processes do not count. */
static double shortest(void (*loop)(size_t steps), size_t steps) {
  int64_t best = INT64_MAX;
  for (int span = 0; span < 300; span++) {
    const int64_t start = nanoseconds();
    loop(steps);
    const int64_t spent = nanoseconds() - start;
    best = spent < best ? spent : best;
  }
  return (double)best;
}

/* A chain of additions, one cycle each. */
static void additions(size_t steps) {
  size_t x = 1;
  for (; steps > 0; steps--) {
    x += x;
    __asm__ volatile("" : "+r"(x));
  }
}

static double qsdk_cycles_per_nanosecond(void) {
  const size_t steps = 40000;
  return (double)steps / shortest(additions, steps);
}

#if defined(__x86_64__)
/* Twelve products into accumulators of their own, so that neither latency nor loads count. */
#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define LOOP(X)                                                                                                     \
  __asm__ volatile("1:\n" TWELVE(X) "dec %0\n"                                                                      \
                                    "jnz 1b\n"                                                                      \
                   : "+r"(steps)                                                                                    \
                   :                                                                                                \
                   : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                     "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

#define VNNI_512(i) "vpdpbusd %%zmm15, %%zmm14, %%zmm" #i "\n"
#define VNNI_256(i) "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm" #i "\n"
#define PAIRS(i)                           \
  "vpmaddubsw %%ymm15, %%ymm14, %%ymm13\n" \
  "vpmaddwd %%ymm15, %%ymm13, %%ymm13\n"   \
  "vpaddd %%ymm13, %%ymm" #i ", %%ymm" #i "\n"

static void vnni_512(size_t steps) {
  LOOP(VNNI_512);
}

static void vnni_256(size_t steps) {
  LOOP(VNNI_256);
}

static void pairs_256(size_t steps) {
  LOOP(PAIRS);
}

static const struct {
  const char *isa;
  void (*loop)(size_t steps);
  double products; /* of one step */
} loops[] = {
    {"avx512vnni", vnni_512, 12 * 64},
    {"avxvnni", vnni_256, 12 * 32},
    {"avx2", pairs_256, 12 * 32},
};

/* Products of 8-bit numbers per nanosecond, by the fastest instructions of an instruction set that this CPU has;
 * 0: not known. */
static double qsdk_peak(const char *isa) {
  const size_t steps = 2000;
  for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
    if (strcmp(isa, loops[i].isa) == 0) {
      return (double)steps * loops[i].products / shortest(loops[i].loop, steps);
    }
  }
  return 0;
}
#else
static double qsdk_peak(const char *isa) {
  (void)isa;
  return 0;
}
#endif
