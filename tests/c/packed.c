/* packed.c - prints a session's packed weights: packed FILE ISA. A line for each: operator, tensor, kernel, layout
 * version, whether they are those of the file, and the bytes in hexadecimal. */
#include <stdio.h>
#include <stdlib.h>

#include "../../runtime_c/tools/files.h"
#include "qrt.h"

static int print(const void *file, size_t size, const char *isa) {
  qrt_model model;
  qrt_session *session;
  qrt_error error;
  qrt_packed p;
  size_t arena_size;
  const qrt_config config = {.size = sizeof config, .isa = isa};
  if (qrt_model_open(&model, file, size, &error) || qrt_arena_size(&model, &config, &arena_size, &error)) {
    return puts(error.message), 1;
  }
  void *arena = aligned_alloc(QRT_ALIGNMENT, arena_size);
  if (qrt_session_open(&session, &model, &config, arena, arena_size, &error)) {
    return puts(error.message), free(arena), 1;
  }
  for (uint32_t i = 0; qrt_session_packed(session, i, &p, NULL) == QRT_OK; ++i) {
    printf("%u %u %s %u %d ", p.operator_index, p.tensor, p.pack_id, p.layout_version, p.in_file);
    for (size_t j = 0; j < p.size; ++j) {
      printf("%02x", ((const unsigned char *)p.data)[j]);
    }
    puts("");
  }
  free(arena);
  return 0;
}

int main(int count, char **words) {
  blob file;
  if (count != 3) {
    return puts("packed FILE ISA"), WRONG_USAGE;
  }
  if (read_file(words[1], &file)) {
    return FAILURE;
  }
  const int status = print(file.bytes, file.size, words[2]);
  free(file.bytes);
  return status;
}
