/* test.h - what the tests of the C core share: checks that count, files of the fixture, a session in fresh memory. */
#ifndef QRT_TEST_H
#define QRT_TEST_H

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime_c/src/node.h"
#include "qrt.h"

static unsigned passed, failed;

static inline void check(int good, int line, const char *what, const char *detail) {
  if (good) {
    ++passed;
  } else {
    ++failed;
    printf("line %d: %s %s\n", line, what, detail);
  }
}

#define CHECK(expression) check(!!(expression), __LINE__, #expression, "")

static inline void check_status(qrt_status status, qrt_status expected, const char *message, const char *text,
                                int line) {
  char detail[512];
  snprintf(detail, sizeof detail, "%s instead of %s: '%s'", qrt_status_name(status), qrt_status_name(expected),
           message);
  check(status == expected, line, "status:", detail);
  if (QRT_MESSAGES && text && status == expected) {
    snprintf(detail, sizeof detail, "'%s' lacks '%s'", message, text);
    check(strstr(message, text) != NULL, line, "message:", detail);
  }
}

#define STATUS(call, expected, text)                                                  \
  do {                                                                                \
    qrt_status status_ = (call);                                                      \
    check_status(status_, QRT_##expected, error.message, text, __LINE__);             \
    check(error.status == status_, __LINE__, "error.status is the status of", #call); \
  } while (0)

static qrt_error error;

/* ---- files ---- */

typedef struct blob {
  uint8_t *bytes;
  size_t size;
} blob;

static inline void *allocate(size_t size) {
  void *memory = NULL;
  if (posix_memalign(&memory, QRT_ALIGNMENT, size ? size : 1)) {
    exit(1);
  }
  return memory;
}

static inline blob load(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *stream = fopen(path, "rb");
  if (!stream) {
    printf("%s cannot be opened\n", path);
    exit(2);
  }
  fseek(stream, 0, SEEK_END);
  blob b = {NULL, (size_t)ftell(stream)};
  rewind(stream);
  b.bytes = allocate(b.size);
  if (fread(b.bytes, 1, b.size, stream) != b.size) {
    exit(2);
  }
  fclose(stream);
  return b;
}

static inline blob copy(const blob *original, size_t size) {
  blob b = {allocate(size), size};
  memcpy(b.bytes, original->bytes, size);
  return b;
}

static inline void *open_session(const qrt_model *model, const qrt_config *config, qrt_session **session) {
  size_t size;
  STATUS(qrt_arena_size(model, config, &size, &error), OK, NULL);
  void *arena = allocate(size);
  memset(arena, 0xab, size);
  STATUS(qrt_session_open(session, model, config, arena, size, &error), OK, NULL);
  return arena;
}

/* The last line of every test program. */
static inline int finish(void) {
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}

#endif
