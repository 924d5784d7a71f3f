/* elementwise.c - see elementwise.h. */
#include "elementwise.h"

#include "broadcast.h"

qrt_status qrt_check_elementwise(qrt_verify *v, const qrt_node *node, uint32_t dtype, qrt_tensor *output) {
  qrt_tensor stretched, operand;
  qrt_node_input(node, 0, &stretched);
  for (uint32_t i = 1; i < node->input_count; ++i) {
    uint32_t rank = 0;
    int32_t shape[QRT_MAX_RANK];
    qrt_node_input(node, i, &operand);
    QRT_TRY(qrt_broadcast_shape(v, node, &stretched, &operand, &rank, shape));
    stretched.rank = rank;
    memcpy(stretched.shape, shape, rank * sizeof *shape);
  }
  return qrt_expect_output(v, node, dtype, stretched.rank, stretched.shape, output);
}

/* Axis i continues (or repeats) the one before it alike in all operands. */
static int continues(const qrt_elementwise *e, size_t extent, const size_t *stride) {
  for (uint32_t k = 0; k < e->operands; ++k) {
    if (e->stride[k][e->rank - 1] != stride[k] * extent) {
      return 0;
    }
  }
  return 1;
}

/* Drops axes of extent 1 and merges those that continue one another. */
static void add_axis(qrt_elementwise *e, size_t extent, const size_t *stride) {
  if (extent == 1) {
    return;
  }
  if (e->rank && continues(e, extent, stride)) {
    e->extent[e->rank - 1] *= extent;
  } else {
    e->extent[e->rank++] = extent;
  }
  for (uint32_t k = 0; k < e->operands; ++k) {
    e->stride[k][e->rank - 1] = stride[k];
  }
}

void qrt_bind_elementwise(const qrt_binder *binder, const qrt_node *node, qrt_elementwise *e) {
  qrt_tensor operand, output;
  size_t stride[QRT_ELEMENTWISE_MOST][QRT_MAX_RANK];
  qrt_node_output(node, &output);
  memset(e, 0, sizeof *e);
  e->operands = node->input_count;
  e->output = qrt_bind_output(binder, &output);
  e->element = qrt_dtype_size(output.dtype);
  for (uint32_t k = 0; k < e->operands; ++k) {
    qrt_node_input(node, k, &operand);
    e->input[k] = qrt_bind_tensor(binder, &operand);
    qrt_broadcast_strides(&operand, output.rank, stride[k]);
    for (uint32_t i = 0; i < output.rank; ++i) {
      stride[k][i] *= qrt_dtype_size(operand.dtype);
    }
  }
  for (uint32_t i = 0; i < output.rank; ++i) {
    size_t of_axis[QRT_ELEMENTWISE_MOST] = {0};
    for (uint32_t k = 0; k < e->operands; ++k) {
      of_axis[k] = stride[k][i];
    }
    add_axis(e, (size_t)output.shape[i], of_axis);
  }
  e->count = 1;
  if (e->rank) {
    e->count = e->extent[--e->rank];
    for (uint32_t k = 0; k < e->operands; ++k) {
      e->step[k] = e->stride[k][e->rank];
    }
  }
}

void qrt_run_elementwise(const qrt_elementwise *e, qrt_elementwise_run *run, const void *context) {
  const uint8_t *input[QRT_ELEMENTWISE_MOST] = {e->input[0], e->input[1], e->input[2]};
  uint8_t *output = e->output;
  size_t index[QRT_MAX_RANK] = {0};
  for (;;) {
    run(context, e->count, input, e->step, output);
    output += e->count * e->element;
    uint32_t i = e->rank;
    for (;;) { /* count up, the last axis fastest */
      if (i-- == 0) {
        return;
      }
      int more = ++index[i] < e->extent[i];
      for (uint32_t k = 0; k < e->operands; ++k) {
        input[k] = more ? input[k] + e->stride[k][i] : input[k] - e->stride[k][i] * (e->extent[i] - 1);
      }
      if (more) {
        break;
      }
      index[i] = 0;
    }
  }
}
