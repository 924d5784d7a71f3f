/* test_core.c - the C core from outside: qrt.h with wrong arguments, arenas and models. Damaged files are
 * test_damage.c's, damage at random is mutate.c's; what kernels compute is tests/check's and tests/parity's.
 *
 *   test_core FOLDER     the files of tests/c/fixture.py
 *
 * Ends with "N passed, M failed"; exit status 1 if any failed.
 */
#include "test.h"

enum { OPERATORS = 39 }; /* of every_operator.qsdk */

/* ---- small parts ---- */

static void test_crc(void) {
  CHECK(qrt_crc32(0, "123456789", 9) == 0xcbf43926u);
  CHECK(qrt_crc32(qrt_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926u);
  CHECK(qrt_crc32(0, NULL, 0) == 0);
}

static void test_status(void) {
  CHECK(strcmp(qrt_status_name(QRT_OK), "QRT_OK") == 0);
  CHECK(strcmp(qrt_status_name(QRT_ERROR_ARENA), "QRT_ERROR_ARENA") == 0);
  CHECK(strcmp(qrt_status_name((qrt_status)999), "QRT_ERROR_?") == 0);
  for (int i = 0; i <= QRT_ERROR_THREAD; ++i) {
    CHECK(strstr(qrt_status_name((qrt_status)i), "?") == NULL && *qrt_status_text((qrt_status)i));
  }
  CHECK(strcmp(qrt_status_text((qrt_status)-1), "unknown status") == 0);
}

static void test_formatter(void) {
#if QRT_MESSAGES
  QRT_FAIL(&error, QRT_ERROR_FIELD, "%u|%d|%d|%s|%zu|%llu", 4294967295u, -7, INT32_MIN, "text", (size_t)12,
           18446744073709551615ull);
  CHECK(error.status == QRT_ERROR_FIELD);
  CHECK(strcmp(error.message, "4294967295|-7|-2147483648|text|12|18446744073709551615") == 0);
  QRT_FAIL(&error, QRT_ERROR_FIELD, "%u", 0u);
  QRT_APPEND(&error, QRT_ERROR_LIMIT, "%s", "+");
  CHECK(error.status == QRT_ERROR_LIMIT && strcmp(error.message, "0+") == 0);
  char text[2 * QRT_MESSAGE_SIZE];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\0';
  QRT_FAIL(&error, QRT_ERROR_FIELD, "%s%u", text, 123456u);
  CHECK(strlen(error.message) == QRT_MESSAGE_SIZE - 1);
#endif
  CHECK(QRT_FAIL(NULL, QRT_ERROR_FIELD, "%u", 1u) == QRT_ERROR_FIELD);
}

static void test_isa_names(void) {
  uint32_t count = 0;
  while (qrt_isa_name(count)) {
    ++count;
  }
  CHECK(count >= 1 && strcmp(qrt_isa_name(count - 1), "scalar") == 0);
  CHECK(qrt_isa_name(UINT32_MAX) == NULL);
}

/* ---- qrt.h ---- */

static void test_model_arguments(const blob *file) {
  qrt_model model;
  qrt_tensor_info info;
  STATUS(qrt_model_open(NULL, file->bytes, file->size, &error), ERROR_ARGUMENT, "NULL");
  STATUS(qrt_model_open(&model, NULL, file->size, &error), ERROR_ARGUMENT, "NULL");
  CHECK(qrt_model_open(NULL, NULL, 0, NULL) == QRT_ERROR_ARGUMENT);
  uint8_t *moved = allocate(file->size + QRT_ALIGNMENT);
  for (size_t shift = 1; shift < QRT_ALIGNMENT; ++shift) {
    memcpy(moved + shift, file->bytes, file->size);
    STATUS(qrt_model_open(&model, moved + shift, file->size, &error), ERROR_ALIGNMENT, "64");
  }
  free(moved);
  CHECK(qrt_model_input_count(&model) == 0 && qrt_model_output_count(NULL) == 0);
  STATUS(qrt_model_checksum(&model, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_checksum(NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_input(&model, 0, &info, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_open(&model, file->bytes, file->size, &error), OK, NULL);
  STATUS(qrt_model_checksum(&model, &error), OK, NULL);
  CHECK(qrt_model_input_count(&model) == 1 && qrt_model_output_count(&model) == 1);
  CHECK(qrt_model_operator_count(&model) == OPERATORS);
  STATUS(qrt_model_input(&model, 0, &info, &error), OK, NULL);
  CHECK(info.dtype == QRT_FLOAT32 && info.rank == 4 && info.shape[3] == 8 && info.size == 768);
  STATUS(qrt_model_output(&model, 0, &info, &error), OK, NULL);
  CHECK(info.rank == 2 && info.size == 40);
  STATUS(qrt_model_input(&model, 1, &info, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_output(&model, 0, NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_output(NULL, 0, &info, &error), ERROR_ARGUMENT, NULL);
}

static void test_truncations(const blob *file) {
  unsigned opened = 0;
  for (size_t size = 0; size < file->size; ++size) {
    qrt_model model;
    blob cut = copy(file, size);
    opened += qrt_model_open(&model, cut.bytes, cut.size, &error) == QRT_OK;
    free(cut.bytes);
  }
  CHECK(opened == 0);
}

static void test_config(const qrt_model *model) {
  qrt_config config;
  size_t size;
  memset(&config, 0, sizeof config);
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  config.size = sizeof config;
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  config.isa = "pentium";
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_ISA, "pentium");
  config.isa = "";
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_ISA, NULL);
  config.isa = "scalar";
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  config.operators = &config;
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_UNSUPPORTED, "operators");
  config.operators = NULL;
  config.size = 8;
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_ARGUMENT, "size");
  STATUS(qrt_arena_size(model, NULL, NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_arena_size(NULL, NULL, &size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_scratch_size(model, NULL, &size, &error), OK, NULL);
  CHECK(size > 0);
  STATUS(qrt_scratch_size(model, NULL, NULL, &error), ERROR_ARGUMENT, NULL);
}

static void test_arena(const qrt_model *model) {
  qrt_session *session;
  size_t size;
  STATUS(qrt_arena_size(model, NULL, &size, &error), OK, NULL);
  CHECK(size % QRT_ALIGNMENT == 0);
  uint8_t *arena = allocate(size + QRT_ALIGNMENT);
  unsigned accepted = 0;
  for (size_t less = 0; less < size; ++less) {
    accepted += qrt_session_open(&session, model, NULL, arena, less, &error) != QRT_ERROR_ARENA || session;
  }
  CHECK(accepted == 0);
  STATUS(qrt_session_open(&session, model, NULL, arena, size - 1, &error), ERROR_ARENA, "needed");
  for (size_t shift = 1; shift < QRT_ALIGNMENT; shift += 9) {
    STATUS(qrt_session_open(&session, model, NULL, arena + shift, size, &error), ERROR_ALIGNMENT, "64");
  }
  STATUS(qrt_session_open(NULL, model, NULL, arena, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_open(&session, model, NULL, NULL, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_open(&session, NULL, NULL, arena, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_open(&session, model, NULL, arena, size, &error), OK, NULL);
  free(arena);
}

typedef struct events {
  unsigned count;
  unsigned in_order;
  uint32_t crc; /* of all outputs */
} events;

static void on_operator(void *user, const qrt_event *event) {
  events *e = user;
  e->in_order += event->index == e->count && *event->operation && *event->name && event->output_size;
  e->crc = qrt_crc32(e->crc, event->output, event->output_size);
  ++e->count;
}

/* Every instruction set gives the same bytes after every operator, and passes the file's own test. */
static void test_run(const qrt_model *model) {
  uint32_t first = 0;
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    events e = {0, 0, 0};
    qrt_config config = {.size = sizeof config, .isa = qrt_isa_name(i), .on_operator = on_operator, .user = &e};
    qrt_session *session;
    uint32_t count;
    void *arena = open_session(model, &config, &session);
    STATUS(qrt_session_self_test(session, &count, &error), OK, NULL);
    CHECK(count == 2 && e.count == 2 * OPERATORS);
    e = (events){0, 0, 0};
    STATUS(qrt_session_self_test(session, NULL, &error), OK, NULL);
    CHECK(i == 0 || e.crc == first);
    first = e.crc;
    e = (events){0, 0, 0};
    STATUS(qrt_session_run(session, &error), OK, NULL);
    CHECK(e.count == OPERATORS && e.in_order == OPERATORS);
    free(arena);
  }
}

static void test_session_arguments(const qrt_model *model) {
  float input[192] = {0};
  qrt_session *session;
  uint32_t count = 7;
  void *arena = open_session(model, NULL, &session);
  STATUS(qrt_session_set_input(session, 0, input, sizeof input, &error), OK, NULL);
  STATUS(qrt_session_set_input(session, 0, input, sizeof input - 1, &error), ERROR_SIZE, "767");
  STATUS(qrt_session_set_input(session, 1, input, sizeof input, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_set_input(session, 0, NULL, sizeof input, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_set_input(NULL, 0, input, sizeof input, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_run(NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_self_test(NULL, &count, &error), ERROR_ARGUMENT, NULL);
  CHECK(count == 0);
  CHECK(qrt_session_input(session, 0) && !qrt_session_input(session, 1) && !qrt_session_input(NULL, 0));
  CHECK(qrt_session_output(session, 0) && !qrt_session_output(session, 1) && !qrt_session_output(NULL, 0));
  CHECK(*qrt_session_kernel(session, 2) && !*qrt_session_kernel(session, OPERATORS) && !*qrt_session_kernel(NULL, 0));
  free(arena);
}

/* Weights packed in the file: used there, and equal to what a session packs itself. */
static void test_packed(const blob *file) {
  qrt_model model;
  STATUS(qrt_model_open(&model, file->bytes, file->size, &error), OK, NULL);
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    const qrt_config in_place = {.size = sizeof in_place, .isa = qrt_isa_name(i)};
    const qrt_config fresh = {.size = sizeof fresh, .isa = qrt_isa_name(i), .ignore_packed = 1};
    qrt_session *sessions[2];
    void *arenas[2] = {open_session(&model, &in_place, &sessions[0]), open_session(&model, &fresh, &sessions[1])};
    for (uint32_t s = 0; s < 2; ++s) {
      qrt_packed packed;
      uint32_t count = 0;
      for (; qrt_session_packed(sessions[s], count, &packed, NULL) == QRT_OK; ++count) {
        const uint8_t *data = packed.data;
        CHECK((uintptr_t)data % QRT_ALIGNMENT == 0);
        CHECK(!packed.in_file || (data > file->bytes && data + packed.size <= file->bytes + file->size));
        CHECK(!(packed.in_file && s == 1));
      }
      STATUS(qrt_session_packed(sessions[s], count, &packed, &error), ERROR_ARGUMENT, "no such");
      STATUS(qrt_session_self_test(sessions[s], NULL, &error), OK, NULL);
    }
    STATUS(qrt_session_check_packed(sessions[0], sessions[1], &error), OK, NULL);
    free(arenas[0]);
    free(arenas[1]);
  }
  STATUS(qrt_session_check_packed(NULL, NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_packed(NULL, 0, NULL, &error), ERROR_ARGUMENT, NULL);
}

#if defined(__x86_64__)
#include <xmmintrin.h>
/* A run does not care for the application's floating-point mode, and leaves it alone. */
static void test_float_mode(const qrt_model *model) {
  qrt_session *session;
  void *arena = open_session(model, NULL, &session);
  unsigned hostile = 0x9fc0 | 0x6000; /* flush, denormals are zero, round toward zero */
  unsigned before = _mm_getcsr();
  _mm_setcsr(hostile);
  qrt_status status = qrt_session_self_test(session, NULL, &error);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  CHECK(status == QRT_OK);
  CHECK((after & ~0x3fu) == (hostile & ~0x3fu));
  free(arena);
}
#else
static void test_float_mode(const qrt_model *model) {
  (void)model;
}
#endif

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_core FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "every_operator.qsdk"), packed = load(argv[1], "packed.qsdk");
  qrt_model model;
  test_crc();
  test_status();
  test_formatter();
  test_isa_names();
  test_model_arguments(&file);
  test_truncations(&file);
  test_packed(&packed);
  STATUS(qrt_model_open(&model, file.bytes, file.size, &error), OK, NULL);
  if (error.status == QRT_OK) {
    test_config(&model);
    test_arena(&model);
    test_run(&model);
    test_session_arguments(&model);
    test_float_mode(&model);
  }
  free(file.bytes);
  free(packed.bytes);
  return finish();
}
