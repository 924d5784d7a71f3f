/* strided.c - see strided.h. */
#include "strided.h"

#include "../kernels/interleave/interleave.h"
#include "../kernels/transpose/transpose.h"

/* The output's axes, neighbours merged where one step over them all reaches the same elements. */
typedef struct arguments {
  /* For elements whose last but one axis is the input's last, of one byte and of four; else NULL. */
  const qrt_interleave_kernel *interleave;
  const qrt_transpose_kernel *transpose;
  const uint8_t *input; /* the first element */
  uint8_t *output;
  size_t element; /* bytes that lie together in both */
  uint32_t rank;
  size_t extent[QRT_MAX_RANK];
  ptrdiff_t stride[QRT_MAX_RANK]; /* in the input, in bytes */
} arguments;

static void copy_1(const uint8_t *input, ptrdiff_t stride, size_t n, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    output[i] = input[(ptrdiff_t)i * stride];
  }
}

static void copy_4(const uint8_t *input, ptrdiff_t stride, size_t n, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    memcpy(output + 4 * i, input + (ptrdiff_t)i * stride, 4);
  }
}

static void copy_any(const uint8_t *input, ptrdiff_t stride, size_t n, size_t element, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    memcpy(output + element * i, input + (ptrdiff_t)i * stride, element);
  }
}

/* Axes that one call of copy() takes. */
static uint32_t copied(const arguments *a) {
  return a->interleave || a->transpose ? 2 : 1;
}

/* The last axes, as many as one call can take. Returns the bytes written. */
static size_t copy(const arguments *a, const uint8_t *input, uint8_t *output) {
  size_t n = a->extent[a->rank - 1];
  ptrdiff_t stride = a->stride[a->rank - 1];
  if (copied(a) == 2) {
    const size_t rows = a->extent[a->rank - 2];
    if (a->interleave) {
      a->interleave->run(rows, n, input, (size_t)stride, output);
    } else {
      a->transpose->run(rows, n, input, stride, output);
    }
    return rows * n * a->element;
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

/* Positions begin..end of the first axis. */
static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  arguments part = *(const arguments *)pointer;
  const arguments *a = &part;
  size_t index[QRT_MAX_RANK] = {0}, size = part.element;
  for (uint32_t i = 1; i < part.rank; ++i) {
    size *= part.extent[i];
  }
  part.extent[0] = end - begin;
  const uint8_t *input = part.input + (ptrdiff_t)begin * part.stride[0];
  uint8_t *output = part.output + begin * size;
  (void)scratch;
  for (;;) {
    output += copy(a, input, output);
    uint32_t i = a->rank - copied(a);
    for (;;) { /* count up, the last axis that copy() leaves fastest */
      if (i-- == 0) {
        return;
      }
      if (++index[i] < a->extent[i]) {
        input += a->stride[i];
        break;
      }
      input -= a->stride[i] * (ptrdiff_t)(a->extent[i] - 1);
      index[i] = 0;
    }
  }
}

/* Axes of extent 1 vanish; an axis that continues the one before it is merged into it. */
static void simplify(arguments *a, const qrt_tensor *output, const ptrdiff_t *stride) {
  a->rank = 0;
  for (uint32_t i = 0; i < output->rank; ++i) {
    size_t extent = (size_t)output->shape[i];
    uint32_t last = a->rank - 1;
    if (extent == 1) {
      continue;
    }
    if (a->rank && a->stride[last] == qrt_times(stride[i], output->shape[i])) {
      a->extent[last] *= extent;
      a->stride[last] = stride[i];
    } else {
      a->extent[a->rank] = extent;
      a->stride[a->rank++] = stride[i];
    }
  }
  if (a->rank && a->stride[a->rank - 1] == (ptrdiff_t)a->element) { /* the innermost run is the same in both */
    a->element *= a->extent[--a->rank];
  }
  if (!a->rank) {
    a->extent[0] = 1;
    a->stride[0] = 0;
    a->rank = 1;
  }
}

void qrt_row_major(const qrt_tensor *tensor, ptrdiff_t *stride) {
  ptrdiff_t step = (ptrdiff_t)qrt_dtype_size(tensor->dtype);
  for (uint32_t i = tensor->rank; i-- > 0;) {
    stride[i] = step;
    step = qrt_times(step, tensor->shape[i]);
  }
}

void qrt_bind_strided(qrt_binder *binder, const qrt_tensor *input, ptrdiff_t first, const ptrdiff_t *stride,
                      const qrt_tensor *output, qrt_step *step) {
  arguments a;
  memset(&a, 0, sizeof a);
  a.input = qrt_bind_tensor(binder, input);
  a.input = a.input ? a.input + first : NULL;
  a.output = qrt_bind_output(binder, output);
  a.element = qrt_dtype_size(input->dtype);
  simplify(&a, output, stride);
  if (a.element == 1 && a.rank > 1 && a.stride[a.rank - 2] == 1 && a.stride[a.rank - 1] > 0) {
    a.interleave = qrt_interleave_select(binder->isa);
    step->kernel = a.interleave->name;
  }
  if (a.element == 4 && a.rank > 1 && a.stride[a.rank - 2] == 4) {
    a.transpose = qrt_transpose_select(binder->isa);
    step->kernel = a.transpose->name;
  }
  qrt_bind_moves(binder, step, run, a.extent[0], output->size);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
