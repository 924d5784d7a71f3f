/* damage.h - a copy of a file, changed in one place at a time, and the refusal that must follow. */
#ifndef QRT_DAMAGE_H
#define QRT_DAMAGE_H

#include "test.h"

/* A copy of the file under damage, and the model that was opened from it before. */
typedef struct patient {
  blob file;
  qrt_model model;
} patient;

static inline patient admit(const blob *file) {
  patient p;
  p.file = copy(file, file->size);
  qrt_model_open(&p.model, p.file.bytes, p.file.size, &error);
  return p;
}

static inline uint32_t position(const patient *p, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(p->file.bytes, table, field);
  if (!at) {
    printf("the fixture does not store %s\n", field->name);
    exit(2);
  }
  return at;
}

/* Position of a vector's count; its elements follow. */
static inline uint32_t vector(const patient *p, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = position(p, table, field);
  return at + qrt_load32(p->file.bytes + at);
}

static inline uint32_t operator_at(const patient *p, uint32_t index) {
  qrt_node node;
  qrt_node_read(&p->model, index, &node);
  return node.table;
}

static inline uint32_t options_at(const patient *p, uint32_t index) {
  qrt_node node;
  qrt_node_read(&p->model, index, &node);
  return node.options;
}

static inline uint32_t input_of(const patient *p, uint32_t operator_index, uint32_t i) {
  qrt_node node;
  qrt_node_read(&p->model, operator_index, &node);
  return qrt_node_input_index(&node, i);
}

static inline uint32_t output_of(const patient *p, uint32_t operator_index) {
  qrt_node node;
  qrt_node_read(&p->model, operator_index, &node);
  return qrt_node_output_index(&node, 0);
}

static inline uint32_t tensor_at(const patient *p, uint32_t index) {
  return qrt_tensor_table(&p->model, index);
}

/* Writes `size` bytes at `at`, opens, expects, and restores. */
static inline void damage(patient *p, uint32_t at, const void *value, size_t size, qrt_status expected,
                          const char *text, int line) {
  uint8_t before[4 * QRT_MAX_RANK];
  qrt_model model;
  memcpy(before, p->file.bytes + at, size);
  memcpy(p->file.bytes + at, value, size);
  qrt_status status = qrt_model_open(&model, p->file.bytes, p->file.size, &error);
  check_status(status, expected, error.message, text, line);
  memcpy(p->file.bytes + at, before, size);
}

static inline void damage_int(patient *p, uint32_t at, int32_t value, qrt_status expected, const char *text, int line) {
  damage(p, at, &value, sizeof value, expected, text, line);
}

static inline void damage_long(patient *p, uint32_t at, uint64_t value, qrt_status expected, const char *text,
                               int line) {
  damage(p, at, &value, sizeof value, expected, text, line);
}

static inline void damage_float(patient *p, uint32_t at, float value, qrt_status expected, const char *text, int line) {
  damage(p, at, &value, sizeof value, expected, text, line);
}

static inline void damage_byte(patient *p, uint32_t at, unsigned value, qrt_status expected, const char *text,
                               int line) {
  uint8_t byte = (uint8_t)value;
  damage(p, at, &byte, 1, expected, text, line);
}

static inline uint32_t shape_of(const patient *p, uint32_t tensor) {
  return vector(p, tensor_at(p, tensor), QRT_FIELD(Tensor, shape)) + 4;
}

/* Where a constant's bytes are in the file. */
static inline uint32_t data_of(const patient *p, uint32_t tensor) {
  qrt_tensor constant;
  qrt_tensor_read(&p->model, tensor, &constant);
  return (uint32_t)(p->model.data - p->model.file) + (uint32_t)constant.offset;
}

/* The first operator of a kind. */
static inline uint32_t find(const patient *p, uint32_t code) {
  qrt_node node;
  for (uint32_t i = 0; i < p->model.operator_count; ++i) {
    qrt_node_read(&p->model, i, &node);
    if (node.code == code) {
      return i;
    }
  }
  printf("the fixture has no operator %u\n", code);
  exit(2);
}

#define INT(at, value, expected, text)   damage_int(p, at, value, QRT_##expected, text, __LINE__)
#define LONG(at, value, expected, text)  damage_long(p, at, value, QRT_##expected, text, __LINE__)
#define FLOAT(at, value, expected, text) damage_float(p, at, value, QRT_##expected, text, __LINE__)
#define BYTE(at, value, expected, text)  damage_byte(p, at, value, QRT_##expected, text, __LINE__)

/* Several integers at once. */
#define SHAPE(at, expected, text, ...) \
  damage(p, at, (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}), QRT_##expected, text, __LINE__)

static const float bad_scales[] = {0.0f, -1.0f, 0x1p-61f, 0x1p61f, 1e-45f};

/* Infinity and NaN, without asking the compiler to think about them. */
static inline float special(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
