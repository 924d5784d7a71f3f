/* files.h - whole files in aligned memory, and complaints about them. */
#ifndef FILES_H
#define FILES_H

#include <stdio.h>
#include <stdlib.h>

#include "qrt.h"

enum { FAILURE = 1, WRONG_USAGE = 2, NO_MEMORY = 3 };

typedef struct blob {
  uint8_t *bytes; /* aligned to QRT_ALIGNMENT */
  size_t size;
} blob;

static inline int complain(const char *what, const char *why) {
  fprintf(stderr, "qrt_run: %s: %s\n", what, why);
  return FAILURE;
}

static inline int complain_memory(const char *what, const char *which) {
  fprintf(stderr, "qrt_run: %s: not enough memory for %s\n", what, which);
  return NO_MEMORY;
}

static inline int complain_status(const char *what, qrt_status status, const qrt_error *error) {
  fprintf(stderr, "qrt_run: %s: %s: %s\n", what, qrt_status_name(status),
          error->message[0] ? error->message : qrt_status_text(status));
  return FAILURE;
}

static inline void *allocate(size_t size) {
  return size > SIZE_MAX - QRT_ALIGNMENT
             ? NULL
             : aligned_alloc(QRT_ALIGNMENT, (size + QRT_ALIGNMENT) / QRT_ALIGNMENT * QRT_ALIGNMENT);
}

static inline int read_file(const char *path, blob *b) {
  FILE *stream = fopen(path, "rb");
  b->bytes = NULL;
  if (!stream) {
    return complain(path, "cannot be opened");
  }
  /* A folder can be opened, and says that it is as long as can be; but it cannot be read. */
  int readable = fgetc(stream) != EOF || !ferror(stream);
  long size = readable && fseek(stream, 0, SEEK_END) == 0 ? ftell(stream) : -1;
  if (size < 0 || fseek(stream, 0, SEEK_SET) != 0) {
    fclose(stream);
    return complain(path, "is not a file");
  }
  b->size = (size_t)size;
  b->bytes = allocate(b->size);
  size_t got = b->bytes ? fread(b->bytes, 1, b->size, stream) : 0;
  fclose(stream);
  if (!b->bytes) {
    return complain_memory(path, "it");
  }
  if (got != b->size) {
    free(b->bytes);
    b->bytes = NULL;
    return complain(path, "cannot be read");
  }
  return 0;
}

#endif
