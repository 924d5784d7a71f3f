/* bind.h - what an operator's prepare function has in hand, and what it leaves behind.
 *
 * Binding runs twice over the same code: the first time only to count, the second time to place, so the number that
 * qrt_arena_size answers is right by construction. While counting, memory is NULL: prepare must make the same requests
 * and write nothing through them.
 */
#ifndef QRT_BIND_H
#define QRT_BIND_H

#include "node.h"

/* What runs when a file is opened, and never while a session runs but on small machines, is compiled for size. */
#define QRT_AT_OPENING __attribute__((cold))

typedef struct qrt_step {
  /* Before each run, where inputs can be wrong: QRT_OK, or QRT_ERROR_INDEX with a message. NULL: they cannot. */
  qrt_status (*check)(qrt_verify *v, const qrt_node *node, const void *arguments);
  void (*run)(const void *arguments, void *scratch);
  /* In the place of run, where the work is many units that do not depend on each other: those of begin..end. */
  void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end);
  size_t units;
  uint32_t threads; /* that share the units */
  const void *arguments;
  const char *kernel; /* for people; "" without one */
  const uint8_t *output;
  size_t output_size;
} qrt_step;

/* Packed weights of a session, in the order in which operators asked for them. */
typedef struct qrt_pack {
  const struct qrt_pack *next;
  qrt_packed packed;
} qrt_pack;

/* What a packed form is made of: forms that have all of it in common are equal, and a session has them once. */
typedef struct qrt_recipe {
  const char *pack_id;   /* the kernel's name */
  const void *source[3]; /* weights, and what is packed with them; shared where the weights lie in the file */
  uint64_t size;
  size_t shape[3];
  ptrdiff_t parameter; /* the input's zero point and whether sums are asked for, or the weights' bits */
} qrt_recipe;

_Static_assert(sizeof(qrt_recipe) == 8 * sizeof(size_t) + sizeof(uint64_t),
               "no padding: recipes are compared as bytes");

/* A place in the table of forms that are made already. It is on the stack while binding, so it has an end: where that
 * is reached, forms are made again, and the count says so. */
typedef struct qrt_form {
  qrt_recipe recipe; /* pack_id is NULL in an empty place */
  uint64_t offset;   /* in the arena */
} qrt_form;

enum { QRT_FORM_BITS = 7, QRT_FORMS = 1 << QRT_FORM_BITS };

typedef enum qrt_origin { QRT_MADE, QRT_SHARED, QRT_IN_FILE } qrt_origin;

typedef struct qrt_binder {
  const qrt_model *model;
  uint32_t section, section_count; /* of Model.packed: the next that may be used, and how many there are */
  uint32_t operator_index;
  const qrt_pack *packs; /* the first; NULL while counting */
  qrt_pack *last;
  uint8_t *arena;       /* NULL while counting */
  uint8_t *activations; /* NULL while counting */
  uint64_t used;        /* bytes of the arena; stays beyond any limit once it has got there */
  uint64_t scratch;     /* most that any operator needs, of each thread */
  uint32_t threads;
  int together;        /* did several threads share the operator before? */
  uint32_t isa;        /* mask of instruction sets */
  void (*yield)(void); /* of the workers; NULL: there is nobody to yield to */
  void *shared;        /* what an operator has for those behind it that read the same input; see linear_dynamic.c */
#if !QRT_COMPACT
  qrt_origin origin; /* of the packed form that was asked for last */
  qrt_form forms[QRT_FORMS];
#endif
} qrt_binder;

/* Bytes of the arena, aligned to QRT_ALIGNMENT. NULL while counting. */
void *qrt_bind_memory(qrt_binder *binder, uint64_t size);

/* A copy of `size` bytes that lives as long as the session. NULL while counting. */
const void *qrt_bind_copy(qrt_binder *binder, const void *data, size_t size);

/* Elements that are one unit of work where each is for itself: whole cache lines, and vectors, of the output. */
enum { QRT_UNIT = 1024, QRT_MACS_OF_A_BYTE = 16, QRT_MACS_OF_A_VALUE = 256 };

/* The step's work as `units` of equal work, `macs` of them all together: multiplications, or QRT_MACS_OF_A_BYTE per
 * byte of what reads its input a few times, QRT_MACS_OF_A_VALUE per value that is computed without vectors. As many
 * threads share them as have enough to do. A step with a check is not shared. */
void qrt_bind_units(const qrt_binder *binder, qrt_step *step,
                    void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end), size_t units,
                    uint64_t macs);

/* The same for `bytes` that are read once and hardly more than moved. Where one thread has run the operator before,
 * they lie in that one's cache, as inputs do: to fetch them from there takes other threads longer than the work. */
void qrt_bind_moves(const qrt_binder *binder, qrt_step *step,
                    void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end), size_t units,
                    uint64_t bytes);

/* Memory of recipe->size bytes for a packed form, for the caller to fill: *to. That of an operator before with the same
 * recipe, if there is one: then *to is NULL, as it is while counting. */
QRT_AT_OPENING const void *qrt_bind_form(qrt_binder *binder, const qrt_recipe *recipe, void **to);

/* Weights packed for a kernel: those of the file, if its next section for this operator is of this tensor, id, layout
 * and size; else qrt_bind_form, its memory zeros. layout 0 is never in a file. The address may be NULL while
 * counting. */
QRT_AT_OPENING const void *qrt_bind_packed(qrt_binder *binder, const qrt_tensor *weight, uint32_t layout,
                                           const qrt_recipe *recipe, void **to);

/* In the place of what the file has and the last call has found, for a caller that may not use it. */
QRT_AT_OPENING const void *qrt_bind_repacked(qrt_binder *binder, const qrt_recipe *recipe, void **to);

/* Where the weights of the last of these calls come from; also known while counting. */
static inline qrt_origin qrt_bind_origin(const qrt_binder *binder) {
#if QRT_COMPACT
  (void)binder;
  return QRT_MADE;
#else
  return binder->origin;
#endif
}

/* Memory that run() gets; its content does not survive the operator. */
void qrt_bind_scratch(qrt_binder *binder, uint64_t size);

/* Where a tensor's bytes are: in the file for a constant, else in the arena (NULL while counting). */
const void *qrt_bind_tensor(const qrt_binder *binder, const qrt_tensor *tensor);
void *qrt_bind_output(const qrt_binder *binder, const qrt_tensor *tensor);

#endif
