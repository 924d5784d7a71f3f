/* flat.c - see flat.h. The verifier walks with a stack of QRT_FB_DEPTH frames: the generator proves that no chain of
 * tables is longer, so there is no recursion and no depth that a file could choose. */
#include "flat.h"

/* The walk may touch this many times the buffer's size: vtables are shared by design, names and shapes may be. */
#define QRT_FLAT_AMPLIFICATION 8

typedef struct frame {
  const qrt_fb_table *type;
  const qrt_fb_field *field; /* in progress; for messages */
  uint32_t table;            /* position */
  uint32_t next_field;
  uint32_t next_element; /* of a vector of tables in progress */
  uint32_t elements;
  uint32_t vector; /* position of its first element */
} frame;

typedef struct verifier {
  const uint8_t *fb;
  uint32_t size;
  uint64_t budget;
  qrt_error *error;
  frame frames[QRT_FB_DEPTH];
  uint32_t depth;
} verifier;

static uint32_t scalar_size(uint32_t kind) {
  switch (kind) {
    case QRT_FB_BOOL:
    case QRT_FB_UBYTE:
      return 1;
    case QRT_FB_ULONG:
      return 8;
    default: /* int, uint, float, and offsets */
      return 4;
  }
}

/* "operators[3].operation.stride: <problem>" */
static qrt_status fail(const verifier *v, qrt_status status, const char *problem) {
  QRT_FAIL(v->error, status, "%s", "");
  for (uint32_t i = 0; i < v->depth; ++i) {
    const frame *f = &v->frames[i];
    if (f->field) {
      QRT_APPEND(v->error, status, "%s%s", i ? "." : "", qrt_fb_name(f->field));
    }
    if (f->elements) {
      QRT_APPEND(v->error, status, "[%u]", f->next_element - 1);
    }
  }
  return QRT_APPEND(v->error, status, "%s%s", v->depth && v->frames[0].field ? ": " : "", problem);
}

static qrt_status charge(verifier *v, uint64_t bytes) {
  if (bytes > v->budget) {
    return fail(v, QRT_ERROR_LIMIT, "the file shares too much of its content with itself");
  }
  v->budget -= bytes;
  return QRT_OK;
}

/* Offset of `slot` from its table, 0 when absent. The table's vtable has been verified. */
static uint32_t slot_offset(const uint8_t *fb, uint32_t table, uint32_t slot) {
  uint32_t vtable = (uint32_t)((int64_t)table - qrt_load_int(fb + table));
  uint32_t entry = 4 + 2 * slot;
  return entry + 2 <= qrt_load16(fb + vtable) ? qrt_load16(fb + vtable + entry) : 0;
}

static qrt_status verify_vtable(verifier *v, uint32_t table) {
  if (table % 4 || (uint64_t)table + 4 > v->size) {
    return fail(v, QRT_ERROR_FORMAT, "table outside of the file or misaligned");
  }
  int64_t vtable = (int64_t)table - qrt_load_int(v->fb + table);
  if (vtable < 0 || vtable % 2 || vtable + 4 > (int64_t)v->size) {
    return fail(v, QRT_ERROR_FORMAT, "vtable outside of the file or misaligned");
  }
  const uint8_t *entries = v->fb + vtable;
  uint32_t vtable_size = qrt_load16(entries), table_size = qrt_load16(entries + 2);
  if (vtable_size < 4 || vtable_size % 2 || vtable + vtable_size > (int64_t)v->size) {
    return fail(v, QRT_ERROR_FORMAT, "vtable has an impossible size");
  }
  if (table_size < 4 || (uint64_t)table + table_size > v->size) {
    return fail(v, QRT_ERROR_FORMAT, "table has an impossible size");
  }
  QRT_TRY(charge(v, (uint64_t)vtable_size + table_size));
  for (uint32_t i = 4; i < vtable_size; i += 2) {
    uint32_t offset = qrt_load16(entries + i);
    if (offset && (offset < 4 || offset >= table_size)) {
      return fail(v, QRT_ERROR_FORMAT, "vtable points outside of its table");
    }
  }
  return QRT_OK;
}

static qrt_status push(verifier *v, uint32_t table, uint32_t type) {
  QRT_TRY(verify_vtable(v, table));
  frame *f = &v->frames[v->depth++];
  memset(f, 0, sizeof *f);
  f->type = &qrt_fb_tables[type];
  f->table = table;
  return QRT_OK;
}

/* Follows the offset at `at`. */
static qrt_status follow(const verifier *v, uint32_t at, uint32_t *target) {
  uint64_t to = (uint64_t)at + qrt_load32(v->fb + at);
  *target = 0;
  if (to == at || to % 4 || to + 4 > v->size) {
    return fail(v, QRT_ERROR_FORMAT, "offset leads outside of the file or is misaligned");
  }
  *target = (uint32_t)to;
  return QRT_OK;
}

/* Position of a field's `bytes` inline bytes, 0 when absent. */
static qrt_status locate(const verifier *v, uint32_t slot, uint32_t bytes, uint32_t *at) {
  uint32_t table = v->frames[v->depth - 1].table;
  uint32_t vtable = (uint32_t)((int64_t)table - qrt_load_int(v->fb + table));
  uint32_t offset = slot_offset(v->fb, table, slot);
  *at = 0;
  if (offset) {
    if (offset + bytes > qrt_load16(v->fb + vtable + 2) || (table + offset) % bytes) {
      return fail(v, QRT_ERROR_FORMAT, "field ends outside of its table or is misaligned");
    }
    *at = table + offset;
  }
  return QRT_OK;
}

static qrt_status verify_string(verifier *v, uint32_t at) {
  uint32_t string;
  QRT_TRY(follow(v, at, &string));
  uint64_t length = qrt_load32(v->fb + string);
  if (string + 4 + length + 1 > v->size) {
    return fail(v, QRT_ERROR_FORMAT, "string is longer than the file");
  }
  if (v->fb[string + 4 + length]) {
    return fail(v, QRT_ERROR_FORMAT, "string does not end in NUL");
  }
  return charge(v, 4 + length + 1);
}

static qrt_status verify_vector(verifier *v, const qrt_fb_field *field, uint32_t at) {
  uint32_t vector, size, align;
  QRT_TRY(follow(v, at, &vector));
  if (field->element == QRT_FB_STRUCT) {
    size = qrt_fb_structs[field->link].size;
    align = qrt_fb_structs[field->link].align;
  } else {
    size = align = scalar_size(field->element);
  }
  uint32_t count = qrt_load32(v->fb + vector);
  if (vector + 4 + (uint64_t)count * size > v->size) {
    return fail(v, QRT_ERROR_FORMAT, "vector is longer than the file");
  }
  if (count && (vector + 4) % align) {
    return fail(v, QRT_ERROR_FORMAT, "vector is misaligned");
  }
  QRT_TRY(charge(v, 4 + (uint64_t)count * size));
  if (field->element == QRT_FB_TABLE) { /* the walk goes on with the first of them */
    frame *f = &v->frames[v->depth - 1];
    f->vector = vector + 4;
    f->elements = count;
    f->next_element = 0;
  }
  return QRT_OK;
}

static qrt_status verify_union(verifier *v, const qrt_fb_field *field) {
  uint32_t tag_at, at, table;
  QRT_TRY(locate(v, field->slot - 1u, 1, &tag_at));
  QRT_TRY(locate(v, field->slot, 4, &at));
  uint32_t tag = tag_at ? v->fb[tag_at] : 0;
  const qrt_fb_union *members = &qrt_fb_unions[field->link];
  if (tag > members->count) {
    fail(v, QRT_ERROR_OPERATOR, "");
    return QRT_APPEND(v->error, QRT_ERROR_OPERATOR, "code %u is unknown; this runtime knows 1 to %u", tag,
                      members->count);
  }
  if (!tag != !at || (field->required && !tag)) {
    return fail(v, QRT_ERROR_FORMAT, "no value, or a value without a code");
  }
  if (!tag) {
    return QRT_OK;
  }
  QRT_TRY(follow(v, at, &table));
  return push(v, table, members->tables[tag - 1]);
}

static qrt_status verify_field(verifier *v, const qrt_fb_field *field) {
  uint32_t at, table;
  if (field->kind == QRT_FB_UNION) {
    return verify_union(v, field);
  }
  QRT_TRY(locate(v, field->slot, scalar_size(field->kind), &at));
  if (!at) {
    return field->required ? fail(v, QRT_ERROR_FORMAT, "required field is missing") : QRT_OK;
  }
  switch (field->kind) {
    case QRT_FB_BOOL:
      return v->fb[at] > 1 ? fail(v, QRT_ERROR_FIELD, "neither 0 nor 1") : QRT_OK;
    case QRT_FB_STRING:
      return verify_string(v, at);
    case QRT_FB_VECTOR:
      return verify_vector(v, field, at);
    case QRT_FB_TABLE:
      QRT_TRY(follow(v, at, &table));
      return push(v, table, field->link);
    default:
      return QRT_OK;
  }
}

/* One step of the walk: the next element of a vector of tables, the next field, or back to the table above. */
static qrt_status step(verifier *v) {
  frame *f = &v->frames[v->depth - 1];
  if (f->next_element < f->elements) {
    uint32_t at = f->vector + 4 * f->next_element++, table;
    QRT_TRY(follow(v, at, &table));
    return push(v, table, f->field->link);
  }
  f->elements = 0;
  if (f->next_field < f->type->field_count) {
    f->field = &f->type->fields[f->next_field++];
    return verify_field(v, f->field);
  }
  --v->depth;
  return QRT_OK;
}

static void start(verifier *v, const uint8_t *fb, uint32_t size, qrt_error *error) {
  v->fb = fb;
  v->size = size;
  v->budget = (uint64_t)size * QRT_FLAT_AMPLIFICATION;
  v->error = error;
  v->depth = 0;
}

qrt_status qrt_flat_verify(const uint8_t *fb, uint32_t size, uint32_t root, qrt_error *error) {
  verifier v;
  start(&v, fb, size, error);
  QRT_TRY(push(&v, root, QRT_FB_ROOT));
  while (v.depth) {
    QRT_TRY(step(&v));
  }
  return QRT_OK;
}

qrt_status qrt_flat_verify_root(const uint8_t *fb, uint32_t size, uint32_t root, qrt_error *error) {
  verifier v;
  start(&v, fb, size, error);
  QRT_TRY(push(&v, root, QRT_FB_ROOT));
  frame *f = &v.frames[0];
  for (uint32_t i = 0; i < f->type->field_count; ++i) {
    uint32_t at;
    f->field = &f->type->fields[i];
    QRT_TRY(locate(&v, f->field->slot, scalar_size(f->field->kind), &at));
  }
  return QRT_OK;
}

/* ---- reading ---- */

uint32_t qrt_flat_find(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t offset = slot_offset(fb, table, field->slot);
  return offset ? table + offset : 0;
}

uint8_t qrt_flat_byte(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(fb, table, field);
  return at ? fb[at] : (uint8_t)field->value.number;
}

int32_t qrt_flat_int(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(fb, table, field);
  return at ? qrt_load_int(fb + at) : field->value.number;
}

uint32_t qrt_flat_uint(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(fb, table, field);
  return at ? qrt_load32(fb + at) : (uint32_t)field->value.number;
}

uint64_t qrt_flat_ulong(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(fb, table, field);
  return at ? qrt_load64(fb + at) : (uint64_t)field->value.number;
}

float qrt_flat_float(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(fb, table, field);
  return at ? qrt_load_float(fb + at) : field->value.real;
}

const char *qrt_flat_string(const uint8_t *fb, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(fb, table, field);
  return at ? (const char *)(fb + at + qrt_load32(fb + at) + 4) : "";
}

uint32_t qrt_flat_vector(const uint8_t *fb, uint32_t table, const qrt_fb_field *field, uint32_t *count) {
  uint32_t at = qrt_flat_find(fb, table, field);
  if (!at) {
    *count = 0;
    return 0;
  }
  uint32_t vector = at + qrt_load32(fb + at);
  *count = qrt_load32(fb + vector);
  return vector + 4;
}

uint32_t qrt_flat_element(const uint8_t *fb, uint32_t vector, uint32_t index) {
  uint32_t at = vector + 4 * index;
  return at + qrt_load32(fb + at);
}

uint32_t qrt_flat_union(const uint8_t *fb, uint32_t table, const qrt_fb_field *field, uint32_t *tag) {
  uint32_t tag_offset = slot_offset(fb, table, field->slot - 1u);
  uint32_t at = qrt_flat_find(fb, table, field);
  *tag = tag_offset ? fb[table + tag_offset] : 0;
  return at ? at + qrt_load32(fb + at) : 0;
}
