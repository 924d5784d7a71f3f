/* flat.h - flatbuffers: one verifier and one reader for every table, driven by the tables of schema.h.
 *
 * qrt_flat_verify guarantees, for everything that schema.h describes: offsets, vtables, vectors, strings and unions lie
 * inside the buffer and are aligned; required fields are there; bools are 0 or 1; a union's tag is known and matches
 * its value; strings end in NUL; the work that sharing of subtrees can cause is bounded. Fields it does not know are
 * ignored. It does not look at what the values mean: that is model.c.
 *
 * The readers trust the buffer: they are for what has been verified.
 */
#ifndef QRT_FLAT_H
#define QRT_FLAT_H

#include <string.h>

#include "schema.h"
#include "status.h"

#define QRT_FIELD(table, field) (&qrt_fb_##table##_fields[QRT_FB_##table##_##field])

/* Verifies the table at `root` and all below it, in a buffer of `size` bytes that is aligned to 8. */
qrt_status qrt_flat_verify(const uint8_t *fb, uint32_t size, uint32_t root, qrt_error *error);

/* Verifies the one table at `root`: its scalars may be read afterwards, and nothing else. */
qrt_status qrt_flat_verify_root(const uint8_t *fb, uint32_t size, uint32_t root, qrt_error *error);

static inline uint16_t qrt_load16(const uint8_t *p) {
  uint16_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

static inline uint32_t qrt_load32(const uint8_t *p) {
  uint32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

static inline int32_t qrt_load_int(const uint8_t *p) {
  int32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

static inline uint64_t qrt_load64(const uint8_t *p) {
  uint64_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

static inline float qrt_load_float(const uint8_t *p) {
  float value;
  memcpy(&value, p, sizeof value);
  return value;
}

/* Position of a field in the table at `table`; 0 when it is absent. */
uint32_t qrt_flat_find(const uint8_t *fb, uint32_t table, const qrt_fb_field *field);

/* Values, or the schema's default. _byte is for ubyte, enums and bool. */
uint8_t qrt_flat_byte(const uint8_t *fb, uint32_t table, const qrt_fb_field *field);
int32_t qrt_flat_int(const uint8_t *fb, uint32_t table, const qrt_fb_field *field);
uint32_t qrt_flat_uint(const uint8_t *fb, uint32_t table, const qrt_fb_field *field);
uint64_t qrt_flat_ulong(const uint8_t *fb, uint32_t table, const qrt_fb_field *field);
float qrt_flat_float(const uint8_t *fb, uint32_t table, const qrt_fb_field *field);
const char *qrt_flat_string(const uint8_t *fb, uint32_t table, const qrt_fb_field *field); /* "" when absent */

/* Position of a vector's first element, and the count; an absent vector has none. */
uint32_t qrt_flat_vector(const uint8_t *fb, uint32_t table, const qrt_fb_field *field, uint32_t *count);

/* Position of element `index` of a vector of tables whose first element is at `vector`. */
uint32_t qrt_flat_element(const uint8_t *fb, uint32_t vector, uint32_t index);

/* Position of a union's table, and its tag. */
uint32_t qrt_flat_union(const uint8_t *fb, uint32_t table, const qrt_fb_field *field, uint32_t *tag);

#endif
