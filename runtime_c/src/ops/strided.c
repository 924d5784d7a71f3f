/* strided.c - see strided.h. */
#include "strided.h"

#include "../kernels/interleave/interleave.h"

/* The output's axes, neighbours merged where one step over them all reaches the same elements. */
typedef struct arguments {
  const qrt_interleave_kernel *kernel; /* for bytes whose last two axes are planes in the input, else NULL */
  const uint8_t *input;                /* the first element */
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

/* rows by n, of four bytes, from columns whose elements lie together: squares, so that lines are read once. */
static void transpose_4(const uint8_t *input, ptrdiff_t stride, size_t rows, size_t n, uint8_t *output) {
  enum { SQUARE = 16 };
  for (size_t i = 0; i < rows; i += SQUARE) {
    const size_t height = rows - i < SQUARE ? rows - i : SQUARE;
    for (size_t j = 0; j < n; ++j) {
      const uint8_t *from = input + (ptrdiff_t)j * stride + 4 * i;
      for (size_t r = 0; r < height; ++r) {
        memcpy(output + 4 * ((i + r) * n + j), from + 4 * r, 4);
      }
    }
  }
}

static void copy_any(const uint8_t *input, ptrdiff_t stride, size_t n, size_t element, uint8_t *output) {
  for (size_t i = 0; i < n; ++i) {
    memcpy(output + element * i, input + (ptrdiff_t)i * stride, element);
  }
}

/* Axes that one call of copy() takes. */
static uint32_t copied(const arguments *a) {
  return a->kernel || (a->element == 4 && a->rank > 1 && a->stride[a->rank - 2] == 4) ? 2 : 1;
}

/* The last axes, as many as one call can take. Returns the bytes written. */
static size_t copy(const arguments *a, const uint8_t *input, uint8_t *output) {
  size_t n = a->extent[a->rank - 1];
  ptrdiff_t stride = a->stride[a->rank - 1];
  if (a->kernel) {
    size_t pixels = a->extent[a->rank - 2];
    a->kernel->run(pixels, n, input, (size_t)stride, output);
    return pixels * n;
  }
  if (copied(a) == 2) {
    transpose_4(input, stride, a->extent[a->rank - 2], n, output);
    return a->extent[a->rank - 2] * n * 4;
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
    a.kernel = qrt_interleave_select(binder->isa);
    step->kernel = a.kernel->name;
  }
  qrt_bind_moves(binder, step, run, a.extent[0], output->size);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
