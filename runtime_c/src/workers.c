/* workers.c - threads for sessions, with pthreads. Between runs they spin for a while, since the next run may come soon
 * and waking a thread takes tens of microseconds; then they sleep. Only an error in a build without threads. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getcpu */
#endif
#include "platform.h"
#include "status.h"

#if QRT_THREADS
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "barrier.h"

enum { PATIENCE = 1 << 5, SPINS = 1 << 8 }; /* pauses and, longer, calls of the scheduler before a thread sleeps */

typedef struct team team;

typedef struct member {
  pthread_t thread;
  team *team;
  uint32_t index;
} member;

struct team {
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  void (*part)(void *context, uint32_t index);
  void *context;
  int core; /* of the thread that runs part 0, as the run began */
  int stop;
  _Alignas(QRT_ALIGNMENT) uint32_t generation; /* counts runs */
  _Alignas(QRT_ALIGNMENT) uint32_t busy;       /* members that have not returned from this run */
  uint32_t count;                              /* of members */
  member members[];
};

static void give_way(void) {
  sched_yield();
}

/* Whoever is waited for may need this core. */
static void wait_a_little(uint32_t times) {
  if (times < PATIENCE) {
    qrt_pause();
  } else {
    give_way();
  }
}

/* The core that this thread runs on, or `unknown`. */
static int core_or(int unknown) {
#if defined(__linux__)
  const int core = sched_getcpu();
  return core < 0 ? unknown : core;
#else
  return unknown;
#endif
}

/* Waits for another generation than `seen`, and returns it. At most `spins` times awake. */
static uint32_t await(team *t, uint32_t seen, uint32_t spins) {
  for (uint32_t i = 0; i < spins; ++i) {
    const uint32_t generation = __atomic_load_n(&t->generation, __ATOMIC_ACQUIRE);
    if (generation != seen) {
      return generation;
    }
    wait_a_little(i);
  }
  pthread_mutex_lock(&t->mutex);
  while (__atomic_load_n(&t->generation, __ATOMIC_ACQUIRE) == seen) {
    pthread_cond_wait(&t->wake, &t->mutex);
  }
  pthread_mutex_unlock(&t->mutex);
  return __atomic_load_n(&t->generation, __ATOMIC_ACQUIRE);
}

static void *work(void *pointer) {
  const member *m = pointer;
  team *t = m->team;
  uint32_t spins = SPINS;
  for (uint32_t seen = await(t, 0, spins); !t->stop; seen = await(t, seen, spins)) {
    t->part(t->context, m->index);
    /* Two threads that give way to each other may share a core for seconds, beside an idle one. Who is woken up gets
     * one that is idle. */
    spins = core_or(-1) == t->core ? 0 : SPINS;
    __atomic_sub_fetch(&t->busy, 1, __ATOMIC_RELEASE);
  }
  return NULL;
}

static void next_generation(team *t) {
  pthread_mutex_lock(&t->mutex);
  __atomic_add_fetch(&t->generation, 1, __ATOMIC_RELEASE);
  pthread_cond_broadcast(&t->wake);
  pthread_mutex_unlock(&t->mutex);
}

static void run(void *user, void (*part)(void *context, uint32_t index), void *context) {
  team *t = user;
  t->part = part;
  t->context = context;
  t->core = core_or(-2);
  __atomic_store_n(&t->busy, t->count, __ATOMIC_RELAXED);
  next_generation(t);
  part(context, 0);
  for (uint32_t i = 0; __atomic_load_n(&t->busy, __ATOMIC_ACQUIRE); ++i) {
    wait_a_little(i);
  }
}

static void stop(team *t) {
  t->stop = 1;
  next_generation(t);
  for (uint32_t i = 0; i < t->count; ++i) {
    pthread_join(t->members[i].thread, NULL);
  }
  pthread_cond_destroy(&t->wake);
  pthread_mutex_destroy(&t->mutex);
}

size_t qrt_workers_size(uint32_t count) {
  const size_t members = count > 1 && count <= QRT_MAX_THREADS ? count - 1 : 0;
  return (sizeof(team) + members * sizeof(member) + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
}

static qrt_status start(team *t, uint32_t count, qrt_error *error) {
  memset(t, 0, sizeof *t);
  if (pthread_mutex_init(&t->mutex, NULL)) {
    return QRT_FAIL(error, QRT_ERROR_THREAD, "no mutex");
  }
  if (pthread_cond_init(&t->wake, NULL)) {
    pthread_mutex_destroy(&t->mutex);
    return QRT_FAIL(error, QRT_ERROR_THREAD, "no condition variable");
  }
  for (; t->count + 1 < count; ++t->count) {
    member *m = &t->members[t->count];
    m->team = t;
    m->index = t->count + 1;
    if (pthread_create(&m->thread, NULL, work, m)) {
      stop(t);
      return QRT_FAIL(error, QRT_ERROR_THREAD, "thread %u of %u cannot be started", m->index, count);
    }
  }
  return QRT_OK;
}

qrt_status qrt_workers_open(qrt_workers *workers, uint32_t count, void *memory, size_t size, qrt_error *error) {
  qrt_error_clear(error);
  if (!workers || !memory || count < 1 || count > QRT_MAX_THREADS) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_workers_open: NULL, or %u threads, not 1..%d", count,
                    QRT_MAX_THREADS);
  }
  *workers = (qrt_workers){0, NULL, NULL, NULL};
  if ((uintptr_t)memory % QRT_ALIGNMENT) {
    return QRT_FAIL(error, QRT_ERROR_ALIGNMENT, "the workers' address is not a multiple of %d", QRT_ALIGNMENT);
  }
  if (size < qrt_workers_size(count)) {
    return QRT_FAIL(error, QRT_ERROR_ARENA, "the workers have %zu bytes, %zu are needed", size,
                    qrt_workers_size(count));
  }
  QRT_TRY(start(memory, count, error));
  *workers = (qrt_workers){count, run, give_way, memory};
  return QRT_OK;
}

void qrt_workers_close(qrt_workers *workers) {
  if (workers && workers->user) {
    stop(workers->user);
    *workers = (qrt_workers){0, NULL, NULL, NULL};
  }
}
#else
size_t qrt_workers_size(uint32_t count) {
  (void)count;
  return QRT_ALIGNMENT;
}

qrt_status qrt_workers_open(qrt_workers *workers, uint32_t count, void *memory, size_t size, qrt_error *error) {
  (void)workers, (void)count, (void)memory, (void)size;
  return QRT_FAIL(error, QRT_ERROR_UNSUPPORTED, "this build has no threads");
}

void qrt_workers_close(qrt_workers *workers) {
  (void)workers;
}
#endif
