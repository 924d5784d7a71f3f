/* convolution.c - see convolution.h; design rule 3. Channels come last. The patch under each pixel of the output is a
 * row of a matrix multiplication. Patches are gathered into scratch, unless they are single pixels of the input.
 *
 * A transposed convolution adds input[i] * weight[t] to output[i * stride - padding + t * dilation]. Seen from the
 * output, pixels that are `stride` apart meet the same taps, those for which the division has no rest, and neighbours
 * among them meet neighbours of the input. So each of the stride * stride (* stride) phases is a convolution of stride
 * 1 with some of the taps, and nothing is multiplied with zeros that lie between pixels.
 *
 * A float input becomes int8 in scratch, by the range that it turns out to have, and the sums of products floats where
 * they lie; design rule 10. */
#include "convolution.h"

#include "dynamic.h"
#include "pack.h"

/* ---- geometry ---- */

enum { AXES = 3 }; /* depth, height, width */

/* One axis as the options have it. */
typedef struct axis {
  int64_t in, kernel, stride, before, after, dilation;
  int64_t output_padding; /* -1: not transposed */
} axis;

/* Of one phase, along one axis: pixels first, first + step, ... of the output, `count` of them. Tap t of the i-th reads
 * the input at begin + i * stride + t * dilation, which is padding if it is outside; its weight is first_tap +
 * t * tap_step. */
typedef struct span {
  int64_t first, step, count;
  int64_t begin, stride, dilation;
  int64_t taps, first_tap, tap_step;
} span;

/* 0 if there is none, or too much. */
static int32_t output_extent(const axis *x) {
  int64_t reach = x->dilation * (x->kernel - 1) + 1, outputs;
  if (x->output_padding >= 0) {
    outputs = (x->in - 1) * x->stride - x->before - x->after + reach + x->output_padding;
  } else {
    int64_t room = x->in + x->before + x->after - reach;
    outputs = room < 0 ? 0 : room / x->stride + 1;
  }
  return outputs < 0 || outputs > INT32_MAX ? 0 : (int32_t)outputs;
}

static int64_t phase_count(const axis *x) {
  int64_t out = output_extent(x);
  return x->output_padding < 0 ? 1 : out < x->stride ? out : x->stride;
}

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static span phase_of(const axis *x, int64_t phase) {
  int64_t out = output_extent(x);
  if (x->output_padding < 0) {
    return (span){0, 1, out, -x->before, x->stride, x->dilation, x->kernel, 0, 1};
  }
  int64_t tap = 0, step = x->stride / common_divisor(x->stride, x->dilation), at = phase + x->before;
  while (tap < x->kernel && tap < step && (at - tap * x->dilation) % x->stride) {
    ++tap;
  }
  span s = {phase, x->stride, (out - phase + x->stride - 1) / x->stride, x->in, 1, 0, 1, 0, 1};
  if (tap < x->kernel && tap < step) { /* else no tap meets the phase: it has one that reads padding */
    s.begin = (at - tap * x->dilation) / x->stride;
    s.dilation = -(step * x->dilation / x->stride);
    s.taps = (x->kernel - 1 - tap) / step + 1;
    s.first_tap = tap;
    s.tap_step = step;
  }
  return s;
}

/* Options that a check has accepted. */
static void read_axes(const qrt_node *node, const qrt_convolution_fields *fields, const qrt_tensor *input,
                      const qrt_tensor *weight, axis *x) {
  int32_t stride[AXES], padding[2 * AXES], dilation[AXES], output_padding[AXES];
  uint32_t axes = fields->axes;
  qrt_node_ints(node, fields->stride, axes, stride);
  qrt_node_ints(node, fields->padding, fields->output_padding ? axes : 2 * axes, padding);
  qrt_node_ints(node, fields->dilation, axes, dilation);
  if (fields->output_padding) {
    qrt_node_ints(node, fields->output_padding, axes, output_padding);
  }
  x[0] = (axis){1, 1, 1, 0, 0, 1, -1};
  for (uint32_t i = 0; i < axes; ++i) {
    x[AXES - axes + i] = (axis){
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

/* ---- check ---- */

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
static qrt_status check_transposed(qrt_verify *v, const qrt_node *node, const axis *x) {
  int64_t phases = 1;
  for (uint32_t i = 0; i < AXES; ++i) {
    phases *= x[i].output_padding < 0 ? 1 : x[i].stride;
    if (x[i].output_padding >= x[i].stride && x[i].output_padding >= x[i].dilation) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "output_padding: %d is not below stride or dilation",
                           (int32_t)x[i].output_padding);
    }
    if (phases > QRT_LIMIT_PHASES) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "stride: a product above %d", QRT_LIMIT_PHASES);
    }
  }
  return QRT_OK;
}

/* Weights with what belongs to each output channel, and the input. */
static qrt_status check_operands(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields,
                                 qrt_tensor *input, qrt_tensor *weight) {
  qrt_tensor vector;
  if (fields->least) {
    QRT_TRY(qrt_expect_quantized(v, node, 0, input));
  } else {
    QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, input));
  }
  QRT_TRY(qrt_expect_rank(v, node, 0, input, fields->axes + 2));
  QRT_TRY(qrt_expect_weight(v, node, 1, weight));
  QRT_TRY(qrt_expect_rank(v, node, 1, weight, fields->axes + 2));
  if (fields->least) {
    return qrt_expect_bias_and_multiplier(v, node, weight->shape[0]);
  }
  QRT_TRY(qrt_expect_multipliers(v, node, 2, weight->shape[0], &vector));
  return qrt_expect_vector(v, node, 3, QRT_FB_DType_float32, weight->shape[0], &vector);
}

qrt_status qrt_check_convolution(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields) {
  qrt_tensor input, weight, output;
  int32_t values[2 * AXES], shape[AXES + 2];
  uint32_t axes = fields->axes;
  axis x[AXES];
  QRT_TRY(check_operands(v, node, fields, &input, &weight));
  QRT_TRY(qrt_expect_ints(v, node, fields->stride, axes, 1, QRT_LIMIT_OPTION, values));
  uint32_t paddings = fields->output_padding ? axes : 2 * axes;
  QRT_TRY(qrt_expect_ints(v, node, fields->padding, paddings, 0, QRT_LIMIT_OPTION, values));
  QRT_TRY(qrt_expect_ints(v, node, fields->dilation, axes, 1, QRT_LIMIT_OPTION, values));
  if (fields->output_padding) {
    QRT_TRY(qrt_expect_ints(v, node, fields->output_padding, axes, 0, QRT_LIMIT_OPTION, values));
  }
  QRT_TRY(check_groups(v, node, fields, &input, &weight));
  read_axes(node, fields, &input, &weight, x);
  QRT_TRY(check_transposed(v, node, x));
  shape[0] = input.shape[0];
  for (uint32_t i = 0; i < axes; ++i) {
    if (weight.shape[1 + i] > QRT_LIMIT_OPTION) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_LIMIT, "a kernel of %d", weight.shape[1 + i]);
    }
    shape[1 + i] = output_extent(&x[AXES - axes + i]);
  }
  shape[axes + 1] = weight.shape[0];
  if (!fields->least) {
    return qrt_expect_output(v, node, QRT_FB_DType_float32, axes + 2, shape, &output);
  }
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, axes + 2, shape, &output));
  return qrt_expect_range(v, node, fields->least, fields->most);
}

/* ---- run ---- */

typedef struct phase {
  span span[AXES];
  size_t k;   /* per group */
  int direct; /* patches are single pixels, all inside the input */
  const uint8_t *packed;
  size_t packed_stride; /* from one group to the next */
  const int32_t *sum;   /* of each output channel's weights, for float */
} phase;

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  int64_t in[AXES], out[AXES];
  size_t batch, in_channels, out_channels, groups;
  size_t phases;
  const phase *phase;
  const int8_t *input;
  uint8_t *output;
  size_t element;     /* bytes of one of the output's */
  int32_t zero_point; /* of the input: what padding holds */
  qrt_output_range range;
  const qrt_convert_kernel *convert; /* NULL: int8 in and out; else what follows has a meaning */
  const float *float_input, *weight_scale, *bias;
  float scale;
  size_t input_size, patches_at; /* in scratch, behind the quantized input */
} arguments;

/* The taps along the width, the first of them at pixel x of a line of the input. */
static int8_t *gather_line(const arguments *a, const span *s, const int8_t *line, int64_t x, int8_t *patch) {
  size_t channels = a->in_channels / a->groups, size = (size_t)s->taps * channels;
  if (s->dilation == 1 && a->groups == 1 && x >= 0 && x + s->taps <= a->in[2]) {
    memcpy(patch, line + (size_t)x * channels, size);
    return patch + size;
  }
  for (int64_t t = 0; t < s->taps; ++t, x += s->dilation, patch += channels) {
    if (x >= 0 && x < a->in[2]) {
      memcpy(patch, line + (size_t)x * a->in_channels, channels);
    } else {
      memset(patch, a->zero_point, channels);
    }
  }
  return patch;
}

/* The patch whose first tap is at pixel `at` of the image. */
static void gather(const arguments *a, const span *s, const int8_t *image, const int64_t *at, int8_t *patch) {
  size_t line = (size_t)a->in[2] * a->in_channels, size = (size_t)s[2].taps * (a->in_channels / a->groups);
  for (int64_t i = 0; i < s[0].taps; ++i) {
    int64_t z = at[0] + i * s[0].dilation;
    for (int64_t j = 0; j < s[1].taps; ++j) {
      int64_t y = at[1] + j * s[1].dilation;
      if (z >= 0 && z < a->in[0] && y >= 0 && y < a->in[1]) {
        patch = gather_line(a, &s[2], image + (size_t)(z * a->in[1] + y) * line, at[2], patch);
      } else {
        memset(patch, a->zero_point, size);
        patch += size;
      }
    }
  }
}

/* One line of the phase's pixels; the patch of the first has its first tap at pixel `at` of the image. */
static void run_line(const arguments *a, const phase *p, const int8_t *image, const int64_t *at, int8_t *patches,
                     uint8_t *output) {
  const span *s = &p->span[2];
  size_t n = a->out_channels / a->groups, pixel = (size_t)s->step * a->out_channels * a->element;
  size_t width = (size_t)s->count;
  const qrt_output_range *range = a->convert ? NULL : &a->range;
  if (p->direct) {
    size_t first = (size_t)((at[0] * a->in[1] + at[1]) * a->in[2] + at[2]) * a->in_channels;
    qrt_gemm_rows rows = qrt_gemm_matrix(image + first, p->k, (size_t)s->stride * a->in_channels);
    a->kernel->run(width, n, &rows, p->packed, range, (int8_t *)output, pixel);
    return;
  }
  qrt_gemm_rows rows = qrt_gemm_matrix(patches, p->k, p->k);
  for (size_t i = 0; i < width; i += a->kernel->mr) {
    size_t m = width - i < a->kernel->mr ? width - i : a->kernel->mr;
    for (size_t g = 0; g < a->groups; ++g) {
      for (size_t j = 0; j < m; ++j) {
        int64_t patch_at[AXES] = {at[0], at[1], at[2] + (int64_t)(i + j) * s->stride};
        gather(a, p->span, image + g * (a->in_channels / a->groups), patch_at, patches + j * p->k);
      }
      a->kernel->run(m, n, &rows, p->packed + g * p->packed_stride, range,
                     (int8_t *)output + i * pixel + g * n * a->element, pixel);
    }
  }
}

/* Sums of a line's pixels to floats, in place. */
static void scale_line(const arguments *a, const phase *p, uint8_t *output) {
  const span *s = &p->span[2];
  const qrt_sums_scale params = {p->sum, a->weight_scale, a->bias, a->scale, a->zero_point, 0};
  for (int64_t i = 0; i < s->count; ++i, output += (size_t)s->step * a->out_channels * a->element) {
    a->convert->scale_sums(a->out_channels, (const int32_t *)(const void *)output, &params, (float *)(void *)output);
  }
}

static void run_phase(const arguments *a, const phase *p, size_t batch, int8_t *patches) {
  const span *s = p->span;
  size_t in = (size_t)(a->in[0] * a->in[1] * a->in[2]) * a->in_channels;
  for (int64_t z = 0; z < s[0].count; ++z) {
    for (int64_t y = 0; y < s[1].count; ++y) {
      int64_t at[AXES] = {s[0].begin + z * s[0].stride, s[1].begin + y * s[1].stride, s[2].begin};
      size_t line = batch * (size_t)a->out[0] + (size_t)(s[0].first + z * s[0].step);
      line = line * (size_t)a->out[1] + (size_t)(s[1].first + y * s[1].step);
      uint8_t *output = a->output + (line * (size_t)a->out[2] + (size_t)s[2].first) * a->out_channels * a->element;
      run_line(a, p, a->input + batch * in, at, patches, output);
      if (a->convert) {
        scale_line(a, p, output);
      }
    }
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  for (size_t batch = 0; batch < a->batch; ++batch) {
    for (size_t i = 0; i < a->phases; ++i) {
      run_phase(a, &a->phase[i], batch, scratch);
    }
  }
}

static void run_dynamic(const void *pointer, void *scratch) {
  arguments a = *(const arguments *)pointer;
  const qrt_quantization q = qrt_choose_quantization(a.convert, a.input_size, a.float_input);
  qrt_quantize_values(a.convert, &q, a.input_size, a.float_input, scratch);
  a.input = scratch;
  a.scale = q.scale;
  a.zero_point = q.zero_point;
  run(&a, (uint8_t *)scratch + a.patches_at);
}

/* ---- prepare ---- */

/* The weights of a phase's taps, which lie apart in the file: copied together. NULL while counting. */
static const int8_t *select_taps(qrt_binder *binder, const qrt_tensor *weight, const axis *x, const phase *p) {
  const span *s = p->span;
  const int8_t *w = qrt_tensor_data(binder->model, weight);
  if (s[0].taps == x[0].kernel && s[1].taps == x[1].kernel && s[2].taps == x[2].kernel) {
    return w;
  }
  size_t channels = (size_t)weight->shape[weight->rank - 1], outputs = (size_t)weight->shape[0];
  int8_t *copy = qrt_bind_memory(binder, (uint64_t)outputs * p->k);
  for (int8_t *to = copy; to && to < copy + outputs * p->k; w += weight->count / outputs) {
    for (int64_t i = 0; i < s[0].taps; ++i) {
      for (int64_t j = 0; j < s[1].taps; ++j) {
        for (int64_t k = 0; k < s[2].taps; ++k, to += channels) {
          int64_t z = s[0].first_tap + i * s[0].tap_step, y = s[1].first_tap + j * s[1].tap_step;
          int64_t tap = (z * x[1].kernel + y) * x[2].kernel + s[2].first_tap + k * s[2].tap_step;
          memcpy(to, w + (size_t)tap * channels, channels);
        }
      }
    }
  }
  return copy;
}

static int inside(const span *s, int64_t in) {
  return s->taps == 1 && s->begin >= 0 && s->begin + (s->count - 1) * s->stride < in;
}

static void bind_phase(qrt_binder *binder, const qrt_node *node, const axis *x, const arguments *a, phase *p) {
  const span *s = p->span;
  qrt_tensor weight;
  qrt_node_input(node, 1, &weight);
  p->k = (size_t)(s[0].taps * s[1].taps * s[2].taps) * (a->in_channels / a->groups);
  p->direct = a->groups == 1 && inside(&s[0], x[0].in) && inside(&s[1], x[1].in) && inside(&s[2], x[2].in);
  const int8_t *w = select_taps(binder, &weight, x, p);
  size_t n = a->out_channels / a->groups;
  p->packed = a->convert ? qrt_pack_sums(binder, &weight, a->kernel, w, a->weight_scale, a->groups, n, p->k,
                                         &p->packed_stride, &p->sum)
                         : qrt_pack_gemm_weights(binder, node, a->kernel, w, a->groups, n, 1, p->k, &p->packed_stride);
  qrt_bind_scratch(binder, a->patches_at + (p->direct ? 0 : (uint64_t)a->kernel->mr * p->k));
}

static const phase *bind_phases(qrt_binder *binder, const qrt_node *node, const axis *x, arguments *a) {
  size_t counts[AXES];
  for (uint32_t i = 0; i < AXES; ++i) {
    counts[i] = (size_t)phase_count(&x[i]);
  }
  a->phases = counts[0] * counts[1] * counts[2];
  phase *phases = qrt_bind_memory(binder, (uint64_t)a->phases * sizeof *phases);
  for (size_t i = 0; i < a->phases; ++i) {
    phase p;
    memset(&p, 0, sizeof p);
    p.span[0] = phase_of(&x[0], (int64_t)(i / counts[2] / counts[1]));
    p.span[1] = phase_of(&x[1], (int64_t)(i / counts[2] % counts[1]));
    p.span[2] = phase_of(&x[2], (int64_t)(i % counts[2]));
    bind_phase(binder, node, x, a, &p);
    if (phases) {
      phases[i] = p;
    }
  }
  return phases;
}

/* The operands of a convolution of floats. */
static void bind_floats(qrt_binder *binder, const qrt_node *node, const qrt_tensor *input, arguments *a) {
  qrt_tensor weight_scale, bias;
  qrt_node_input(node, 2, &weight_scale);
  qrt_node_input(node, 3, &bias);
  a->convert = qrt_convert_select(binder->isa);
  a->float_input = qrt_bind_tensor(binder, input);
  a->weight_scale = qrt_bind_tensor(binder, &weight_scale);
  a->bias = qrt_bind_tensor(binder, &bias);
  a->input_size = (size_t)input->count;
  a->patches_at = (a->input_size + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
}

void qrt_prepare_convolution(qrt_binder *binder, const qrt_node *node, const qrt_convolution_fields *fields,
                             qrt_step *step) {
  qrt_tensor input, weight, output;
  arguments a;
  axis x[AXES];
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_output(node, &output);
  read_axes(node, fields, &input, &weight, x);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_gemm_select(binder->isa);
  for (uint32_t i = 0; i < AXES; ++i) {
    a.in[i] = x[i].in;
    a.out[i] = output_extent(&x[i]);
  }
  a.batch = (size_t)input.shape[0];
  a.in_channels = (size_t)input.shape[input.rank - 1];
  a.out_channels = (size_t)output.shape[output.rank - 1];
  a.groups = (size_t)qrt_flat_int(node->model->file, node->options, fields->groups);
  a.output = qrt_bind_output(binder, &output);
  a.element = qrt_dtype_size(output.dtype);
  if (fields->least) {
    a.input = qrt_bind_tensor(binder, &input);
    a.zero_point = input.zero_point;
    a.range.zero_point = output.zero_point;
    a.range.min = qrt_flat_int(node->model->file, node->options, fields->least);
    a.range.max = qrt_flat_int(node->model->file, node->options, fields->most);
  } else {
    bind_floats(binder, node, &input, &a);
  }
  a.phase = bind_phases(binder, node, x, &a);
  step->run = fields->least ? run : run_dynamic;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
