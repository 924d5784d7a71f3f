/* fuzz.c - the libFuzzer entry: opens, binds, runs and self-tests whatever it is given. Not part of the usual build:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -ffp-contract=off -fno-math-errno -DQRT_HOSTED=0 \
 *     -DQRT_HAVE_AVX512VNNI=0 -DQRT_HAVE_AVXVNNI=0 -DQRT_HAVE_AVX2=0 -DQRT_HAVE_NEON=0 -Iruntime_c/include
 * tests/c/fuzz/fuzz.c \
 *     $(find runtime_c/src -name '*.c' | grep -v -e avx -e neon) -o fuzz
 *   ./fuzz -max_len=20000 CORPUS
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "qrt.h"

#define ARENA_LIMIT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  qrt_model model;
  qrt_session *session;
  qrt_error error;
  size_t arena_size;
  void *file = NULL, *arena = NULL;
  if (posix_memalign(&file, QRT_ALIGNMENT, size ? size : 1)) {
    abort();
  }
  memcpy(file, data, size);
  if (qrt_model_open(&model, file, size, &error) == QRT_OK &&
      qrt_arena_size(&model, NULL, &arena_size, &error) == QRT_OK && arena_size <= ARENA_LIMIT) {
    if (posix_memalign(&arena, QRT_ALIGNMENT, arena_size) ||
        qrt_session_open(&session, &model, NULL, arena, arena_size, &error) != QRT_OK ||
        (qrt_session_run(session, &error) != QRT_OK && error.status != QRT_ERROR_INDEX)) {
      abort(); /* what opened and fits must bind and run, if only its inputs' indices are good */
    }
    qrt_session_self_test(session, NULL, &error);
  }
  free(arena);
  free(file);
  return 0;
}
