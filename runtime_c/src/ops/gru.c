/* gru.c - one layer of gated recurrent units on int8; design rule 21. */
#include "quantized_recurrent.h"

enum { GATES = 3 };

/* Elements of output_min and output_max, of zero_point those before the state; of multiplier, where sums have two. */
enum { OF_INPUT = QRT_OF_INPUT, OF_HIDDEN = QRT_OF_HIDDEN, GATE, SCALED, NEW, KEPT, ADDED, NEW_HIDDEN, RANGES };
enum { M_GATE, M_SCALED = 2, M_NEW, M_KEPT = 5, M_ADDED, M_HIDDEN, MULTIPLIERS = 9 };
enum { RESET, UPDATE, KEEP, TANH, TABLES };

static void cell_of(const qrt_quantized_recurrent *r, int8_t *gx, int8_t *gates, const int8_t *before, int8_t *cell,
                    int8_t *hidden) {
  const size_t n = r->hidden;
  const qrt_output_range *value = r->range;
  const int32_t *made = r->table_zero_point;
  int8_t *reset = gates, *update = gates + n, *new = gates + 2 * n, *keep = gx;
  (void)cell;
  qrt_recurrent_add(r, 2 * n, gx, value[OF_INPUT].zero_point, gates, value[OF_HIDDEN].zero_point, M_GATE, GATE, gates);
  r->lut->lookup(n, reset, r->table[RESET], reset);
  r->lut->lookup(n, update, r->table[KEEP], keep);
  r->lut->lookup(n, update, r->table[UPDATE], update);
  qrt_recurrent_mul(r, n, reset, made[RESET], new, value[OF_HIDDEN].zero_point, M_SCALED, SCALED, new);
  qrt_recurrent_add(r, n, gx + 2 * n, value[OF_INPUT].zero_point, new, value[SCALED].zero_point, M_NEW, NEW, new);
  r->lut->lookup(n, new, r->table[TANH], new);
  qrt_recurrent_mul(r, n, update, made[UPDATE], before, value[NEW_HIDDEN].zero_point, M_KEPT, KEPT, update);
  qrt_recurrent_mul(r, n, keep, made[KEEP], new, made[TANH], M_ADDED, ADDED, new);
  qrt_recurrent_add(r, n, update, value[KEPT].zero_point, new, value[ADDED].zero_point, M_HIDDEN, NEW_HIDDEN, hidden);
}

static const qrt_recurrent_form form = {qrt_fb_gru_fields, 1, GATES, TABLES, RANGES, MULTIPLIERS, cell_of};

qrt_status qrt_check_gru(qrt_verify *v, const qrt_node *node) {
  return qrt_check_quantized_recurrent(v, node, &form);
}

void qrt_prepare_gru(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_prepare_quantized_recurrent(binder, node, &form, step);
}
