/* lstm.c - one layer of long short-term memory on int8; design rule 21. */
#include "quantized_recurrent.h"

enum { GATES = 4 };

/* Elements of output_min and output_max, of zero_point those before the states; of multiplier, where sums have two. */
enum { OF_INPUT = QRT_OF_INPUT, OF_HIDDEN = QRT_OF_HIDDEN, GATE, KEPT, ADDED, NEW_CELL, NEW_HIDDEN, RANGES };
enum { M_GATE, M_KEPT = 2, M_ADDED, M_CELL, M_HIDDEN = 6, MULTIPLIERS };
enum { SIGMOID, TANH, CELL_TANH, TABLES };

static void cell_of(const qrt_quantized_recurrent *r, int8_t *gx, int8_t *gates, const int8_t *before, int8_t *cell,
                    int8_t *hidden) {
  const size_t n = r->hidden;
  const qrt_output_range *value = r->range;
  const int32_t *made = r->table_zero_point;
  int8_t *in = gates, *forget = gates + n, *g = gates + 2 * n, *out = gates + 3 * n;
  (void)before;
  qrt_recurrent_add(r, GATES * n, gx, value[OF_INPUT].zero_point, gates, value[OF_HIDDEN].zero_point, M_GATE, GATE,
                    gates);
  r->lut->lookup(2 * n, in, r->table[SIGMOID], in);
  r->lut->lookup(n, g, r->table[TANH], g);
  r->lut->lookup(n, out, r->table[SIGMOID], out);
  qrt_recurrent_mul(r, n, forget, made[SIGMOID], cell, value[NEW_CELL].zero_point, M_KEPT, KEPT, forget);
  qrt_recurrent_mul(r, n, in, made[SIGMOID], g, made[TANH], M_ADDED, ADDED, in);
  qrt_recurrent_add(r, n, forget, value[KEPT].zero_point, in, value[ADDED].zero_point, M_CELL, NEW_CELL, cell);
  r->lut->lookup(n, cell, r->table[CELL_TANH], g);
  qrt_recurrent_mul(r, n, out, made[SIGMOID], g, made[CELL_TANH], M_HIDDEN, NEW_HIDDEN, hidden);
}

static const qrt_recurrent_form form = {qrt_fb_lstm_fields, 2, GATES, TABLES, RANGES, MULTIPLIERS, cell_of};

qrt_status qrt_check_lstm(qrt_verify *v, const qrt_node *node) {
  return qrt_check_quantized_recurrent(v, node, &form);
}

void qrt_prepare_lstm(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_quantized_recurrent(binder, node, &form, step);
}
