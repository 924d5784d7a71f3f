/* bind.c - the bump allocator of bind.h. */
#include "bind.h"

/* Adds up to this and then stays: far above every limit, far below overflow. */
#define SATURATED (UINT64_C(1) << 62)

static uint64_t add(uint64_t a, uint64_t b) {
  return a > SATURATED - b || b > SATURATED ? SATURATED : a + b;
}

void *qrt_bind_memory(qrt_binder *binder, uint64_t size) {
  uint64_t begin = binder->used;
  uint64_t rounded = size > SATURATED ? SATURATED : (size + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  binder->used = add(begin, rounded);
  return binder->arena ? binder->arena + begin : NULL;
}

const void *qrt_bind_copy(qrt_binder *binder, const void *data, size_t size) {
  void *copy = qrt_bind_memory(binder, size);
  if (copy) {
    memcpy(copy, data, size);
  }
  return copy;
}

/* A barrier takes about 0.1 us, and what another core has written must come over; so a thread that is asked for help
 * gets work for a microsecond. */
#define MACS_OF_A_THREAD 131072

void qrt_bind_units(const qrt_binder *binder, qrt_step *step,
                    void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end), size_t units,
                    uint64_t macs) {
  uint64_t threads = macs / MACS_OF_A_THREAD;
  threads = threads > binder->threads ? binder->threads : threads;
  threads = threads > units ? units : threads;
  step->run_units = run_units;
  step->units = units;
  step->threads = threads ? (uint32_t)threads : 1;
}

void qrt_bind_moves(const qrt_binder *binder, qrt_step *step,
                    void (*run_units)(const void *arguments, void *scratch, size_t begin, size_t end), size_t units,
                    uint64_t bytes) {
  qrt_bind_units(binder, step, run_units, units, binder->together ? bytes * QRT_MACS_OF_A_BYTE : 0);
}

/* ---- packed weights ---- */

#if QRT_COMPACT
/* One operator is bound at a time: there is nobody to share with. */
const void *qrt_bind_form(qrt_binder *binder, const qrt_recipe *recipe, void **to) {
  return *to = qrt_bind_memory(binder, recipe->size);
}

const void *qrt_bind_packed(qrt_binder *binder, const qrt_tensor *weight, uint32_t layout, const qrt_recipe *recipe,
                            void **to) {
  (void)weight, (void)layout;
  *to = qrt_bind_memory(binder, recipe->size);
  if (*to) {
    memset(*to, 0, (size_t)recipe->size);
  }
  return *to;
}
#else
static int same_recipe(const qrt_recipe *a, const qrt_recipe *b) {
  return memcmp(a, b, sizeof *a) == 0;
}

/* Where the form is, or a place for it; NULL for weights that do not lie in the file. The same when counting as when
 * placing: offsets in the file decide. */
static QRT_AT_OPENING qrt_form *find_form(qrt_binder *binder, const qrt_recipe *recipe) {
  enum { TRIES = 4 };
  const qrt_model *model = binder->model;
  const uintptr_t offset = (uintptr_t)recipe->source[0] - (uintptr_t)model->file;
  const uint32_t hash = (uint32_t)offset * UINT32_C(2654435761) >> (32 - QRT_FORM_BITS);
  if (offset >= model->file_size) {
    return NULL;
  }
  for (uint32_t i = 0; i < TRIES; ++i) {
    qrt_form *form = &binder->forms[(hash + i) % QRT_FORMS];
    if (!form->recipe.pack_id || same_recipe(&form->recipe, recipe)) {
      return form;
    }
  }
  return &binder->forms[hash];
}

const void *qrt_bind_form(qrt_binder *binder, const qrt_recipe *recipe, void **to) {
  qrt_form *form = find_form(binder, recipe);
  if (form && same_recipe(&form->recipe, recipe)) {
    binder->origin = QRT_SHARED;
    *to = NULL;
    return binder->arena ? binder->arena + form->offset : NULL;
  }
  if (form) {
    *form = (qrt_form){*recipe, binder->used};
  }
  binder->origin = QRT_MADE;
  return *to = qrt_bind_memory(binder, recipe->size);
}

static QRT_AT_OPENING __attribute__((noinline)) const void *make_form(qrt_binder *binder, const qrt_recipe *recipe,
                                                                      void **to) {
  const void *form = qrt_bind_form(binder, recipe, to);
  if (*to) {
    memset(*to, 0, (size_t)recipe->size);
  }
  return form;
}

/* The position of a section, if it is one of the operator that is bound; else 0. Sections ascend by operator, so those
 * of operators before it are not needed any more. */
static uint32_t next_section(qrt_binder *binder) {
  const qrt_model *model = binder->model;
  uint32_t count, sections = qrt_flat_vector(model->file, model->root, QRT_FIELD(Model, packed), &count);
  for (; binder->section < binder->section_count; ++binder->section) {
    uint32_t section = qrt_flat_element(model->file, sections, binder->section);
    uint32_t operator_index = (uint32_t)qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, operator));
    if (operator_index >= binder->operator_index) {
      return operator_index == binder->operator_index ? section : 0;
    }
  }
  return 0;
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) {
    ++a, ++b;
  }
  return *a == *b;
}

static QRT_AT_OPENING const void *find_packed(qrt_binder *binder, const qrt_packed *wanted) {
  const qrt_model *model = binder->model;
  for (uint32_t section; (section = next_section(binder)) != 0; ++binder->section) {
    if (!same(wanted->pack_id, qrt_flat_string(model->file, section, QRT_FIELD(PackedSection, pack_id)))) {
      continue;
    }
    uint64_t offset, size;
    int32_t buffer = qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, buffer));
    qrt_buffer_read(model, (uint32_t)buffer, &offset, &size);
    ++binder->section;
    int fits = size == wanted->size &&
               qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, layout_version)) ==
                   (int32_t)wanted->layout_version &&
               qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, tensor)) == (int32_t)wanted->tensor;
    return fits ? model->data + offset : NULL;
  }
  return NULL;
}

/* So that a session can be asked what it has packed. */
static void remember(qrt_binder *binder, const qrt_packed *packed) {
  qrt_pack *pack = qrt_bind_memory(binder, sizeof *pack);
  if (pack) {
    *pack = (qrt_pack){NULL, *packed};
    *(binder->last ? &binder->last->next : &binder->packs) = pack;
    binder->last = pack;
  }
}

const void *qrt_bind_packed(qrt_binder *binder, const qrt_tensor *weight, uint32_t layout, const qrt_recipe *recipe,
                            void **to) {
  qrt_packed packed = {binder->operator_index, weight->index, recipe->pack_id, layout, NULL, (size_t)recipe->size, 0};
  packed.data = layout && recipe->size <= QRT_MAX_BYTES ? find_packed(binder, &packed) : NULL;
  packed.in_file = packed.data != NULL;
  binder->origin = QRT_IN_FILE;
  *to = NULL;
  packed.data = packed.data ? packed.data : make_form(binder, recipe, to);
  if (layout) {
    remember(binder, &packed);
  }
  return packed.data;
}

const void *qrt_bind_repacked(qrt_binder *binder, const qrt_recipe *recipe, void **to) {
  const void *form = make_form(binder, recipe, to);
  if (binder->last) {
    binder->last->packed.data = form;
    binder->last->packed.in_file = 0;
  }
  return form;
}
#endif

/* ---- */

void qrt_bind_scratch(qrt_binder *binder, uint64_t size) {
  if (size > binder->scratch) {
    binder->scratch = size;
  }
}

const void *qrt_bind_tensor(const qrt_binder *binder, const qrt_tensor *tensor) {
  if (tensor->kind == QRT_FB_TensorKind_constant) {
    return qrt_tensor_data(binder->model, tensor);
  }
  return qrt_bind_output(binder, tensor);
}

void *qrt_bind_output(const qrt_binder *binder, const qrt_tensor *tensor) {
  return binder->activations ? binder->activations + tensor->offset : NULL;
}
