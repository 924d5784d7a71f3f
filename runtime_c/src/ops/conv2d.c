/* conv2d.c - int8 convolution, NHWC; design rule 3. Patches of the input are the rows of a matrix multiplication, a
 * strip of the output at a time: where each row of the window is one run of bytes, the kernel finds the patches itself,
 * in the input or, where there is padding, in a padded copy of as many of its rows as the strip needs. Where runs are
 * short, as in a network's first layer, they are gathered here for ARM. Depthwise convolution has a file of its own;
 * what is left goes the way of all convolutions, see convolution.c. */
#include "conv2d.h"

#include "convolution.h"
#include "pack.h"

typedef qrt_conv2d arguments;

static const qrt_convolution_fields fields = QRT_CONVOLUTION_FIELDS(conv2d, 2, NULL);

qrt_status qrt_check_conv2d(qrt_verify *v, const qrt_node *node) {
  return qrt_check_convolution(v, node, &fields);
}

/* ---- run ---- */

/* Lines of the input, and pixels of one, that `lines` lines of the output meet. */
static size_t lines_met(const qrt_conv2d_shape *s, size_t lines) {
  return (size_t)((int64_t)(lines - 1) * s->stride_h + (s->kh - 1) * s->dilation_h + 1);
}

static size_t pixels_met(const qrt_conv2d_shape *s) {
  return (size_t)((s->out_w - 1) * s->stride_w + s->kw);
}

enum { PIECE = 16, CHUNK = 64, BLOCK = 8192 };

/* A vector, so that 32-bit and 64-bit ARM move it by one register. */
typedef char piece __attribute__((vector_size(PIECE), aligned(1), may_alias));

#if defined(__aarch64__) && !QRT_COMPACT
/* In CHUNKs: what is too much of the last one is for the caller to write after. */
static inline void fill(int8_t *to, int8_t value, size_t size) {
  const piece pieces = (piece){0} + (char)value;
  for (const int8_t *end = to + size; to < end; to += CHUNK) {
    for (size_t i = 0; i < CHUNK; i += PIECE) *(piece *)(to + i) = pieces;
  }
}

/* In pairs of CHUNKs, of which the last may have bytes of the one before. */
static inline void copy(int8_t *to, const int8_t *from, size_t size) {
  enum { TWO = 2 * CHUNK };
  if (size < TWO) {
    memcpy(to, from, size);
    return;
  }
  const int8_t *last = from + size - TWO;
  int8_t *last_to = to + size - TWO;
  for (; from < last; from += TWO, to += TWO) memcpy(to, from, TWO);
  memcpy(last_to, last, TWO);
}
#else
static inline void fill(int8_t *to, int8_t value, size_t size) {
  memset(to, value, size);
}

static inline void copy(int8_t *to, const int8_t *from, size_t size) {
  memcpy(to, from, size);
}
#endif

/* `count` lines of an image from y on, of as many pixels as the output meets, with padding around the image. Less than
 * a CHUNK beyond may be written too. */
static void pad_lines(const arguments *a, const int8_t *image, int64_t y, size_t count, int8_t *to) {
  const qrt_conv2d_shape *s = &a->shape;
  const int8_t zero_point = (int8_t)a->zero_point;
  const size_t channels = (size_t)s->in_c, in_row = (size_t)s->in_w * channels, size = pixels_met(s) * channels;
  const int64_t first = y > 0 ? y : 0, end = y + (int64_t)count < s->in_h ? y + (int64_t)count : s->in_h;
  const int8_t *const stop = to + count * size;
  size_t left = (size_t)s->pad_left * channels;
  left = left < size ? left : size;
  const size_t middle = in_row < size - left ? in_row : size - left;
  size_t between = (size_t)(first - y) * size + left; /* what is above, then right of a line and left of the next */
  for (int64_t i = first; i < end; ++i) {
    fill(to, zero_point, between);
    to += between;
    copy(to, image + (size_t)i * in_row, middle);
    to += middle;
    between = size - middle;
  }
  fill(to, zero_point, (size_t)(stop - to));
}

#if defined(__aarch64__)
/* Four pieces: compilers do not find the instructions that move an address on by a register. */
#define MOVE_FOUR                                    \
  "ld1 {v0.16b}, [%0], %2\nld1 {v1.16b}, [%0], %2\n" \
  "ld1 {v2.16b}, [%0], %2\nld1 {v3.16b}, [%0], %2\n" \
  "st1 {v0.16b}, [%1], %3\nst1 {v1.16b}, [%1], %3\n" \
  "st1 {v2.16b}, [%1], %3\nst1 {v3.16b}, [%1], %3\n"
#define MOVE(pieces) \
  __asm__ volatile(pieces : "+r"(from), "+r"(to) : "r"(step), "r"(patch) : "v0", "v1", "v2", "v3", "memory")

/* n pieces, eight or four at a time. */
static inline void copy_pieces(size_t n, const int8_t *from, size_t step, int8_t *to, size_t patch) {
  for (; n >= 8; n -= 8) MOVE(MOVE_FOUR MOVE_FOUR);
  if (n >= 4) {
    MOVE(MOVE_FOUR);
    n -= 4;
  }
  for (; n > 0; --n, from += step, to += patch) *(piece *)to = *(const piece *)from;
}
#else
/* n pieces, four at a time: addresses move on once. */
static void copy_pieces(size_t n, const int8_t *from, size_t step, int8_t *to, size_t patch) {
  for (; n >= 4; n -= 4, from += 4 * step, to += 4 * patch) {
    *(piece *)to = *(const piece *)from;
    *(piece *)(to + patch) = *(const piece *)(from + step);
    *(piece *)(to + 2 * patch) = *(const piece *)(from + 2 * step);
    *(piece *)(to + 3 * patch) = *(const piece *)(from + 3 * step);
  }
  for (; n > 0; --n, from += step, to += patch) *(piece *)to = *(const piece *)from;
}
#endif

/* Patches of `count` pixels of the output from `first` on, each as one run. Runs are copied as pieces of 16 bytes; what
 * is too much of one the next run covers. */
static void gather(const arguments *a, const int8_t *lines, size_t first, size_t count, int8_t *block) {
  const qrt_conv2d_shape *s = &a->shape;
  const size_t channels = (size_t)s->in_c, run = (size_t)s->kw * channels, line = pixels_met(s) * channels;
  const size_t out_w = (size_t)s->out_w, step = (size_t)s->stride_w * channels, kh = (size_t)s->kh, patch = a->patch;
  const size_t next = (size_t)s->dilation_h * line;
  for (size_t n; count > 0; count -= n, first += n, block += n * patch) {
    const size_t x = first % out_w;
    const int8_t *from = lines + first / out_w * (size_t)s->stride_h * line + x * step;
    n = count < out_w - x ? count : out_w - x;
    for (size_t q = 0; q < kh; ++q, from += next) {
      copy_pieces(n, from, step, block + q * run, patch);
    }
  }
}

/* Some lines of the output, from gathered patches. */
static void run_gathered(const arguments *a, size_t pixels, const qrt_gemm_columns *columns, const int8_t *lines,
                         int8_t *block, int8_t *output) {
  const size_t k = (size_t)(a->shape.kh * a->shape.kw * a->shape.in_c);
  const qrt_gemm_rows rows = qrt_gemm_matrix(block, k, a->patch);
  const size_t most = BLOCK / a->patch, out_w = (size_t)a->shape.out_w;
  const size_t whole = most > out_w ? most / out_w * out_w : most; /* lines, if possible: gathering starts them anew */
  for (size_t i = 0, count; i < pixels; i += count) {
    count = pixels - i < whole ? pixels - i : whole;
    gather(a, lines, i, count, block);
    a->kernel->run(count, columns->count, &rows, columns->packed, &a->range, output + i * a->n, a->n);
  }
}

/* Strips are of padded copies, and of gathered patches; neither where there is little memory, unless the strips are
 * what saves it. */
static int copies(void) {
  return !QRT_COMPACT || qrt_op_built(QRT_FB_Operation_inverted_residual);
}

static int pads(const arguments *a) {
  return copies() && a->padded;
}

static int patches(const arguments *a) {
  return copies() && a->patch > 0;
}

static uint64_t copied(const arguments *a) {
  const qrt_conv2d_shape *s = &a->shape;
  uint64_t size = (uint64_t)lines_met(s, a->strip) * pixels_met(s) * (size_t)s->in_c;
  return pads(a) ? size + CHUNK + (patches(a) ? BLOCK : 0) : 0;
}

/* Lines begin..end of the output, of all images; or all lines of some columns. */
static void run_strips(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  const qrt_conv2d_shape *s = &a->shape;
  size_t out_h = (size_t)s->out_h, out_w = (size_t)s->out_w, channels = (size_t)s->in_c;
  size_t in_row = (size_t)s->in_w * channels;
  size_t line = pads(a) ? pixels_met(s) * channels : in_row;
  qrt_gemm_rows rows = {NULL,
                        (size_t)s->kh,
                        (size_t)s->kw * channels,
                        (size_t)s->dilation_h * line,
                        out_w == 1 ? SIZE_MAX : out_w, /* lines of one pixel: the same step from each to the next */
                        (out_w == 1 ? (size_t)s->stride_h * line : (size_t)s->stride_w * channels),
                        (size_t)s->stride_h * line};
  const size_t runs = patches(a) ? 1 : rows.runs, run = rows.runs / runs * rows.run;
  const qrt_gemm_columns columns = qrt_columns_of(&a->share, a->kernel, a->packed, a->n, runs, run, begin, end);
  if (a->share.columns) {
    begin = 0;
    end = (size_t)s->batch * out_h;
  }
  for (size_t i = begin, lines; i < end; i += lines) {
    const int8_t *image = a->input + i / out_h * (size_t)s->in_h * in_row;
    const size_t y = i % out_h, left = out_h - y < end - i ? out_h - y : end - i;
    lines = left < a->strip ? left : a->strip;
    if (pads(a)) {
      pad_lines(a, image, (int64_t)y * s->stride_h - s->pad_top, lines_met(s, lines), scratch);
      rows.a = scratch;
    } else {
      rows.a = image + y * (size_t)s->stride_h * in_row;
    }
    int8_t *output = a->output + i * out_w * a->n + columns.begin;
    if (patches(a)) {
      int8_t *block = (int8_t *)scratch + lines_met(s, a->strip) * line + CHUNK;
      run_gathered(a, lines * out_w, &columns, scratch, block, output);
    } else {
      a->kernel->run(lines * out_w, columns.count, &rows, columns.packed, &a->range, output, a->n);
    }
  }
}

void qrt_run_conv2d_lines(const qrt_conv2d *a, void *scratch, size_t image, size_t begin, size_t end, int8_t *output) {
  const qrt_conv2d_shape *s = &a->shape;
  const size_t in_row = (size_t)(s->in_w * s->in_c), above = begin * (size_t)s->stride_h;
  qrt_conv2d part = *a; /* whose first line is `begin` */
  part.input += (image * (size_t)s->in_h + (pads(a) ? 0 : above)) * in_row;
  part.shape.pad_top -= (int64_t)above;
  part.output = output;
  run_strips(&part, scratch, 0, end - begin);
}

/* ---- prepare ---- */

static void read_shape(const qrt_node *node, const qrt_tensor *input, const qrt_tensor *weight,
                       const qrt_tensor *output, qrt_conv2d_shape *s, int *padded) {
  int32_t stride[2], padding[4], dilation[2];
  qrt_node_ints(node, QRT_FIELD(conv2d, stride), 2, stride);
  qrt_node_ints(node, QRT_FIELD(conv2d, padding), 4, padding);
  qrt_node_ints(node, QRT_FIELD(conv2d, dilation), 2, dilation);
  *s = (qrt_conv2d_shape){
      .batch = input->shape[0],
      .in_h = input->shape[1],
      .in_w = input->shape[2],
      .in_c = input->shape[3],
      .out_h = output->shape[1],
      .out_w = output->shape[2],
      .out_c = output->shape[3],
      .kh = weight->shape[1],
      .kw = weight->shape[2],
      .groups = QRT_NODE_INT(node, conv2d, groups),
      .stride_h = stride[0],
      .stride_w = stride[1],
      .dilation_h = dilation[0],
      .dilation_w = dilation[1],
      .pad_top = padding[0],
      .pad_left = padding[1],
  };
  *padded = padding[0] || padding[1] || padding[2] || padding[3];
}

/* Bytes of input and output that a strip may have, so that they stay in a cache while all weights go by. */
#define STRIP_BYTES 131072

static size_t strip_of(const qrt_conv2d_shape *s) {
  const size_t in_line = (size_t)(s->in_w * s->in_c * s->stride_h), out_line = (size_t)(s->out_w * s->out_c);
  const size_t strip = STRIP_BYTES / (in_line + out_line);
  return strip<1 ? 1 : strip>(size_t) s->out_h ? (size_t)s->out_h : strip;
}

static void prepare_strips(qrt_binder *binder, const qrt_node *node, arguments *a, qrt_step *step) {
  const qrt_conv2d_shape *s = &a->shape;
  size_t stride;
  a->n = (size_t)s->out_c;
  a->strip = strip_of(s);
  qrt_bind_scratch(binder, copied(a));
  const size_t runs = patches(a) ? 1 : (size_t)s->kh, run = (size_t)(s->kw * s->in_c * s->kh) / runs;
  a->packed = qrt_pack_gemm(binder, node, a->kernel, 1, a->n, runs, run, &stride);
  const size_t lines = (size_t)(s->batch * s->out_h);
  a->share = qrt_share_gemm(binder, a->kernel, lines, (size_t)s->out_w, a->n);
  qrt_bind_units(binder, step, run_strips, a->share.units,
                 (uint64_t)lines * (uint64_t)(s->out_w * s->kh * s->kw * s->in_c) * a->n);
  step->arguments = qrt_bind_copy(binder, a, sizeof *a);
  step->kernel = a->kernel->name;
}

/* Single pixels without padding and stride: the output has no lines that matter. */
static void join_lines(qrt_conv2d_shape *s) {
  s->out_h = s->in_h = s->batch * s->in_h * s->in_w;
  s->batch = s->in_w = s->out_w = 1;
}

/* Few channels, on ARM: are patches to be gathered, from a padded copy of the input? Then they have this many bytes. */
static size_t patch_of(const arguments *a) {
  const qrt_conv2d_shape *s = &a->shape;
  const uint32_t arm = QRT_ISA_neon | QRT_ISA_neondot | QRT_ISA_i8mm;
  const int64_t run = s->kw * s->in_c, size = (s->kh - 1) * run + PIECE;
  const int gathers = s->groups == 1 && (s->dilation_w == 1 || s->kw == 1) && s->kh > 1 && run < PIECE && size < 512;
  return gathers && !QRT_COMPACT && a->kernel->isa & arm ? (size_t)(size + PIECE - 1) / PIECE * PIECE : 0;
}

/* Is each row of the window one run of bytes, and long enough? A kernel that takes rows one by one would gain nothing
 * by a padded copy, which is larger than a patch, and little memory may not hold it. */
static int has_runs(const arguments *a) {
  const qrt_conv2d_shape *s = &a->shape;
  size_t run = (size_t)(s->kw * s->in_c);
  return s->groups == 1 && (s->dilation_w == 1 || s->kw == 1) && (s->kh == 1 || run >= a->kernel->kr) &&
         !(a->padded && (a->kernel->mr == 1 || QRT_COMPACT));
}

uint64_t qrt_bind_conv2d_lines(qrt_conv2d *a, size_t most, size_t *runs) {
  const qrt_conv2d_shape *s = &a->shape;
  const size_t run = (size_t)(s->kw * s->in_c);
  a->n = (size_t)s->out_c;
  a->strip = strip_of(s);
  a->strip = a->strip < most ? a->strip : most;
  a->patch = patch_of(a);
  if (s->kh > 1 && run < a->kernel->kr) { /* too short for the kernel to find them itself */
    a->patch = ((size_t)(s->kh - 1) * run + 2 * PIECE - 1) / PIECE * PIECE;
  }
  a->padded |= a->patch > 0;
  *runs = a->patch ? 1 : (size_t)s->kh;
  return copied(a);
}

void qrt_prepare_conv2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input, weight, output;
  arguments a;
  qrt_node_input(node, 0, &input);
  qrt_node_input(node, 1, &weight);
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  read_shape(node, &input, &weight, &output, &a.shape, &a.padded);
  a.kernel = qrt_gemm_select(binder->isa);
  a.input = qrt_bind_tensor(binder, &input);
  a.output = qrt_bind_output(binder, &output);
  a.zero_point = input.zero_point;
  a.range = QRT_NODE_RANGE(node, conv2d, &output);
  if (a.shape.groups == a.shape.in_c && a.shape.groups == a.shape.out_c) {
    qrt_prepare_depthwise(binder, node, &a.shape, step);
    return;
  }
  a.patch = patch_of(&a);
  a.padded |= a.patch > 0;
  if (a.patch || has_runs(&a)) {
    if (a.shape.kh == 1 && a.shape.kw == 1 && a.shape.stride_h == 1 && a.shape.stride_w == 1 && !a.padded) {
      join_lines(&a.shape);
    }
    prepare_strips(binder, node, &a, step);
  } else {
    qrt_prepare_convolution(binder, node, &fields, step);
  }
}
