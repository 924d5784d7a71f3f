/* flat_types.h - the shape of the tables in schema.c: what a flatbuffer's tables, structs and unions look like. */
#ifndef QRT_FLAT_TYPES_H
#define QRT_FLAT_TYPES_H

#include "platform.h"

/* The operators of this build, rows of QRT_OPERATOR as in ops/ops.inc; a build for one model has a shorter list. */
#ifndef QRT_OPERATORS
#define QRT_OPERATORS "ops/ops.inc"
#endif

/* Names are only needed in messages. */
#if QRT_MESSAGES
#define QRT_FB_NAME(text) text,
#else
#define QRT_FB_NAME(text)
#endif

enum {
  QRT_FB_NONE,
  QRT_FB_BOOL,
  QRT_FB_UBYTE,
  QRT_FB_INT,
  QRT_FB_UINT,
  QRT_FB_ULONG,
  QRT_FB_FLOAT,
  QRT_FB_STRING,
  QRT_FB_VECTOR,
  QRT_FB_TABLE,
  QRT_FB_UNION,
  QRT_FB_STRUCT /* element of a vector only */
};

typedef struct qrt_fb_field {
#if QRT_MESSAGES
  const char *name;
#endif
  unsigned kind : 4;
  unsigned element : 4; /* kind of a vector's elements */
  unsigned required : 1;
  unsigned slot : 7;  /* in the vtable; a union's tag has the slot before */
  unsigned link : 16; /* index of the table, struct or union */
  union {
    int32_t number; /* default of every scalar but float */
    float real;     /* default of a float */
  } value;
} qrt_fb_field;

static inline const char *qrt_fb_name(const qrt_fb_field *field) {
#if QRT_MESSAGES
  return field->name;
#else
  (void)field;
  return "";
#endif
}

typedef struct qrt_fb_table {
  const qrt_fb_field *fields;
  uint32_t field_count;
} qrt_fb_table;

typedef struct qrt_fb_struct {
  uint16_t size;
  uint16_t align;
} qrt_fb_struct;

typedef struct qrt_fb_union {
  const uint8_t *tables; /* member tag - 1 -> index of its table */
  const char *const *names;
  uint32_t count;
} qrt_fb_union;

#endif
