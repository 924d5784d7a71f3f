/* weight_only.c - see weight_only.h. */
#include "weight_only.h"

#include "pack.h"

enum { GROUP_UNIT = 32 };

static qrt_status check_scales(qrt_verify *v, const qrt_node *node, int32_t n, int64_t groups) {
  qrt_tensor scale;
  QRT_TRY(qrt_expect_input(v, node, 2, QRT_FB_DType_float32, &scale));
  QRT_TRY(qrt_expect_constant(v, node, 2, &scale));
  QRT_TRY(qrt_expect_rank(v, node, 2, &scale, 2));
  if (scale.shape[0] != n || scale.shape[1] != groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[2] is tensors[%u], %d by %d scales instead of %d by %d",
                         scale.index, scale.shape[0], scale.shape[1], n, (int32_t)groups);
  }
  QRT_TRY(qrt_expect_budget(v, node, scale.size));
  const uint8_t *values = qrt_tensor_data(node->model, &scale);
  for (uint64_t i = 0; i < scale.count; ++i) {
    if (!qrt_multiplier_ok(qrt_load_float(values + 4 * (size_t)i))) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "inputs[2], scale %llu is not within 2^-60 and 2^60",
                           (unsigned long long)i);
    }
  }
  return QRT_OK;
}

qrt_status qrt_expect_weight_only(qrt_verify *v, const qrt_node *node, const qrt_weight_only_fields *fields, int64_t k,
                                  int32_t *n) {
  qrt_tensor weight, bias;
  int32_t bits = qrt_flat_int(node->model->file, node->options, fields->bits), group;
  QRT_TRY(qrt_expect_int(v, node, fields->group_size, 0, INT32_MAX, &group));
  if (bits != 8 && bits != 4) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "bits is %d, not 8 or 4", bits);
  }
  if (group % GROUP_UNIT) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "group_size is %d, not a multiple of %d", group, GROUP_UNIT);
  }
  QRT_TRY(bits == 8 ? qrt_expect_weight(v, node, 1, &weight)
                    : qrt_expect_input(v, node, 1, QRT_FB_DType_uint8, &weight));
  QRT_TRY(qrt_expect_constant(v, node, 1, &weight));
  QRT_TRY(qrt_expect_rank(v, node, 1, &weight, 2));
  if (weight.shape[1] != (bits == 8 ? k : k / 2 + k % 2)) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD,
                         "inputs[1] is tensors[%u], rows of %d bytes for %llu values of %d bits", weight.index,
                         weight.shape[1], (unsigned long long)k, bits);
  }
  *n = weight.shape[0];
  QRT_TRY(check_scales(v, node, *n, group ? (k + group - 1) / group : 1));
  return qrt_expect_vector(v, node, 3, QRT_FB_DType_float32, *n, &bias);
}

void qrt_bind_weight_only(qrt_binder *binder, const qrt_node *node, const qrt_weight_only_fields *fields, size_t k,
                          size_t groups, qrt_weight_only *w) {
  qrt_tensor weight, scale, bias;
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &scale);
  qrt_node_input(node, 3, &bias);
  const int32_t group = qrt_flat_int(node->model->file, node->options, fields->group_size);
  qrt_wgemm_shape *s = &w->shape;
  w->kernel = qrt_wgemm_select(binder->isa);
  s->n = (size_t)weight.shape[0] / groups;
  s->k = k;
  s->group = group && (size_t)group < k ? (size_t)group : k;
  s->bits = qrt_flat_int(node->model->file, node->options, fields->bits);
  s->relu = qrt_flat_byte(node->model->file, node->options, fields->relu);
  /* Scales take up to four bytes for each value of a short row. */
  if (!qrt_pack_fits(binder, s->n, 8, k)) {
    return;
  }
  w->stride = (w->kernel->packed_size(s->n, k, s->group, s->bits) + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  void *to;
  const qrt_recipe recipe = {.pack_id = w->kernel->name,
                             .source = {qrt_tensor_data(binder->model, &weight), qrt_tensor_data(binder->model, &bias),
                                        qrt_tensor_data(binder->model, &scale)},
                             .size = (uint64_t)w->stride * groups,
                             .shape = {s->n, k, s->group},
                             .parameter = s->bits};
  w->packed = qrt_bind_packed(binder, &weight, w->kernel->layout, &recipe, &to);
  for (size_t g = 0; to && g < groups; ++g) {
    const size_t first = g * s->n, scales = (size_t)scale.shape[1];
    const qrt_wgemm_weights weights = {
        .n = s->n,
        .k = k,
        .group = s->group,
        .bits = s->bits,
        .w = (const uint8_t *)qrt_tensor_data(binder->model, &weight) + first * (size_t)weight.shape[1],
        .scale = (const float *)qrt_tensor_data(binder->model, &scale) + first * scales,
        .bias = (const float *)qrt_tensor_data(binder->model, &bias) + first,
    };
    w->kernel->pack(&weights, (uint8_t *)to + g * w->stride);
  }
}
