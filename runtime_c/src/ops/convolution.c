/* convolution.c - see convolution.h; design rule 3. Channels come last. The patch under each pixel of the output is a
 * row of a matrix multiplication. Patches are gathered into scratch, unless they are single pixels of the input.
 */
#include "convolution.h"

#include "dynamic.h"
#include "pack.h"
#include "windows.h"

/* Is any dynamically quantized convolution in this build? Else what serves them is left out. */
static int any_dynamic(void) {
  return qrt_op_built(QRT_FB_Operation_conv2d_dynamic) || qrt_op_built(QRT_FB_Operation_conv3d_dynamic) ||
         qrt_op_built(QRT_FB_Operation_conv_transpose2d_dynamic) ||
         qrt_op_built(QRT_FB_Operation_conv_transpose3d_dynamic);
}

/* ---- check ---- */

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
  int32_t shape[QRT_AXES + 2];
  uint32_t axes = fields->axes;
  QRT_TRY(check_operands(v, node, fields, &input, &weight));
  QRT_TRY(qrt_check_windows(v, node, fields, &input, &weight, shape));
  if (!fields->least) {
    return qrt_expect_output(v, node, QRT_FB_DType_float32, axes + 2, shape, &output);
  }
  QRT_TRY(qrt_expect_output(v, node, QRT_FB_DType_int8, axes + 2, shape, &output));
  return qrt_expect_range(v, node, fields->least, fields->most);
}

/* ---- run ---- */

typedef struct phase {
  qrt_span span[QRT_AXES];
  size_t k;   /* per group */
  int direct; /* patches are single pixels, all inside the input */
  int runs;   /* a patch inside the input is a run of bytes for each row, and the kernel takes it there */
  const uint8_t *packed;
  size_t packed_stride; /* from one group to the next */
  const int32_t *sum;   /* of each output channel's weights, for float */
} phase;

typedef struct arguments {
  const qrt_gemm_kernel *kernel;
  int64_t in[QRT_AXES], out[QRT_AXES];
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

static int is_dynamic(const arguments *a) {
  return any_dynamic() && a->convert;
}

/* Positions are within 32 bits; as size_t, those before the image are behind every image. */

/* The taps along the width, the first of them at pixel x of a line of the input. */
static int8_t *gather_line(const arguments *a, const qrt_span *s, const int8_t *line, size_t x, int8_t *patch) {
  size_t channels = a->in_channels / a->groups, taps = (size_t)s->taps, width = (size_t)a->in[2];
  if (s->dilation == 1 && a->groups == 1 && x < width && taps <= width - x) {
    memcpy(patch, line + x * channels, taps * channels);
    return patch + taps * channels;
  }
  for (; taps > 0; --taps, x += (size_t)s->dilation, patch += channels) {
    if (x < width) {
      memcpy(patch, line + x * a->in_channels, channels);
    } else {
      memset(patch, a->zero_point, channels);
    }
  }
  return patch;
}

/* The patch whose first tap is at pixel z, y, x of the image. */
static void gather(const arguments *a, const qrt_span *s, const int8_t *image, size_t z, size_t first_y, size_t x,
                   int8_t *patch) {
  size_t depth = (size_t)a->in[0], height = (size_t)a->in[1], line = (size_t)a->in[2] * a->in_channels;
  size_t size = (size_t)s[2].taps * (a->in_channels / a->groups);
  for (size_t i = (size_t)s[0].taps; i > 0; --i, z += (size_t)s[0].dilation) {
    size_t y = first_y;
    for (size_t j = (size_t)s[1].taps; j > 0; --j, y += (size_t)s[1].dilation) {
      if (z < depth && y < height) {
        patch = gather_line(a, &s[2], image + (z * height + y) * line, x, patch);
      } else {
        memset(patch, a->zero_point, size);
        patch += size;
      }
    }
  }
}

/* How many of a line's pixels from `at` on, `most` of them, have their windows inside the image, and have them as runs
 * that kernels take there. */
static size_t count_inside(const arguments *a, const phase *p, size_t y, size_t x, size_t most) {
  const qrt_span *s = p->span;
  size_t last = y + (size_t)((s[1].taps - 1) * s[1].dilation), height = (size_t)a->in[1], width = (size_t)a->in[2];
  if (!p->runs || y >= height || last >= height || x >= width || (size_t)s[2].taps > width - x) {
    return 0;
  }
  size_t count = (width - x - (size_t)s[2].taps) / (size_t)s[2].stride + 1;
  return count < most ? count : most;
}

/* One line of the phase's pixels; the patch of the first has its first tap at pixel `at` of the image. */
static void run_line(const arguments *a, const phase *p, const int8_t *image, const int64_t *at, int8_t *patches,
                     uint8_t *output) {
  const qrt_span *s = &p->span[2];
  size_t n = a->out_channels / a->groups, pixel = (size_t)s->step * a->out_channels * a->element;
  size_t width = (size_t)s->count;
  const qrt_output_range *range = is_dynamic(a) ? NULL : &a->range;
  if (p->direct) {
    size_t first = (size_t)((at[0] * a->in[1] + at[1]) * a->in[2] + at[2]) * a->in_channels;
    qrt_gemm_rows rows = qrt_gemm_matrix(image + first, p->k, (size_t)s->stride * a->in_channels);
    a->kernel->run(width, n, &rows, p->packed, range, (int8_t *)output, pixel);
    return;
  }
  for (size_t i = 0, m; i < width; i += m) {
    size_t x = (size_t)at[2] + i * (size_t)s->stride;
    qrt_gemm_rows rows = qrt_gemm_matrix(patches, p->k, p->k);
    m = count_inside(a, p, (size_t)at[1], x, width - i);
    const int inside = m > 0;
    if (inside) {
      size_t line = (size_t)a->in[2] * a->in_channels;
      rows.a = image + (size_t)(at[0] * a->in[1] + at[1]) * line + x * a->in_channels;
      rows.runs = (size_t)p->span[1].taps;
      rows.run = (size_t)s->taps * a->in_channels;
      rows.run_stride = (size_t)p->span[1].dilation * line;
      rows.x_stride = (size_t)s->stride * a->in_channels;
    } else {
      m = p->runs && i == 0 ? 1 : a->kernel->mr; /* behind the left edge there may be some inside */
      m = width - i < m ? width - i : m;
    }
    for (size_t g = 0; g < a->groups; ++g) {
      for (size_t j = 0; j < m && !inside; ++j) {
        gather(a, p->span, image + g * (a->in_channels / a->groups), (size_t)at[0], (size_t)at[1],
               x + j * (size_t)s->stride, patches + j * p->k);
      }
      a->kernel->run(m, n, &rows, p->packed + g * p->packed_stride, range,
                     (int8_t *)output + i * pixel + g * n * a->element, pixel);
    }
  }
}

/* Sums of a line's pixels to floats, in place. */
static void scale_line(const arguments *a, const phase *p, uint8_t *output) {
  const qrt_span *s = &p->span[2];
  const qrt_sums_scale params = {p->sum, a->weight_scale, a->bias, a->scale, a->zero_point, 0};
  for (int64_t i = 0; i < s->count; ++i, output += (size_t)s->step * a->out_channels * a->element) {
    a->convert->scale_sums(a->out_channels, (const int32_t *)(const void *)output, &params, (float *)(void *)output);
  }
}

static void run_phase(const arguments *a, const phase *p, size_t batch, int8_t *patches) {
  const qrt_span *s = p->span;
  size_t in = (size_t)(a->in[0] * a->in[1] * a->in[2]) * a->in_channels;
  for (int64_t z = 0; z < s[0].count; ++z) {
    for (int64_t y = 0; y < s[1].count; ++y) {
      int64_t at[QRT_AXES] = {s[0].begin + z * s[0].stride, s[1].begin + y * s[1].stride, s[2].begin};
      size_t line = batch * (size_t)a->out[0] + (size_t)(s[0].first + z * s[0].step);
      line = line * (size_t)a->out[1] + (size_t)(s[1].first + y * s[1].step);
      uint8_t *output = a->output + (line * (size_t)a->out[2] + (size_t)s[2].first) * a->out_channels * a->element;
      run_line(a, p, a->input + batch * in, at, patches, output);
      if (is_dynamic(a)) {
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

enum { SHORT_RUN = 8 }; /* bytes; more than any kernel's kr */

static void bind_phase(qrt_binder *binder, const qrt_node *node, const qrt_axis *x, const arguments *a, phase *p) {
  const qrt_span *s = p->span;
  qrt_tensor weight;
  qrt_node_input(node, 1, &weight);
  p->k = (size_t)(s[0].taps * s[1].taps * s[2].taps) * (a->in_channels / a->groups);
  p->direct = a->groups == 1 && qrt_inside(&s[0], x[0].in) && qrt_inside(&s[1], x[1].in) && qrt_inside(&s[2], x[2].in);
  /* Kernels take short runs no faster than patches are gathered. */
  p->runs = !a->kernel->layout && a->groups == 1 && qrt_inside(&s[0], x[0].in) && s[2].dilation == 1 &&
            (size_t)s[2].taps * a->in_channels >= SHORT_RUN;
  const int8_t *w = qrt_select_taps(binder, &weight, x, s, p->k);
  size_t n = a->out_channels / a->groups;
  p->packed = is_dynamic(a)
                  ? qrt_pack_sums(binder, &weight, a->kernel, w, a->weight_scale, a->groups, n, p->k, &p->packed_stride,
                                  &p->sum)
                  : qrt_pack_gemm_weights(binder, node, a->kernel, w, a->groups, n, 1, p->k, &p->packed_stride);
  qrt_bind_scratch(binder, a->patches_at + (p->direct ? 0 : (uint64_t)a->kernel->mr * p->k));
}

static const phase *bind_phases(qrt_binder *binder, const qrt_node *node, const qrt_axis *x, arguments *a) {
  size_t counts[QRT_AXES];
  for (uint32_t i = 0; i < QRT_AXES; ++i) {
    counts[i] = (size_t)qrt_phase_count(&x[i]);
  }
  a->phases = counts[0] * counts[1] * counts[2];
  phase *phases = qrt_bind_memory(binder, (uint64_t)a->phases * sizeof *phases);
  for (size_t i = 0; i < a->phases; ++i) {
    phase p;
    memset(&p, 0, sizeof p);
    p.span[0] = qrt_phase_of(&x[0], (int64_t)(i / counts[2] / counts[1]));
    p.span[1] = qrt_phase_of(&x[1], (int64_t)(i / counts[2] % counts[1]));
    p.span[2] = qrt_phase_of(&x[2], (int64_t)(i % counts[2]));
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
  qrt_axis x[QRT_AXES];
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_output(node, &output);
  qrt_read_axes(node, fields, &input, &weight, x);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_gemm_select(binder->isa);
  for (uint32_t i = 0; i < QRT_AXES; ++i) {
    a.in[i] = x[i].in;
    a.out[i] = qrt_output_extent(&x[i]);
  }
  a.batch = (size_t)input.shape[0];
  a.in_channels = (size_t)input.shape[input.rank - 1];
  a.out_channels = (size_t)output.shape[output.rank - 1];
  a.groups = (size_t)qrt_flat_int(node->model->file, node->options, fields->groups);
  a.output = qrt_bind_output(binder, &output);
  a.element = qrt_dtype_size(output.dtype);
  if (fields->least || !any_dynamic()) {
    a.input = qrt_bind_tensor(binder, &input);
    a.zero_point = input.zero_point;
    a.range.zero_point = output.zero_point;
    a.range.min = qrt_flat_int(node->model->file, node->options, fields->least);
    a.range.max = qrt_flat_int(node->model->file, node->options, fields->most);
  } else {
    bind_floats(binder, node, &input, &a);
  }
  a.phase = bind_phases(binder, node, x, &a);
  step->run = is_dynamic(&a) ? run_dynamic : run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}
