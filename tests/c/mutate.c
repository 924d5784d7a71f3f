/* mutate.c - damages a .qsdk file in every way asked for and loads, binds and runs what still opens. It proves nothing
 * by itself: build it with ASan and UBSan, which turn any wrong step into an end with a report. Each mutant lies in
 * memory of exactly its size, so a read past its end is seen.
 *
 *   mutate FILE [--truncations] [--bytes] [--random N] [--seed S] [--head N] [--arena BYTES]
 *
 *   --truncations  every shorter file
 *   --bytes        every byte x {each bit flipped, 00, 7F, 80, FF, +1, -1}
 *   --random N     N random changes of one byte to a random value
 *   --head N       the last two change only the first N bytes
 *   --arena BYTES  mutants that need more are not run (64 MiB)
 *
 * Exit status: 0 when every mutant ended in an error or a clean run within SECONDS, 1 otherwise, 2 on wrong usage.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qrt.h"

#define SECONDS 10.0

#if defined(__GNUC__)
/* In sanitized builds: called before the process ends with a report. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
#endif

typedef struct counts {
  unsigned long mutants, opened, run, slow;
  double slowest;
} counts;

static uint8_t *original;
static size_t original_size;
static size_t arena_limit = (size_t)64 << 20;
static counts total;

/* The mutant in progress. */
static size_t mutant_size, mutant_at;
static unsigned mutant_value;

static void say_mutant(void) {
  fprintf(stderr, "mutate: %zu bytes of the file, byte %zu is 0x%02x\n", mutant_size, mutant_at, mutant_value);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *allocate(size_t size) {
  void *memory = NULL;
  if (posix_memalign(&memory, QRT_ALIGNMENT, size ? size : 1)) {
    fprintf(stderr, "mutate: not enough memory\n");
    exit(1);
  }
  return memory;
}

static void fill_inputs(qrt_session *session, const qrt_model *model) {
  qrt_tensor_info info;
  for (uint32_t i = 0; qrt_model_input(model, i, &info, NULL) == QRT_OK; ++i) {
    uint8_t *bytes = qrt_session_input(session, i);
    for (size_t j = 0; j < info.size; ++j) {
      bytes[j] = (uint8_t)(j * 37 + i);
    }
  }
}

static void run(const qrt_model *model) {
  qrt_error error;
  qrt_session *session;
  qrt_tensor_info info;
  size_t size;
  volatile uint32_t crc = 0; /* reads every output */
  qrt_model_checksum(model, &error);
  if (qrt_arena_size(model, NULL, &size, &error) != QRT_OK || size > arena_limit) {
    return;
  }
  void *arena = allocate(size);
  if (qrt_session_open(&session, model, NULL, arena, size, &error) == QRT_OK) {
    fill_inputs(session, model);
    qrt_session_run(session, &error);
    for (uint32_t i = 0; qrt_model_output(model, i, &info, NULL) == QRT_OK; ++i) {
      crc = qrt_crc32(crc, qrt_session_output(session, i), info.size);
    }
    qrt_session_self_test(session, NULL, &error);
    ++total.run;
  }
  free(arena);
}

/* The first `size` bytes of the file, with byte `at` set to `value`. */
static void try_mutant(size_t size, size_t at, unsigned value) {
  qrt_model model;
  qrt_error error;
  uint8_t *file = allocate(size);
  mutant_size = size;
  mutant_at = at;
  mutant_value = value;
  memcpy(file, original, size);
  if (at < size) {
    file[at] = (uint8_t)value;
  }
  double begin = now();
  if (qrt_model_open(&model, file, size, &error) == QRT_OK) {
    ++total.opened;
    run(&model);
  }
  double seconds = now() - begin;
  free(file);
  ++total.mutants;
  total.slowest = seconds > total.slowest ? seconds : total.slowest;
  if (seconds > SECONDS) {
    ++total.slow;
    say_mutant();
    fprintf(stderr, "mutate: took %.1f s\n", seconds);
  }
}

static void truncations(void) {
  for (size_t size = 0; size < original_size; ++size) {
    try_mutant(size, size, 0);
  }
}

static void every_byte(size_t head) {
  for (size_t at = 0; at < head; ++at) {
    unsigned byte = original[at];
    const unsigned values[] = {0x00, 0x7f, 0x80, 0xff, (byte + 1) & 0xff, (byte - 1) & 0xff};
    for (unsigned bit = 0; bit < 8; ++bit) {
      try_mutant(original_size, at, byte ^ 1u << bit);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; ++i) {
      try_mutant(original_size, at, values[i]);
    }
  }
}

static void random_bytes(unsigned long count, uint64_t state, size_t head) {
  for (unsigned long i = 0; i < count; ++i) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    try_mutant(original_size, (size_t)((z >> 8) % head), (unsigned)(z & 0xff));
  }
}

static int load(const char *path) {
  FILE *stream = fopen(path, "rb");
  if (!stream) {
    return 0;
  }
  fseek(stream, 0, SEEK_END);
  long size = ftell(stream);
  rewind(stream);
  original_size = size > 0 ? (size_t)size : 0;
  original = allocate(original_size);
  int complete = original_size && fread(original, 1, original_size, stream) == original_size;
  fclose(stream);
  return complete;
}

/* A file that does not open, or whose self test fails, would test little. */
static int original_is_good(void) {
  qrt_model model;
  qrt_error error;
  if (qrt_model_open(&model, original, original_size, &error) != QRT_OK) {
    fprintf(stderr, "mutate: the file itself does not open: %s\n", error.message);
    return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  const char *path = NULL;
  int want_truncations = 0, want_bytes = 0;
  unsigned long count = 0;
  uint64_t seed = 1;
  size_t head = SIZE_MAX;
  for (int i = 1; i < argc; ++i) {
    int more = i + 1 < argc;
    if (strcmp(argv[i], "--truncations") == 0) {
      want_truncations = 1;
    } else if (strcmp(argv[i], "--bytes") == 0) {
      want_bytes = 1;
    } else if (strcmp(argv[i], "--random") == 0 && more) {
      count = strtoul(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--seed") == 0 && more) {
      seed = strtoull(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--head") == 0 && more) {
      head = strtoul(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--arena") == 0 && more) {
      arena_limit = strtoul(argv[++i], NULL, 10);
    } else if (argv[i][0] != '-' && !path) {
      path = argv[i];
    } else {
      path = NULL;
      break;
    }
  }
  if (!path) {
    fprintf(stderr,
            "usage: mutate FILE [--truncations] [--bytes] [--random N] [--seed S] [--head N] [--arena BYTES]\n");
    return 2;
  }
  if (!load(path)) {
    fprintf(stderr, "mutate: %s cannot be read\n", path);
    return 2;
  }
#if defined(__GNUC__)
  if (__sanitizer_set_death_callback) {
    __sanitizer_set_death_callback(say_mutant);
  }
#endif
  if (!original_is_good()) {
    return 1;
  }
  head = head && head < original_size ? head : original_size;
  if (want_truncations) {
    truncations();
  }
  if (want_bytes) {
    every_byte(head);
  }
  random_bytes(count, seed, head);
  free(original);
  printf("%lu mutants: %lu opened, %lu ran, slowest %.3f s, %lu too slow\n", total.mutants, total.opened, total.run,
         total.slowest, total.slow);
  return total.slow != 0;
}
