/* float_binary.c - functions of the elements of two float tensors, whose shapes broadcast; design rule 11. */
#include "../kernels/binary/binary.h"
#include "broadcast.h"

typedef struct arguments {
  const qrt_binary_kernel *kernel;
  qrt_binary_function function;
  qrt_broadcast broadcast;
} arguments;

/* May be in place. */
static void run_part(const void *context, size_t count, const int8_t *a, const int8_t *b, size_t b_step,
                     int8_t *output) {
  const arguments *arguments_ = context;
  const float *x = (const float *)(const void *)a, *y = (const float *)(const void *)b;
  float *result = (float *)(void *)output;
  const size_t step = b_step != 0;
  if (arguments_->broadcast.swapped) {
    arguments_->kernel->run(arguments_->function, count, y, step, x, 1, result);
  } else {
    arguments_->kernel->run(arguments_->function, count, x, 1, y, step, result);
  }
}

static void run(const void *pointer, void *scratch, size_t begin, size_t end) {
  const arguments *a = pointer;
  (void)scratch;
  qrt_run_broadcast_units(&a->broadcast, run_part, a, begin, end);
}

static void prepare(qrt_binder *binder, const qrt_node *node, qrt_binary_function function, qrt_step *step) {
  qrt_tensor output;
  arguments a;
  qrt_node_output(node, &output);
  memset(&a, 0, sizeof a);
  a.kernel = qrt_binary_select(binder->isa);
  a.function = function;
  qrt_bind_broadcast(binder, node, &a.broadcast);
  qrt_bind_moves(binder, step, run, qrt_broadcast_units(&a.broadcast), output.size);
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
  step->kernel = a.kernel->name;
}

#define QRT_BINARY(name, value)                                                             \
  qrt_status qrt_check_float_##name(qrt_verify *v, const qrt_node *node) {                  \
    return qrt_check_broadcast_float(v, node);                                              \
  }                                                                                         \
  void qrt_prepare_float_##name(qrt_binder *binder, const qrt_node *node, qrt_step *step) { \
    prepare(binder, node, QRT_BINARY_##name, step);                                         \
  }
#include "../kernels/binary/functions.inc"
#undef QRT_BINARY
