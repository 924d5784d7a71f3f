/* test_threads.c - sessions on several threads: equal bytes, exact sizes, runs that fail.
 *
 *   test_threads FOLDER     the files of tests/c/fixture.py
 *
 * Ends with "N passed, M failed"; exit status 1 if any failed.
 */
#include "test.h"

enum { MOST = 4 };

static const char *const no_threads = QRT_THREADS ? NULL : "this build";

/* An application's own workers: one after the other would never meet, so a count of 1 is all that it can offer. */
static void run_alone(void *user, void (*part)(void *context, uint32_t index), void *context) {
  ++*(unsigned *)user;
  part(context, 0);
}

static void test_workers(void) {
  qrt_workers workers;
  const size_t size = qrt_workers_size(MOST);
  uint8_t *memory = allocate(2 * size);
  CHECK(size % QRT_ALIGNMENT == 0 && size > 0);
  if (!QRT_THREADS) {
    STATUS(qrt_workers_open(&workers, MOST, memory, size, &error), ERROR_UNSUPPORTED, no_threads);
    free(memory);
    return;
  }
  STATUS(qrt_workers_open(NULL, MOST, memory, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_workers_open(&workers, MOST, NULL, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_workers_open(&workers, 0, memory, size, &error), ERROR_ARGUMENT, "1..64");
  STATUS(qrt_workers_open(&workers, QRT_MAX_THREADS + 1, memory, size, &error), ERROR_ARGUMENT, "1..64");
  STATUS(qrt_workers_open(&workers, MOST, memory + 1, size, &error), ERROR_ALIGNMENT, NULL);
  STATUS(qrt_workers_open(&workers, MOST, memory, size - 1, &error), ERROR_ARENA, "needed");
  qrt_workers_close(&workers); /* was not opened */
  for (uint32_t count = 1; count <= MOST; ++count) {
    STATUS(qrt_workers_open(&workers, count, memory, size, &error), OK, NULL);
    CHECK(workers.count == count && workers.run);
    qrt_workers_close(&workers); /* without a run */
    CHECK(workers.count == 0);
    qrt_workers_close(&workers);
  }
  qrt_workers_close(NULL);
  free(memory);
}

static void test_config(const qrt_model *model) {
  qrt_session *session;
  unsigned runs = 0;
  const qrt_workers alone = {1, run_alone, NULL, &runs};
  qrt_config config = {.size = sizeof config, .threads = 2, .workers = &alone};
  size_t size, one, two;
  if (!QRT_THREADS) {
    STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_UNSUPPORTED, "threads");
    return;
  }
  config.threads = QRT_MAX_THREADS + 1;
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_UNSUPPORTED, "at most 64");
  config.threads = 2;
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  void *arena = allocate(size);
  STATUS(qrt_session_open(&session, model, &config, arena, size, &error), ERROR_ARGUMENT, "workers");
  config.workers = NULL;
  STATUS(qrt_session_open(&session, model, &config, arena, size, &error), ERROR_ARGUMENT, "workers");
  STATUS(qrt_scratch_size(model, &config, &two, &error), OK, NULL);
  config.threads = 1;
  STATUS(qrt_scratch_size(model, &config, &one, &error), OK, NULL);
  CHECK(two == 2 * ((one + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT));
  CHECK(runs == 0);
  free(arena);
}

#if QRT_THREADS
static uint32_t checksum(const qrt_session *session, const qrt_model *model) {
  uint32_t crc = 0;
  for (uint32_t i = 0; i < qrt_model_output_count(model); ++i) {
    qrt_tensor_info info;
    qrt_model_output(model, i, &info, NULL);
    crc = qrt_crc32(crc, qrt_session_output(session, i), info.size);
  }
  return crc;
}

static void count_operator(void *user, const qrt_event *event) {
  uint32_t *crc = user;
  *crc = qrt_crc32(*crc, event->output, event->output_size);
}

/* The bytes of all operators' outputs, with one thread and with more. */
static void test_equal(const qrt_model *model, const char *isa) {
  uint32_t first = 0, traced = 0;
  for (uint32_t threads = 1; threads <= MOST; ++threads) {
    uint32_t trace = 0;
    qrt_workers workers;
    void *memory = allocate(qrt_workers_size(threads));
    STATUS(qrt_workers_open(&workers, threads, memory, qrt_workers_size(threads), &error), OK, NULL);
    for (int tracing = 0; tracing < (threads == 1 || threads == MOST ? 2 : 1); ++tracing) {
      qrt_session *session;
      qrt_config config = {.size = sizeof config, .isa = isa, .threads = threads, .workers = &workers, .user = &trace};
      config.on_operator = tracing ? count_operator : NULL;
      void *arena = open_session(model, &config, &session);
      STATUS(qrt_session_self_test(session, NULL, &error), OK, NULL);
      first = threads == 1 ? checksum(session, model) : first;
      CHECK(checksum(session, model) == first);
      free(arena);
    }
    traced = threads == 1 ? trace : traced;
    CHECK(trace == (threads == 1 || threads == MOST ? traced : 0));
    qrt_workers_close(&workers);
    free(memory);
  }
}

/* A token that selects nothing ends the run on all threads, and the next one is not affected. */
static void test_failing(const qrt_model *model) {
  qrt_session *session;
  qrt_workers workers;
  void *memory = allocate(qrt_workers_size(MOST));
  STATUS(qrt_workers_open(&workers, MOST, memory, qrt_workers_size(MOST), &error), OK, NULL);
  const qrt_config config = {.size = sizeof config, .threads = MOST, .workers = &workers};
  void *arena = open_session(model, &config, &session);
  for (int32_t token = 8; token < 12; ++token) {
    for (int i = 0; i < 8; ++i) {
      const int32_t tokens[4] = {1, token, 3, 0};
      STATUS(qrt_session_set_input(session, 1, tokens, sizeof tokens, &error), OK, NULL);
      if (token < 10) {
        STATUS(qrt_session_run(session, &error), OK, NULL);
      } else {
        STATUS(qrt_session_run(session, &error), ERROR_INDEX, "10 rows");
      }
    }
  }
  STATUS(qrt_session_self_test(session, NULL, &error), OK, NULL);
  qrt_workers_close(&workers);
  free(arena);
  free(memory);
}
#endif

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_threads FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "threads.qsdk");
  qrt_model model;
  STATUS(qrt_model_open(&model, file.bytes, file.size, &error), OK, NULL);
  test_workers();
  test_config(&model);
#if QRT_THREADS
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    test_equal(&model, qrt_isa_name(i));
  }
  test_failing(&model);
#endif
  free(file.bytes);
#if QRT_THREADS
  static const char *const others[] = {"attention.qsdk", "recurrence.qsdk"};
  for (size_t k = 0; k < 2; ++k) {
    file = load(argv[1], others[k]);
    STATUS(qrt_model_open(&model, file.bytes, file.size, &error), OK, NULL);
    for (uint32_t i = 0; qrt_isa_name(i); ++i) {
      test_equal(&model, qrt_isa_name(i));
    }
    free(file.bytes);
  }
#endif
  return finish();
}
