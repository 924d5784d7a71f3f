/* le.c - input <= other; design rule 22. */
#include "comparison.h"

static const qrt_comparison comparison = {1, 1, 0};

qrt_status qrt_check_le(qrt_verify *v, const qrt_node *node) {
  return qrt_check_comparison(v, node);
}

void qrt_prepare_le(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_comparison(binder, node, &comparison, step);
}
