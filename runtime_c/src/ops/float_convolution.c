/* float_convolution.c - see float_convolution.h. Channels come last.
 *
 * The window under a pixel of the output is a row of a matrix product. Where windows lie inside the input, kernels read
 * them there; at the borders, they are gathered into scratch with zeros around. Where each channel is convolved on its
 * own, lanes are channels, and taps that lie in the padding are left out. */
#include "float_convolution.h"

#include "../kernels/taps/taps.h"
#include "float_pack.h"
#include "windows.h"

enum { ROWS = 8 }; /* gathered windows at a time */

typedef struct phase {
  qrt_span span[QRT_AXES];
  size_t k;                          /* per group */
  const qrt_matmul_columns *columns; /* one per group */
  const float *w;                    /* depthwise: [taps][channels] */
} phase;

typedef struct arguments {
  const qrt_matmul_kernel *kernel; /* NULL: depthwise */
  const qrt_taps_kernel *taps;
  int64_t in[QRT_AXES], out[QRT_AXES];
  size_t batch, in_channels, out_channels, groups;
  size_t phases;
  const phase *phase;
  const float *input, *bias;
  float *output;
} arguments;

qrt_status qrt_check_float_convolution(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields) {
  qrt_tensor input, weight, output;
  int32_t shape[QRT_AXES + 2];
  uint32_t rank = fields->axes + 2;
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &input));
  QRT_TRY(qrt_expect_rank(v, node, 0, &input, rank));
  QRT_TRY(qrt_expect_input(v, node, 1, QRT_FB_DType_float32, &weight));
  QRT_TRY(qrt_expect_rank(v, node, 1, &weight, rank));
  QRT_TRY(qrt_expect_factors(v, node, 1, rank, weight.shape));
  QRT_TRY(qrt_expect_factors(v, node, 2, 1, weight.shape));
  QRT_TRY(qrt_check_windows(v, node, fields, &input, &weight, shape));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, rank, shape, &output);
}

/* ---- run ---- */

static int outside(int64_t at, int64_t extent) {
  return at < 0 || at >= extent;
}

/* Where tap (z, y, x) of the image is, or NULL in the padding. */
static const float *tap_at(const arguments *a, const float *image, int64_t z, int64_t y, int64_t x) {
  if (outside(z, a->in[0]) || outside(y, a->in[1]) || outside(x, a->in[2])) {
    return NULL;
  }
  return image + (size_t)((z * a->in[1] + y) * a->in[2] + x) * a->in_channels;
}

/* The window whose first tap is at pixel `at` of the image. */
static void gather(const arguments *a, const qrt_span *s, const float *image, const int64_t *at, float *window) {
  const size_t channels = a->in_channels / a->groups;
  for (int64_t i = 0; i < s[0].taps; ++i) {
    for (int64_t j = 0; j < s[1].taps; ++j) {
      for (int64_t k = 0; k < s[2].taps; ++k, window += channels) {
        const float *tap =
            tap_at(a, image, at[0] + i * s[0].dilation, at[1] + j * s[1].dilation, at[2] + k * s[2].dilation);
        if (tap) {
          memcpy(window, tap, channels * sizeof *window);
        } else {
          memset(window, 0, channels * sizeof *window);
        }
      }
    }
  }
}

/* Pixels first..end of a line, their windows gathered. */
static void run_gathered(const arguments *a, const phase *p, const float *image, const int64_t *at, int64_t first,
                         int64_t end, float *windows, float *output) {
  const size_t n = a->out_channels / a->groups, pixel = (size_t)p->span[2].step * a->out_channels;
  const qrt_matmul_rows rows = qrt_matmul_matrix(windows, p->k, p->k);
  for (int64_t i = first; i < end; i += ROWS) {
    const int64_t m = end - i < ROWS ? end - i : ROWS;
    for (size_t g = 0; g < a->groups; ++g) {
      for (int64_t j = 0; j < m; ++j) {
        const int64_t window_at[QRT_AXES] = {at[0], at[1], at[2] + (i + j) * p->span[2].stride};
        gather(a, p->span, image + g * (a->in_channels / a->groups), window_at, windows + (size_t)j * p->k);
      }
      a->kernel->run((size_t)m, n, &rows, &p->columns[g], output + (size_t)i * pixel + g * n, pixel);
    }
  }
}

/* Pixels of a line whose windows the kernel can read where they are: *first..*end. */
static void find_inner(const arguments *a, const phase *p, const int64_t *at, int64_t *first, int64_t *end) {
  const qrt_span *s = p->span;
  const int64_t last = at[1] + (s[1].taps - 1) * s[1].dilation, reach = s[2].taps - 1;
  *first = *end = 0;
  if (a->groups > 1 || s[0].taps > 1 || outside(at[0], a->in[0]) || outside(at[1], a->in[1]) ||
      outside(last, a->in[1]) || (s[2].taps > 1 && s[2].dilation != 1) || s[1].dilation < 0) {
    return;
  }
  while (*first < s[2].count && at[2] + *first * s[2].stride < 0) {
    ++*first;
  }
  *end = s[2].count;
  while (*end > *first && at[2] + (*end - 1) * s[2].stride + reach >= a->in[2]) {
    --*end;
  }
}

static void run_line(const arguments *a, const phase *p, const float *image, const int64_t *at, float *windows,
                     float *output) {
  const qrt_span *s = p->span;
  const size_t pixel = (size_t)s[2].step * a->out_channels;
  int64_t first, end;
  find_inner(a, p, at, &first, &end);
  run_gathered(a, p, image, at, 0, first, windows, output);
  if (first < end) {
    qrt_matmul_rows rows = {
        .a = tap_at(a, image, at[0], at[1], at[2] + first * s[2].stride),
        .runs = (size_t)s[1].taps,
        .run = (size_t)s[2].taps * a->in_channels,
        .run_stride = (size_t)(s[1].dilation * a->in[2]) * a->in_channels,
        .width = SIZE_MAX,
        .x_stride = (size_t)s[2].stride * a->in_channels,
    };
    a->kernel->run((size_t)(end - first), a->out_channels, &rows, p->columns, output + (size_t)first * pixel, pixel);
  }
  run_gathered(a, p, image, at, end, s[2].count, windows, output);
}

static void run_depthwise(const arguments *a, const phase *p, const float *image, const int64_t *at, void *scratch,
                          float *output) {
  const qrt_span *s = p->span;
  const float **taps = scratch, **weights = taps + p->k;
  for (int64_t x = 0; x < s[2].count; ++x, output += (size_t)s[2].step * a->out_channels) {
    const float *w = p->w;
    size_t count = 0;
    for (int64_t i = 0; i < s[0].taps; ++i) {
      for (int64_t j = 0; j < s[1].taps; ++j) {
        for (int64_t k = 0; k < s[2].taps; ++k, w += a->in_channels) {
          const float *tap = tap_at(a, image, at[0] + i * s[0].dilation, at[1] + j * s[1].dilation,
                                    at[2] + x * s[2].stride + k * s[2].dilation);
          if (tap) {
            taps[count] = tap;
            weights[count++] = w;
          }
        }
      }
    }
    a->taps->products(count, a->out_channels, taps, weights, a->bias, output);
  }
}

static void run_phase(const arguments *a, const phase *p, size_t batch, void *scratch) {
  const qrt_span *s = p->span;
  const float *image = a->input + batch * (size_t)(a->in[0] * a->in[1] * a->in[2]) * a->in_channels;
  for (int64_t z = 0; z < s[0].count; ++z) {
    for (int64_t y = 0; y < s[1].count; ++y) {
      const int64_t at[QRT_AXES] = {s[0].begin + z * s[0].stride, s[1].begin + y * s[1].stride, s[2].begin};
      size_t line = batch * (size_t)a->out[0] + (size_t)(s[0].first + z * s[0].step);
      line = line * (size_t)a->out[1] + (size_t)(s[1].first + y * s[1].step);
      float *output = a->output + (line * (size_t)a->out[2] + (size_t)s[2].first) * a->out_channels;
      if (a->kernel) {
        run_line(a, p, image, at, scratch, output);
      } else {
        run_depthwise(a, p, image, at, scratch, output);
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

/* ---- prepare ---- */

/* [channels][taps] as [taps][channels]. */
static const float *pack_depthwise(qrt_binder *binder, const qrt_taps_kernel *kernel, size_t channels, size_t taps,
                                   const float *w) {
  const qrt_recipe recipe = {
      kernel->name, {w, NULL, NULL}, (uint64_t)channels * taps * sizeof(float), {channels, taps, 0}, 0};
  void *to;
  const float *packed = qrt_bind_form(binder, &recipe, &to);
  float *next = to;
  for (size_t t = 0; to && t < taps; ++t) {
    for (size_t c = 0; c < channels; ++c) {
      *next++ = w[c * taps + t];
    }
  }
  return packed;
}

static void bind_phase(qrt_binder *binder, const qrt_node *node, const qrt_axis *x, const arguments *a, phase *p) {
  const qrt_span *s = p->span;
  qrt_tensor weight;
  qrt_node_input(node, 1, &weight);
  p->k = (size_t)(s[0].taps * s[1].taps * s[2].taps) * (a->in_channels / a->groups);
  const float *w = qrt_select_taps(binder, &weight, x, s, p->k);
  if (!a->kernel) {
    p->w = pack_depthwise(binder, a->taps, a->in_channels, p->k, w);
    qrt_bind_scratch(binder, 2 * (uint64_t)p->k * sizeof(const float *));
    return;
  }
  const size_t n = a->out_channels / a->groups;
  qrt_matmul_columns *columns = qrt_bind_memory(binder, (uint64_t)a->groups * sizeof *columns);
  for (size_t g = 0; g < a->groups; ++g) {
    const qrt_matmul_columns group =
        qrt_pack_columns(binder, a->kernel, n, p->k, w ? w + g * n * p->k : NULL, a->bias + g * n);
    if (columns) {
      columns[g] = group;
    }
  }
  p->columns = columns;
  qrt_bind_scratch(binder, (uint64_t)ROWS * p->k * sizeof(float));
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

void qrt_prepare_float_convolution(qrt_binder *binder, const qrt_node *node, const qrt_convolution_fields *fields,
                                   qrt_step *step) {
  qrt_tensor input, weight, bias, output;
  arguments a;
  qrt_axis x[QRT_AXES];
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_input(node, 2, &bias);
  qrt_node_output(node, &output);
  qrt_read_axes(node, fields, &input, &weight, x);
  memset(&a, 0, sizeof a);
  for (uint32_t i = 0; i < QRT_AXES; ++i) {
    a.in[i] = x[i].in;
    a.out[i] = qrt_output_extent(&x[i]);
  }
  a.batch = (size_t)input.shape[0];
  a.in_channels = (size_t)input.shape[input.rank - 1];
  a.out_channels = (size_t)output.shape[output.rank - 1];
  a.groups = (size_t)qrt_flat_int(node->model->file, node->options, fields->groups);
  a.input = qrt_bind_tensor(binder, &input);
  a.bias = qrt_bind_tensor(binder, &bias);
  a.output = qrt_bind_output(binder, &output);
  if (a.groups > 1 && a.groups == a.in_channels && a.groups == a.out_channels) {
    a.taps = qrt_taps_select(binder->isa);
    step->kernel = a.taps->name;
  } else {
    a.kernel = qrt_matmul_select(binder->isa);
    step->kernel = a.kernel->name;
  }
  a.phase = bind_phases(binder, node, x, &a);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
