/* upsample2d.c - see upsample2d.h. */
#include "upsample2d.h"

qrt_status qrt_check_upsample2d(qrt_verify *v, const qrt_node *node, const qrt_upsample2d_fields *fields,
                                uint32_t dtype) {
  qrt_tensor input, output;
  int32_t size[2];
  QRT_TRY(dtype == QRT_FB_DType_int8 ? qrt_expect_quantized(v, node, 0, &input)
                                     : qrt_expect_input(v, node, 0, dtype, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, 4));
  if (input.shape[1] > QRT_LIMIT_OPTION || input.shape[2] > QRT_LIMIT_OPTION) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "inputs[0]: %d x %d pixels", input.shape[1], input.shape[2]);
  }
  QRT_TRY(qrt_expect_ints(v, node, fields->output_size, 2, 1, QRT_LIMIT_OPTION, size));
  QRT_TRY(qrt_expect_multiplier(v, node, fields->scale_height));
  QRT_TRY(qrt_expect_multiplier(v, node, fields->scale_width));
  const int32_t shape[4] = {input.shape[0], size[0], size[1], input.shape[3]};
  QRT_TRY(qrt_expect_output(v, node, dtype, 4, shape, &output));
  return qrt_expect_same_qparams(v, node, &input, &output);
}

void qrt_bind_upsample2d(qrt_binder *binder, const qrt_node *node, const qrt_upsample2d_fields *fields, size_t element,
                         qrt_upsample2d *u) {
  qrt_tensor input, output;
  const uint8_t *file = node->model->file;
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  u->input = qrt_bind_tensor(binder, &input);
  u->output = qrt_bind_output(binder, &output);
  u->batch = (size_t)input.shape[0];
  u->channels = (size_t)input.shape[3];
  u->h.in = (size_t)input.shape[1];
  u->w.in = (size_t)input.shape[2];
  u->h.out = (size_t)output.shape[1];
  u->w.out = (size_t)output.shape[2];
  u->h.scale = qrt_flat_float(file, node->options, fields->scale_height);
  u->w.scale = qrt_flat_float(file, node->options, fields->scale_width);
  u->h.positions = qrt_bind_memory(binder, (uint64_t)u->h.out * element);
  u->w.positions = qrt_bind_memory(binder, (uint64_t)u->w.out * element);
}
