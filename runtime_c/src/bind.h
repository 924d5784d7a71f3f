/* bind.h - what an operator's prepare function has in hand, and what it leaves behind.
 *
 * Binding runs twice over the same code: the first time only to count, the second time to place, so the number that
 * qrt_arena_size answers is right by construction. While counting, memory is NULL: prepare must make the same requests
 * and write nothing through them.
 */
#ifndef QRT_BIND_H
#define QRT_BIND_H

#include "node.h"

typedef struct qrt_step {
  /* Before each run, where inputs can be wrong: QRT_OK, or QRT_ERROR_INDEX with a message. NULL: they cannot. */
  qrt_status (*check)(qrt_verify *v, const qrt_node *node, const void *arguments);
  void (*run)(const void *arguments, void *scratch);
  const void *arguments;
  const char *kernel; /* for people; "" without one */
  const uint8_t *output;
  size_t output_size;
} qrt_step;

typedef struct qrt_binder {
  const qrt_model *model;
  uint8_t *arena;       /* NULL while counting */
  uint8_t *activations; /* NULL while counting */
  uint64_t used;        /* bytes of the arena; stays beyond any limit once it has got there */
  uint64_t scratch;     /* most that any operator needs */
  uint32_t isa;         /* mask of instruction sets */
} qrt_binder;

/* Bytes of the arena, aligned to QRT_ALIGNMENT. NULL while counting. */
void *qrt_bind_memory(qrt_binder *binder, uint64_t size);

/* A copy of `size` bytes that lives as long as the session. NULL while counting. */
const void *qrt_bind_copy(qrt_binder *binder, const void *data, size_t size);

/* Memory that run() gets; its content does not survive the operator. */
void qrt_bind_scratch(qrt_binder *binder, uint64_t size);

/* Where a tensor's bytes are: in the file for a constant, else in the arena (NULL while counting). */
const void *qrt_bind_tensor(const qrt_binder *binder, const qrt_tensor *tensor);
void *qrt_bind_output(const qrt_binder *binder, const qrt_tensor *tensor);

#endif
