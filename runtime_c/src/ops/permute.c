/* permute.c - another order of the axes; moves bytes; design rule 7. */
#include "../kernels/interleave/interleave.h"
#include "op.h"

/* The output's axes, neighbours merged where they were neighbours in the input, too. */
typedef struct arguments {
  const qrt_interleave_kernel *kernel; /* for bytes whose last two axes are planes in the input, else NULL */
  const uint8_t *input;
  uint8_t *output;
  size_t element; /* bytes that lie together in both */
  uint32_t rank;
  size_t extent[QRT_MAX_RANK];
  size_t stride[QRT_MAX_RANK]; /* in the input, in bytes */
} arguments;

qrt_status qrt_check_permute(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input, output;
  int32_t dims[QRT_MAX_RANK], shape[QRT_MAX_RANK];
  uint32_t seen = 0;
  qrt_node_output(node, &output);
  QRT_TRY(qrt_expect_input(v, node, 0, output.dtype, &input));
  QRT_TRY(qrt_expect_ints(v, node, QRT_FIELD(permute, dims), input.rank, 0, (int32_t)input.rank - 1, dims));
  for (uint32_t i = 0; i < input.rank; ++i) {
    seen |= 1u << dims[i];
    shape[i] = input.shape[dims[i]];
  }
  if (seen != (1u << input.rank) - 1) {
    return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "dims: not every axis once");
  }
  QRT_TRY(qrt_expect_output(v, node, input.dtype, input.rank, shape, &output));
  return qrt_expect_same_qparams(v, node, &input, &output);
}

static void copy_1(const uint8_t *input, size_t stride, size_t n, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    output[i] = input[i * stride];
  }
}

static void copy_4(const uint8_t *input, size_t stride, size_t n, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    memcpy(output + 4 * i, input + i * stride, 4);
  }
}

static void copy_any(const uint8_t *input, size_t stride, size_t n, size_t element, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    memcpy(output + element * i, input + i * stride, element);
  }
}

/* The last axes, as many as one call can take. Returns the bytes written. */
static size_t copy(const arguments *a, const uint8_t *input, uint8_t *output) {
  size_t n = a->extent[a->rank - 1], stride = a->stride[a->rank - 1];
  if (a->kernel) {
    size_t pixels = a->extent[a->rank - 2];
    a->kernel->run(pixels, n, input, stride, output);
    return pixels * n;
  }
  if (a->element == 1) {
    copy_1(input, stride, n, output);
  } else if (a->element == 4) {
    copy_4(input, stride, n, output);
  } else {
    copy_any(input, stride, n, a->element, output);
  }
  return n * a->element;
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const uint8_t *input = a->input;
  uint8_t *output = a->output;
  size_t index[QRT_MAX_RANK] = {0};
  (void)scratch;
  for (;;) {
    output += copy(a, input, output);
    uint32_t i = a->rank - (a->kernel ? 2 : 1);
    for (;;) { /* count up, the last axis that copy() leaves fastest */
      if (i-- == 0) {
        return;
      }
      input += a->stride[i];
      if (++index[i] < a->extent[i]) {
        break;
      }
      input -= a->stride[i] * a->extent[i];
      index[i] = 0;
    }
  }
}

/* Axes of extent 1 vanish; an axis that continues the one before it is merged into it. */
static void simplify(arguments *a, uint32_t rank, const size_t *extent, const size_t *stride) {
  a->rank = 0;
  for (uint32_t i = 0; i < rank; ++i) {
    uint32_t last = a->rank - 1;
    if (extent[i] == 1) {
      continue;
    }
    if (a->rank && a->stride[last] == stride[i] * extent[i]) {
      a->extent[last] *= extent[i];
      a->stride[last] = stride[i];
    } else {
      a->extent[a->rank] = extent[i];
      a->stride[a->rank++] = stride[i];
    }
  }
  if (a->rank && a->stride[a->rank - 1] == a->element) { /* the innermost run is the same in both */
    a->element *= a->extent[--a->rank];
  }
  if (!a->rank) {
    a->extent[0] = 1;
    a->stride[0] = 0;
    a->rank = 1;
  }
}

void qrt_prepare_permute(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, output;
  arguments a;
  int32_t dims[QRT_MAX_RANK];
  size_t strides[QRT_MAX_RANK], extent[QRT_MAX_RANK], stride[QRT_MAX_RANK];
  qrt_node_input(node, 0, &input);
  qrt_node_output(node, &output);
  qrt_node_ints(node, QRT_FIELD(permute, dims), input.rank, dims);
  memset(&a, 0, sizeof a);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.element = qrt_dtype_size(input.dtype);
  size_t step_size = a.element;
  for (uint32_t i = input.rank; i-- > 0;) {
    strides[i] = step_size;
    step_size *= (size_t)input.shape[i];
  }
  for (uint32_t i = 0; i < input.rank; ++i) {
    extent[i] = (size_t)input.shape[dims[i]];
    stride[i] = strides[dims[i]];
  }
  simplify(&a, input.rank, extent, stride);
  if (a.element == 1 && a.rank > 1 && a.stride[a.rank - 2] == 1) {
    a.kernel = qrt_interleave_select(binder->isa);
    step->kernel = a.kernel->name;
  }
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
