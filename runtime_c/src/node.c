/* node.c - see node.h. */
#include "node.h"

void qrt_node_read(const qrt_model *model, uint32_t index, qrt_node *node) {
  const uint8_t *fb = model->file;
  node->model = model;
  node->index = index;
  node->table = qrt_flat_element(fb, model->operators, index);
  node->options = qrt_flat_union(fb, node->table, QRT_FIELD(Operator, operation), &node->code);
  node->inputs = qrt_flat_vector(fb, node->table, QRT_FIELD(Operator, inputs), &node->input_count);
  node->outputs = qrt_flat_vector(fb, node->table, QRT_FIELD(Operator, outputs), &node->output_count);
}

const char *qrt_node_operation(const qrt_node *node) {
  return qrt_fb_unions[QRT_FB_UNION_Operation].names[node->code - 1];
}

void qrt_node_ints(const qrt_node *node, const qrt_fb_field *field, uint32_t count, int32_t *values) {
  uint32_t given, vector = qrt_flat_vector(node->model->file, node->options, field, &given);
  for (uint32_t i = 0; i < count; ++i) {
    values[i] = qrt_load_int(node->model->file + vector + 4 * i);
  }
}

qrt_status qrt_expect_input(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t dtype, qrt_tensor *tensor) {
  qrt_node_input(node, i, tensor);
  if (tensor->dtype != dtype) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %s instead of %s", i, tensor->index,
                         qrt_dtype_name(tensor->dtype), qrt_dtype_name(dtype));
  }
  return QRT_OK;
}

qrt_status qrt_expect_budget(qrt_verify *v, const qrt_node *node, uint64_t bytes) {
  if (bytes > v->budget) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "the file shares too much of its content with itself");
  }
  v->budget -= bytes;
  return QRT_OK;
}

qrt_status qrt_expect_constant(qrt_verify *v, const qrt_node *node, uint32_t i, const qrt_tensor *tensor) {
  if (tensor->kind != QRT_FB_TensorKind_constant) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], which is not a constant", i,
                         tensor->index);
  }
  return QRT_OK;
}

qrt_status qrt_expect_rank(qrt_verify *v, const qrt_node *node, uint32_t i, const qrt_tensor *tensor, uint32_t rank) {
  if (tensor->rank != rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], rank %u instead of %u", i, tensor->index,
                         tensor->rank, rank);
  }
  return QRT_OK;
}

qrt_status qrt_expect_vector(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t dtype, int32_t extent,
                             qrt_tensor *tensor) {
  QRT_TRY(qrt_expect_input(v, node, i, dtype, tensor));
  QRT_TRY(qrt_expect_constant(v, node, i, tensor));
  QRT_TRY(qrt_expect_rank(v, node, i, tensor, 1));
  if (tensor->shape[0] != extent) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], %d elements instead of %d", i,
                         tensor->index, tensor->shape[0], extent);
  }
  return QRT_OK;
}

qrt_status qrt_expect_quantized(qrt_verify *v, const qrt_node *node, uint32_t i, qrt_tensor *tensor) {
  QRT_TRY(qrt_expect_input(v, node, i, QRT_FB_DType_int8, tensor));
  if (tensor->scale_count != 1) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], with %u scales instead of one", i,
                         tensor->index, tensor->scale_count);
  }
  return QRT_OK;
}

qrt_status qrt_expect_channels(qrt_verify *v, const qrt_node *node, qrt_tensor *tensor) {
  QRT_TRY(qrt_expect_quantized(v, node, 0, tensor));
  if (tensor->rank < 2) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[0] is tensors[%u], rank %u, too low for channels",
                         tensor->index, tensor->rank);
  }
  return QRT_OK;
}

qrt_status qrt_expect_weight(qrt_verify *v, const qrt_node *node, uint32_t i, qrt_tensor *tensor) {
  QRT_TRY(qrt_expect_input(v, node, i, QRT_FB_DType_int8, tensor));
  QRT_TRY(qrt_expect_constant(v, node, i, tensor));
  uint32_t count, zero_points = qrt_flat_vector(node->model->file, qrt_tensor_table(node->model, tensor->index),
                                                QRT_FIELD(Tensor, zero_point), &count);
  QRT_TRY(qrt_expect_budget(v, node, 4 * (uint64_t)count));
  for (uint32_t j = 0; j < count; ++j) {
    int32_t zero_point = qrt_load_int(node->model->file + zero_points + 4 * j);
    if (zero_point) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_UNSUPPORTED, "inputs[%u] is tensors[%u], a weight with zero point %d", i,
                           tensor->index, zero_point);
    }
  }
  return QRT_OK;
}

qrt_status qrt_expect_multipliers(qrt_verify *v, const qrt_node *node, uint32_t i, int32_t extent, qrt_tensor *tensor) {
  QRT_TRY(qrt_expect_vector(v, node, i, QRT_FB_DType_float32, extent, tensor));
  QRT_TRY(qrt_expect_budget(v, node, tensor->size));
  const uint8_t *values = qrt_tensor_data(node->model, tensor);
  for (uint32_t j = 0; j < (uint32_t)extent; ++j) {
    if (!qrt_multiplier_ok(qrt_load_float(values + 4 * (size_t)j))) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u], multiplier[%u] is not within 2^-60 and 2^60", i, j);
    }
  }
  return QRT_OK;
}

qrt_status qrt_expect_bias_and_multiplier(qrt_verify *v, const qrt_node *node, int32_t channels) {
  qrt_tensor bias, multiplier;
  QRT_TRY(qrt_expect_vector(v, node, 2, QRT_FB_DType_int32, channels, &bias));
  return qrt_expect_multipliers(v, node, 3, channels, &multiplier);
}

qrt_status qrt_expect_factors(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t rank, const int32_t *shape) {
  qrt_tensor factors;
  QRT_TRY(qrt_expect_input(v, node, i, QRT_FB_DType_float32, &factors));
  QRT_TRY(qrt_expect_constant(v, node, i, &factors));
  QRT_TRY(qrt_expect_rank(v, node, i, &factors, rank));
  for (uint32_t axis = 0; axis < rank; ++axis) {
    if (factors.shape[axis] != shape[axis]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], whose shape[%u] is %d instead of %d",
                           i, factors.index, axis, factors.shape[axis], shape[axis]);
    }
  }
  QRT_TRY(qrt_expect_budget(v, node, factors.size));
  const uint8_t *values = qrt_tensor_data(node->model, &factors);
  for (uint64_t j = 0; j < factors.count; ++j) {
    if (!qrt_factor_ok(qrt_load_float(values + 4 * (size_t)j))) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[%u][%llu] is not within -2^60 and 2^60", i,
                           (unsigned long long)j);
    }
  }
  return QRT_OK;
}

qrt_status qrt_expect_output_at(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t dtype, uint32_t rank,
                                const int32_t *shape, qrt_tensor *output) {
  qrt_node_output_at(node, i, output);
  if (output->dtype != dtype) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "outputs[%u] is tensors[%u], %s instead of %s", i, output->index,
                         qrt_dtype_name(output->dtype), qrt_dtype_name(dtype));
  }
  if (output->rank != rank) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "outputs[%u] is tensors[%u], rank %u instead of %u", i,
                         output->index, output->rank, rank);
  }
  for (uint32_t axis = 0; axis < rank; ++axis) {
    if (output->shape[axis] != shape[axis]) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "outputs[%u] is tensors[%u], whose shape[%u] is %d instead of %d",
                           i, output->index, axis, output->shape[axis], shape[axis]);
    }
  }
  return QRT_OK;
}

qrt_status qrt_expect_output(qrt_verify *v, const qrt_node *node, uint32_t dtype, uint32_t rank, const int32_t *shape,
                             qrt_tensor *output) {
  return qrt_expect_output_at(v, node, 0, dtype, rank, shape, output);
}

qrt_status qrt_expect_same_qparams(qrt_verify *v, const qrt_node *node, const qrt_tensor *a, const qrt_tensor *b) {
  uint32_t a_bits, b_bits;
  memcpy(&a_bits, &a->scale, sizeof a_bits);
  memcpy(&b_bits, &b->scale, sizeof b_bits);
  if (a->scale_count != b->scale_count || a_bits != b_bits || a->zero_point != b->zero_point) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD,
                         "tensors[%u] and tensors[%u] must have the same scale and zero point", a->index, b->index);
  }
  return QRT_OK;
}

qrt_status qrt_expect_range(qrt_verify *v, const qrt_node *node, const qrt_fb_field *least, const qrt_fb_field *most) {
  int32_t low = qrt_flat_int(node->model->file, node->options, least);
  int32_t high = qrt_flat_int(node->model->file, node->options, most);
  if (low < -128 || high > 127 || low > high) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "output_min..output_max is %d..%d", low, high);
  }
  return QRT_OK;
}

qrt_status qrt_expect_multiplier(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field) {
  if (!qrt_multiplier_ok(qrt_flat_float(node->model->file, node->options, field))) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s is not within 2^-60 and 2^60", qrt_fb_name(field));
  }
  return QRT_OK;
}

qrt_status qrt_expect_factor(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field) {
  if (!qrt_factor_ok(qrt_flat_float(node->model->file, node->options, field))) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s is not within -2^60 and 2^60", qrt_fb_name(field));
  }
  return QRT_OK;
}

qrt_status qrt_expect_eps(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field) {
  float eps = qrt_flat_float(node->model->file, node->options, field);
  if (!(eps >= 0.0f && qrt_factor_ok(eps))) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s is not within 0 and 2^60", qrt_fb_name(field));
  }
  return QRT_OK;
}

qrt_status qrt_expect_ints(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field, uint32_t count,
                           int32_t least, int32_t most, int32_t *values) {
  uint32_t given;
  qrt_flat_vector(node->model->file, node->options, field, &given);
  if (given != count) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s has %u elements instead of %u", qrt_fb_name(field), given,
                         count);
  }
  qrt_node_ints(node, field, count, values);
  for (uint32_t i = 0; i < count; ++i) {
    if (values[i] < least || values[i] > most) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s[%u] is %d, not in %d..%d", qrt_fb_name(field), i, values[i],
                           least, most);
    }
  }
  return QRT_OK;
}

qrt_status qrt_expect_int(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field, int32_t least, int32_t most,
                          int32_t *value) {
  *value = qrt_flat_int(node->model->file, node->options, field);
  if (*value < least || *value > most) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "%s is %d, not in %d..%d", qrt_fb_name(field), *value, least, most);
  }
  return QRT_OK;
}
