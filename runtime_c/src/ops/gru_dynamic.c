/* gru_dynamic.c - recurrent layers of three gates; design rule 18. */
#include "recurrent.h"

enum { STATES = 1, GATES = 3 };

qrt_status qrt_check_gru_dynamic(qrt_verify *v, const qrt_node *node) {
  return qrt_check_recurrent(v, node, STATES, GATES);
}

static void cell_of(const qrt_recurrent *r, size_t n, const float *gx, const float *gh, const float *before,
                    float *cell, float *hidden) {
  (void)cell;
  r->functions->gru(n, gx, gh, before, hidden);
}

void qrt_prepare_gru_dynamic(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_recurrent r;
  memset(&r, 0, sizeof r);
  r.cell = cell_of;
  r.reverse = QRT_NODE_BOOL(node, gru_dynamic, reverse);
  r.per_step = QRT_NODE_BOOL(node, gru_dynamic, per_step);
  qrt_bind_recurrent(binder, node, STATES, &r, step);
}
