/* lstm_dynamic.c - recurrent layers of four gates and a cell state; design rule 18. */
#include "recurrent.h"

enum { STATES = 2, GATES = 4 };

qrt_status qrt_check_lstm_dynamic(qrt_verify *v, const qrt_node *node) {
  return qrt_check_recurrent(v, node, STATES, GATES);
}

static void cell_of(const qrt_recurrent *r, size_t n, const float *gx, const float *gh, const float *before,
                    float *cell, float *hidden) {
  (void)before;
  r->functions->lstm(n, gx, gh, cell, hidden);
}

void qrt_prepare_lstm_dynamic(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_recurrent r;
  memset(&r, 0, sizeof r);
  r.cell = cell_of;
  r.reverse = QRT_NODE_BOOL(node, lstm_dynamic, reverse);
  r.per_step = QRT_NODE_BOOL(node, lstm_dynamic, per_step);
  qrt_bind_recurrent(binder, node, STATES, &r, step);
}
