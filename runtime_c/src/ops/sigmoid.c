/* sigmoid.c - on float; design rule 11. On int8 that is a lookup_table. */
#include "float_function.h"

qrt_status qrt_check_sigmoid(qrt_verify *v, const qrt_node *node) {
  return qrt_check_float_function(v, node);
}

void qrt_prepare_sigmoid(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  const qrt_functions_kernel *kernel = qrt_functions_select(binder->isa);
  qrt_bind_float_function(binder, node, kernel, kernel->sigmoid, step);
}
