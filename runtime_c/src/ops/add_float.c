/* add_float.c - elementwise sum of float tensors; design rule 11. */
#include "../floats.h"
#include "broadcast.h"

qrt_status qrt_check_add_float(qrt_verify *v, const qrt_node *node) {
  return qrt_check_broadcast_float(v, node);
}

/* May be in place. */
static void run_part(const void *context, size_t count, const int8_t *a, const int8_t *b, size_t b_step,
                     int8_t *output) {
  const float *x = (const float *)(const void *)a, *y = (const float *)(const void *)b;
  float *sum = (float *)(void *)output;
  const size_t step = b_step ? 1 : 0;
  (void)context;
  for (size_t i = 0; i < count; ++i) {
    sum[i] = qrt_canonical(x[i] + y[i * step]);
  }
}

static void run(const void *pointer, void *scratch) {
  (void)scratch;
  qrt_run_broadcast(pointer, run_part, NULL);
}

void qrt_prepare_add_float(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_broadcast broadcast;
  qrt_bind_broadcast(binder, node, &broadcast);
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &broadcast, sizeof broadcast);
}
