/* test_recurrent.c - recurrent layers, which have several outputs: as test_damage.c; and float functions.
 *
 *   test_recurrent FOLDER   the files of tests/c/fixture.py
 */
#include "damage_float.h"

enum { INPUT, HIDDEN, CELL }; /* the first operands */

static uint32_t output_at(const patient *p, uint32_t operator_index, uint32_t i) {
  qrt_node node;
  qrt_node_read(&p->model, operator_index, &node);
  return qrt_node_output_index(&node, i);
}

/* Steps, batch and features belong together. */
static void damage_layer(patient *p, uint32_t code, uint32_t states) {
  uint32_t index = find(p, code), first = 1 + states;
  uint32_t weight = input_of(p, index, first), inputs = vector(p, operator_at(p, index), QRT_FIELD(Operator, inputs));
  damage_operands(p, index, weight, first, 3);
  damage_projection(p, index, first);
  damage_projection(p, index, first + 3);
  SHAPE(inputs + 4 + 4 * first, ERROR_FIELD, "by 2 instead of", (int32_t)input_of(p, index, first + 3));
  SHAPE(shape_of(p, input_of(p, index, INPUT)), ERROR_FIELD, "3 by 2 instead of 4 by 2", 2, 4, 3);
  SHAPE(shape_of(p, input_of(p, index, INPUT)), ERROR_FIELD, "by 4 instead of", 4, 3, 2);
  SHAPE(shape_of(p, input_of(p, index, INPUT)) - 4, ERROR_FIELD, "rank 2 instead of 3", 2, 6, 4);
  for (uint32_t i = 1; i <= states; ++i) {
    SHAPE(shape_of(p, output_at(p, index, i)), ERROR_FIELD, "whose shape[0] is 2 instead of 3", 2, 3);
    SHAPE(shape_of(p, output_at(p, index, i)) - 4, ERROR_FIELD, "rank 1 instead of 2", 1, 6);
    BYTE(position(p, tensor_at(p, output_at(p, index, i)), QRT_FIELD(Tensor, dtype)), QRT_FB_DType_int32, ERROR_FIELD,
         "int32 instead of float32");
  }
}

static void damage_states(patient *p) {
  uint32_t lstm = find(p, QRT_FB_Operation_lstm_dynamic);
  uint32_t hidden = shape_of(p, input_of(p, lstm, HIDDEN)), cell = shape_of(p, input_of(p, lstm, CELL));
  SHAPE(hidden, ERROR_FIELD, "inputs[1] is tensors[1], 2 by 3 instead of 3 by 3", 2, 3);
  SHAPE(hidden - 4, ERROR_FIELD, "rank 1 instead of 2", 1, 6);
  SHAPE(hidden - 4, ERROR_FIELD, "rank 0 instead of 2", 0);
  SHAPE(cell, ERROR_FIELD, "inputs[2] is tensors[2], 2 by 3 instead of 3 by 2", 2, 3);
}

/* 2, 12: every output counts. */
static void damage_outputs(patient *p) {
  uint32_t lstm = find(p, QRT_FB_Operation_lstm_dynamic), table = operator_at(p, lstm);
  uint32_t outputs = vector(p, table, QRT_FIELD(Operator, outputs)), live = vector(p, table, QRT_FIELD(Operator, live));
  int32_t first = (int32_t)output_at(p, lstm, 0);
  INT(outputs, 2, ERROR_FIELD, "2 outputs instead of 3");
  INT(outputs, 1, ERROR_FIELD, "1 outputs instead of 3");
  INT(outputs, 0, ERROR_FIELD, "0 outputs instead of 3");
  for (uint32_t i = 0; i < 3; ++i) {
    char text[32];
    snprintf(text, sizeof text, "outputs[%u] is tensor", (unsigned)i);
    INT(outputs + 4 + 4 * i, 99, ERROR_FIELD, text);
    INT(outputs + 4 + 4 * i, -1, ERROR_FIELD, text);
    INT(outputs + 4 + 4 * i, first + (i == 0), ERROR_FIELD, text);
  }
  /* Six live activations: three inputs and three outputs. */
  CHECK(qrt_load32(p->file.bytes + live) == 6);
  for (uint32_t i = 0; i < 6; ++i) {
    int32_t index = qrt_load_int(p->file.bytes + live + 4 + 4 * i);
    if (index >= first) {
      uint32_t offset = position(p, tensor_at(p, (uint32_t)index), QRT_FIELD(Tensor, offset));
      uint64_t input = qrt_flat_ulong(p->file.bytes, tensor_at(p, input_of(p, lstm, CELL)), QRT_FIELD(Tensor, offset));
      LONG(offset, input, ERROR_FIELD, "overlaps inputs[2] in the arena");
    }
  }
  SHAPE(live, ERROR_FIELD, "live lacks an output", 5);
}

static void damage_options(patient *p) {
  uint32_t lstm = options_at(p, find(p, QRT_FB_Operation_lstm_dynamic));
  uint32_t gru = options_at(p, find(p, QRT_FB_Operation_gru_dynamic));
  uint32_t rnn = options_at(p, find(p, QRT_FB_Operation_rnn_dynamic));
  BYTE(position(p, lstm, QRT_FIELD(lstm_dynamic, reverse)), 2, ERROR_FIELD, "reverse");
  BYTE(position(p, lstm, QRT_FIELD(lstm_dynamic, per_step)), 2, ERROR_FIELD, "per_step");
  BYTE(position(p, gru, QRT_FIELD(gru_dynamic, reverse)), 255, ERROR_FIELD, "reverse");
  BYTE(position(p, rnn, QRT_FIELD(rnn_dynamic, relu)), 2, ERROR_FIELD, "relu");
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_recurrent FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "recurrent.qsdk");
  patient p = admit(&file);
  STATUS(qrt_model_open(&p.model, p.file.bytes, p.file.size, &error), OK, NULL);
  test_every_isa(&p.model);
  damage_offsets(&p);
  damage_layer(&p, QRT_FB_Operation_lstm_dynamic, 2);
  damage_layer(&p, QRT_FB_Operation_gru_dynamic, 1);
  damage_layer(&p, QRT_FB_Operation_rnn_dynamic, 1);
  damage_states(&p);
  damage_outputs(&p);
  damage_options(&p);
  uint32_t weight = input_of(&p, find(&p, QRT_FB_Operation_lstm_dynamic), 3);
  damage_operands(&p, find(&p, QRT_FB_Operation_sigmoid), weight, 1, 3);
  damage_operands(&p, find(&p, QRT_FB_Operation_tanh), weight, 1, 3);
  CHECK(memcmp(p.file.bytes, file.bytes, file.size) == 0);
  free(p.file.bytes);
  free(file.bytes);
  return finish();
}
