/* op.c - from an operator's code and the type of its first input to its functions. */
#include "op.h"

static const qrt_op operators[] = {
#define QRT_OPERATOR(name, least, most, outputs, in_place) \
  {QRT_FB_Operation_##name, least, most, outputs, in_place, 0, qrt_check_##name, qrt_prepare_##name},
#define QRT_FLOAT_OPERATOR(name, least, most, outputs, in_place) \
  {QRT_FB_Operation_##name, least, most, outputs, in_place, 1, qrt_check_float_##name, qrt_prepare_float_##name},
#include QRT_OPERATORS
#undef QRT_OPERATOR
#undef QRT_FLOAT_OPERATOR
};

static int first_is_float(const qrt_node *node) {
  qrt_tensor first;
  if (!node->input_count || qrt_node_input_index(node, 0) >= node->model->tensor_count) {
    return 0;
  }
  qrt_node_input(node, 0, &first);
  return first.dtype == QRT_FB_DType_float32;
}

const qrt_op *qrt_op_find(const qrt_node *node) {
  const qrt_op *found = NULL;
  const int is_float = first_is_float(node);
  for (size_t i = 0; i < sizeof operators / sizeof *operators; ++i) {
    const qrt_op *op = &operators[i];
    if (op->code == node->code && (!found || op->is_float == is_float)) {
      found = op;
    }
  }
  return found;
}
