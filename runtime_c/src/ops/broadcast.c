/* broadcast.c - see broadcast.h. */
#include "broadcast.h"

/* Extent of axis `i` of `rank`, shapes being aligned at their last axis. */
static int32_t extent_at(const qrt_tensor *tensor, uint32_t rank, uint32_t i) {
  return i + tensor->rank < rank ? 1 : tensor->shape[i + tensor->rank - rank];
}

qrt_status qrt_broadcast_shape(qrt_verify *v, const qrt_node *node, const qrt_tensor *a, const qrt_tensor *b,
                               uint32_t *rank, int32_t *shape) {
  *rank = a->rank > b->rank ? a->rank : b->rank;
  for (uint32_t i = 0; i < *rank; ++i) {
    int32_t x = extent_at(a, *rank, i), y = extent_at(b, *rank, i);
    if (x != y && x != 1 && y != 1) {
      return QRT_NODE_FAIL(v, node, QRT_ERROR_FIELD, "shapes do not broadcast: %d and %d", x, y);
    }
    shape[i] = x > y ? x : y;
  }
  return QRT_OK;
}

qrt_status qrt_check_broadcast(qrt_verify *v, const qrt_node *node, qrt_tensor *output) {
  qrt_tensor a, b;
  uint32_t rank = 0;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_quantized(v, node, 0, &a));
  QRT_TRY(qrt_expect_quantized(v, node, 1, &b));
  QRT_TRY(qrt_broadcast_shape(v, node, &a, &b, &rank, shape));
  return qrt_expect_output(v, node, QRT_FB_DType_int8, rank, shape, output);
}

qrt_status qrt_check_broadcast_float(qrt_verify *v, const qrt_node *node) {
  qrt_tensor a, b, output;
  uint32_t rank = 0;
  int32_t shape[QRT_MAX_RANK];
  QRT_TRY(qrt_expect_input(v, node, 0, QRT_FB_DType_float32, &a));
  QRT_TRY(qrt_expect_input(v, node, 1, QRT_FB_DType_float32, &b));
  QRT_TRY(qrt_broadcast_shape(v, node, &a, &b, &rank, shape));
  return qrt_expect_output(v, node, QRT_FB_DType_float32, rank, shape, &output);
}

void qrt_broadcast_strides(const qrt_tensor *tensor, uint32_t rank, size_t *stride) {
  size_t step = 1;
  for (uint32_t i = rank; i-- > 0;) {
    int32_t extent = extent_at(tensor, rank, i);
    stride[i] = extent == 1 ? 0 : step;
    step *= (size_t)extent;
  }
}

/* Drops axes of extent 1, and merges an axis into the one before it where both operands continue (or repeat) alike. */
static void simplify(qrt_broadcast *c, uint32_t rank, const size_t *extent, const size_t *a, const size_t *b) {
  c->rank = 0;
  for (uint32_t i = 0; i < rank; ++i) {
    uint32_t last = c->rank - 1;
    if (extent[i] == 1) {
      continue;
    }
    if (c->rank && c->a_stride[last] == a[i] * extent[i] && c->b_stride[last] == b[i] * extent[i]) {
      c->extent[last] *= extent[i];
      c->a_stride[last] = a[i];
      c->b_stride[last] = b[i];
    } else {
      c->extent[c->rank] = extent[i];
      c->a_stride[c->rank] = a[i];
      c->b_stride[c->rank++] = b[i];
    }
  }
}

static void swap(qrt_broadcast *c) {
  const int8_t *pointer = c->a;
  c->a = c->b;
  c->b = pointer;
  for (uint32_t i = 0; i < c->rank; ++i) {
    size_t stride = c->a_stride[i];
    c->a_stride[i] = c->b_stride[i];
    c->b_stride[i] = stride;
  }
  c->swapped = 1;
}

void qrt_bind_broadcast(const qrt_binder *binder, const qrt_node *node, qrt_broadcast *c) {
  qrt_tensor a, b, output;
  size_t extent[QRT_MAX_RANK], a_stride[QRT_MAX_RANK], b_stride[QRT_MAX_RANK];
  qrt_node_input(node, 0, &a);
  qrt_node_input(node, 1, &b);
  qrt_node_output(node, &output);
  memset(c, 0, sizeof *c);
  c->a = qrt_bind_tensor(binder, &a);
  c->b = qrt_bind_tensor(binder, &b);
  c->output = qrt_bind_output(binder, &output);
  c->element = qrt_dtype_size(output.dtype);
  qrt_broadcast_strides(&a, output.rank, a_stride);
  qrt_broadcast_strides(&b, output.rank, b_stride);
  for (uint32_t i = 0; i < output.rank; ++i) {
    extent[i] = (size_t)output.shape[i];
    a_stride[i] *= c->element;
    b_stride[i] *= c->element;
  }
  simplify(c, output.rank, extent, a_stride, b_stride);
  c->count = 1;
  c->b_step = c->element;
  if (c->rank) {
    if (!c->a_stride[c->rank - 1]) { /* then b does not repeat: the axis has an extent above 1 */
      swap(c);
    }
    --c->rank;
    c->count = c->extent[c->rank];
    c->b_step = c->b_stride[c->rank];
  }
}

void qrt_run_broadcast(const qrt_broadcast *c, qrt_broadcast_run *run, const void *context) {
  const int8_t *a = c->a, *b = c->b;
  int8_t *output = c->output;
  size_t index[QRT_MAX_RANK] = {0};
  for (;;) {
    run(context, c->count, a, b, c->b_step, output);
    output += c->count * c->element;
    uint32_t i = c->rank;
    for (;;) { /* count up, the last axis fastest */
      if (i-- == 0) {
        return;
      }
      a += c->a_stride[i];
      b += c->b_stride[i];
      if (++index[i] < c->extent[i]) {
        break;
      }
      a -= c->a_stride[i] * c->extent[i];
      b -= c->b_stride[i] * c->extent[i];
      index[i] = 0;
    }
  }
}

size_t qrt_broadcast_units(const qrt_broadcast *c) {
  return c->rank ? 1 : (c->count + QRT_UNIT - 1) / QRT_UNIT;
}

void qrt_run_broadcast_units(const qrt_broadcast *c, qrt_broadcast_run *run, const void *context, size_t begin,
                             size_t end) {
  if (c->rank) {
    qrt_run_broadcast(c, run, context);
    return;
  }
  const size_t first = begin * QRT_UNIT, last = end * QRT_UNIT < c->count ? end * QRT_UNIT : c->count;
  run(context, last - first, c->a + first * c->element, c->b + first * c->b_step, c->b_step,
      c->output + first * c->element);
}
