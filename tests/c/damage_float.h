/* damage_float.h - what the tests of operators on float activations share. */
#ifndef QRT_DAMAGE_FLOAT_H
#define QRT_DAMAGE_FLOAT_H

#include "damage.h"

/* The first `operands`, which are float, of another type; too few of them; and the output's shape, one axis after the
 * other. `weight` is an int8 constant. */
static inline void damage_operands(patient *p, uint32_t index, uint32_t weight, uint32_t operands, uint32_t rank) {
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs));
  for (uint32_t i = 0; i < operands; ++i) {
    INT(inputs + 4 + 4 * i, (int32_t)weight, ERROR_FIELD, "int8 instead of float32");
  }
  INT(inputs, qrt_load_int(p->file.bytes + inputs) - 1, ERROR_FIELD, "inputs, not");
  for (uint32_t i = 0; i < rank; ++i) {
    uint32_t extent = shape_of(p, output_of(p, index)) + 4 * i;
    int32_t value = qrt_load_int(p->file.bytes + extent);
    INT(extent, value > 1 ? value - 1 : 2, ERROR_FIELD, value > 1 ? "shape[" : NULL); /* a larger one may overlap */
  }
}

/* Weight, weight_scale and bias of a projection that begin at operand `first`. */
static inline void damage_projection(patient *p, uint32_t index, uint32_t first) {
  uint32_t inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs)) + 4;
  uint32_t weight = input_of(p, index, first), scale = data_of(p, input_of(p, index, first + 1));
  int32_t rows = qrt_load_int(p->file.bytes + shape_of(p, weight));
  int32_t columns = qrt_load_int(p->file.bytes + shape_of(p, weight) + 4);
  INT(inputs + 4 * first, (int32_t)input_of(p, index, first + 1), ERROR_FIELD, "float32 instead of int8");
  INT(inputs + 4 * (first + 1), (int32_t)weight, ERROR_FIELD, "int8 instead of float32");
  INT(inputs + 4 * (first + 2), (int32_t)weight, ERROR_FIELD, "int8 instead of float32");
  INT(inputs + 4 * (first + 2), (int32_t)input_of(p, index, 0), ERROR_FIELD, "not a constant");
  SHAPE(shape_of(p, weight), ERROR_FIELD, NULL, rows * 2, columns / 2);
  SHAPE(shape_of(p, weight) - 4, ERROR_FIELD, "rank 1 instead of 2", 1, rows * columns);
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(scale + 4 * (uint32_t)(rows - 1), bad_scales[i], ERROR_FIELD, "multiplier[");
  }
  FLOAT(scale, special(0x7f800000), ERROR_FIELD, "multiplier[0]");
  FLOAT(scale, special(0x7fc00000), ERROR_FIELD, "multiplier[0]");
}

/* Every instruction set passes the file's own test. */
static inline void test_every_isa(const qrt_model *model) {
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    qrt_config config = {.size = sizeof config, .isa = qrt_isa_name(i)};
    qrt_session *session;
    uint32_t count;
    void *arena = open_session(model, &config, &session);
    STATUS(qrt_session_self_test(session, &count, &error), OK, NULL);
    CHECK(count == 2);
    free(arena);
  }
}

/* Each activation moved onto each other offset: what still opens must not let a tensor overwrite a live one. */
static inline void damage_offsets(patient *p) {
  qrt_model model;
  unsigned opened = 0, wrong = 0;
  for (uint32_t i = 0; i < p->model.tensor_count; ++i) {
    uint32_t table = tensor_at(p, i);
    if (qrt_flat_byte(p->file.bytes, table, QRT_FIELD(Tensor, kind))) {
      continue;
    }
    uint32_t at = position(p, table, QRT_FIELD(Tensor, offset));
    uint64_t before = qrt_load64(p->file.bytes + at);
    for (uint64_t offset = 0; offset < p->model.activation_size; offset += 64) {
      memcpy(p->file.bytes + at, &offset, sizeof offset);
      if (qrt_model_open(&model, p->file.bytes, p->file.size, &error) == QRT_OK) {
        qrt_session *session;
        void *arena = open_session(&model, NULL, &session);
        ++opened;
        wrong += qrt_session_self_test(session, NULL, &error) != QRT_OK;
        free(arena);
      }
    }
    memcpy(p->file.bytes + at, &before, sizeof before);
  }
  CHECK(opened > 0 && wrong == 0);
}

#endif
