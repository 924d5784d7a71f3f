/* comparison.h - what eq, ne, lt and le share: real values or integers, compared; design rule 22. */
#ifndef QRT_COMPARISON_H
#define QRT_COMPARISON_H

#include "elementwise.h"

/* Which of "less", "equal" and "greater (or not comparable)" give 1. */
typedef struct qrt_comparison {
  uint8_t less, equal, other;
} qrt_comparison;

qrt_status qrt_check_comparison(qrt_verify *v, const qrt_node *node);
void qrt_prepare_comparison(qrt_binder *binder, const qrt_node *node, const qrt_comparison *comparison, qrt_step *step);

#endif
