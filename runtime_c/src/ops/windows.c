/* windows.c - see windows.h. */
#include "windows.h"

/* Is any transposed convolution in this build? Else what serves them is left out. */
static int any_transposed(void) {
  return qrt_op_built(QRT_FB_Operation_conv_transpose2d) || qrt_op_built(QRT_FB_Operation_conv_transpose3d) ||
         qrt_op_built(QRT_FB_Operation_conv_transpose2d_dynamic) ||
         qrt_op_built(QRT_FB_Operation_conv_transpose3d_dynamic);
}

static int is_transposed(const qrt_axis *x) {
  return any_transposed() && x->output_padding >= 0;
}

int32_t qrt_output_extent(const qrt_axis *x) {
  int64_t reach = x->dilation * (x->kernel - 1) + 1, outputs;
  if (is_transposed(x)) {
    outputs = (x->in - 1) * x->stride - x->before - x->after + reach + x->output_padding;
  } else {
    int64_t room = x->in + x->before + x->after - reach;
    outputs = room < 0 ? 0 : (int64_t)((uint32_t)room / (uint32_t)x->stride) + 1; /* room < 2^31 + 2^21 */
  }
  return outputs < 0 || outputs > INT32_MAX ? 0 : (int32_t)outputs;
}

int64_t qrt_phase_count(const qrt_axis *x) {
  int64_t out = qrt_output_extent(x);
  return !is_transposed(x) ? 1 : out < x->stride ? out : x->stride;
}

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

qrt_span qrt_phase_of(const qrt_axis *x, int64_t phase) {
  int64_t out = qrt_output_extent(x);
  if (!is_transposed(x)) {
    return (qrt_span){0, 1, out, -x->before, x->stride, x->dilation, x->kernel, 0, 1};
  }
  int64_t tap = 0, step = x->stride / common_divisor(x->stride, x->dilation), at = phase + x->before;
  while (tap < x->kernel && tap < step && (at - tap * x->dilation) % x->stride) {
    ++tap;
  }
  qrt_span s = {phase, x->stride, (out - phase + x->stride - 1) / x->stride, x->in, 1, 0, 1, 0, 1};
  if (tap < x->kernel && tap < step) { /* else no tap meets the phase: it has one that reads padding */
    s.begin = (at - tap * x->dilation) / x->stride;
    s.dilation = -(step * x->dilation / x->stride);
    s.taps = (x->kernel - 1 - tap) / step + 1;
    s.first_tap = tap;
    s.tap_step = step;
  }
  return s;
}

void qrt_read_axes(const qrt_node *node, const qrt_convolution_fields *fields, const qrt_tensor *input,
                   const qrt_tensor *weight, qrt_axis *x) {
  int32_t stride[QRT_AXES], padding[2 * QRT_AXES], dilation[QRT_AXES], output_padding[QRT_AXES];
  uint32_t axes = fields->axes;
  qrt_node_ints(node, fields->stride, axes, stride);
  qrt_node_ints(node, fields->padding, fields->output_padding ? axes : 2 * axes, padding);
  qrt_node_ints(node, fields->dilation, axes, dilation);
  if (fields->output_padding) {
    qrt_node_ints(node, fields->output_padding, axes, output_padding);
  }
  x[0] = (qrt_axis){1, 1, 1, 0, 0, 1, -1};
  for (uint32_t i = 0; i < axes; ++i) {
    x[QRT_AXES - axes + i] = (qrt_axis){
        .in = input->shape[1 + i],
        .kernel = weight->shape[1 + i],
        .stride = stride[i],
        .before = padding[i],
        .after = padding[fields->output_padding ? i : axes + i],
        .dilation = dilation[i],
        .output_padding = fields->output_padding ? output_padding[i] : -1,
    };
  }
}

static qrt_status check_groups(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields,
                               const qrt_tensor *input, const qrt_tensor *weight) {
  int32_t groups, in = input->shape[fields->axes + 1], out = weight->shape[0], per = weight->shape[fields->axes + 1];
  QRT_TRY(qrt_expect_int(v, node, fields->groups, 1, QRT_LIMIT_OPTION, &groups));
  if (in % groups || out % groups || per != in / groups) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "groups: %d do not fit %d to %d channels with weights of %d", groups,
                         in, out, per);
  }
  return QRT_OK;
}

/* Padding at the far end that PyTorch allows; and a number of phases that can be packed one by one. */
static qrt_status check_transposed(qrt_verify *v, const qrt_node *node, const qrt_axis *x) {
  int64_t phases = 1;
  for (uint32_t i = 0; i < QRT_AXES; ++i) {
    phases *= is_transposed(&x[i]) ? x[i].stride : 1;
    if (is_transposed(&x[i]) && x[i].output_padding >= x[i].stride && x[i].output_padding >= x[i].dilation) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "output_padding: %d is not below stride or dilation",
                           (int32_t)x[i].output_padding);
    }
    if (phases > QRT_LIMIT_PHASES) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "stride: a product above %d", QRT_LIMIT_PHASES);
    }
  }
  return QRT_OK;
}

qrt_status qrt_check_windows(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields,
                             const qrt_tensor *input, const qrt_tensor *weight, int32_t *shape) {
  int32_t values[2 * QRT_AXES];
  uint32_t axes = fields->axes;
  qrt_axis x[QRT_AXES];
  QRT_TRY(qrt_expect_ints(v, node, fields->stride, axes, 1, QRT_LIMIT_OPTION, values));
  uint32_t paddings = fields->output_padding ? axes : 2 * axes;
  QRT_TRY(qrt_expect_ints(v, node, fields->padding, paddings, 0, QRT_LIMIT_OPTION, values));
  QRT_TRY(qrt_expect_ints(v, node, fields->dilation, axes, 1, QRT_LIMIT_OPTION, values));
  if (fields->output_padding) {
    QRT_TRY(qrt_expect_ints(v, node, fields->output_padding, axes, 0, QRT_LIMIT_OPTION, values));
  }
  QRT_TRY(check_groups(v, node, fields, input, weight));
  qrt_read_axes(node, fields, input, weight, x);
  QRT_TRY(check_transposed(v, node, x));
  shape[0] = input->shape[0];
  for (uint32_t i = 0; i < axes; ++i) {
    if (weight->shape[1 + i] > QRT_LIMIT_OPTION) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "a kernel of %d", weight->shape[1 + i]);
    }
    shape[1 + i] = qrt_output_extent(&x[QRT_AXES - axes + i]);
  }
  shape[axes + 1] = weight->shape[0];
  return QRT_OK;
}

const void *qrt_select_taps(qrt_binder *binder, const qrt_tensor *weight, const qrt_axis *x, const qrt_span *s,
                            size_t k) {
  const uint8_t *w = qrt_tensor_data(binder->model, weight);
  if (!any_transposed() || (s[0].taps == x[0].kernel && s[1].taps == x[1].kernel && s[2].taps == x[2].kernel)) {
    return w;
  }
  size_t channels = (size_t)weight->shape[weight->rank - 1] * qrt_dtype_size(weight->dtype);
  size_t outputs = (size_t)weight->shape[0], row = k * qrt_dtype_size(weight->dtype);
  uint8_t *copy = qrt_bind_memory(binder, (uint64_t)outputs * row);
  for (uint8_t *to = copy; to && to < copy + outputs * row; w += weight->size / outputs) {
    for (int64_t i = 0; i < s[0].taps; ++i) {
      for (int64_t j = 0; j < s[1].taps; ++j) {
        for (int64_t l = 0; l < s[2].taps; ++l, to += channels) {
          int64_t z = s[0].first_tap + i * s[0].tap_step, y = s[1].first_tap + j * s[1].tap_step;
          int64_t tap = (z * x[1].kernel + y) * x[2].kernel + s[2].first_tap + l * s[2].tap_step;
          memcpy(to, w + (size_t)tap * channels, channels);
        }
      }
    }
  }
  return copy;
}
