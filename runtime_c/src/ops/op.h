/* op.h - the operators: ops.inc lists them, one file each defines its two functions.
 *
 *   check     part of qrt_model_open: operand types, options, and the output's shape recomputed. Operand counts and
 *             indices, order and overlap have been checked by graph.c.
 *   prepare   part of qrt_session_open: chooses kernels, packs weights, fills the step. The file has been checked.
 *
 * The step's run function cannot fail. Indices in a run's inputs are looked at before, by the step's check.
 */
#ifndef QRT_OP_H
#define QRT_OP_H

#include "../bind.h"
#include "../kernels/kernels.h"

typedef struct qrt_op {
  uint8_t code; /* QRT_FB_Operation_... */
  uint8_t least_inputs;
  uint8_t most_inputs;
  uint8_t outputs : 6;
  uint8_t in_place : 1; /* the only output may take an input's place */
  uint8_t is_float : 1; /* for a first input of float32, where there is another row for other types */
  qrt_status (*check)(qrt_verify *v, const qrt_node *node);
  void (*prepare)(qrt_binder *binder, const qrt_node *node, qrt_step *step);
} qrt_op;

/* The rounding and clamping that output_min and output_max of an operation ask for. */
#define QRT_NODE_RANGE(node, table, output)                                        \
  ((qrt_output_range){(output)->zero_point, QRT_NODE_INT(node, table, output_min), \
                      QRT_NODE_INT(node, table, output_max)})

#define QRT_OPERATOR(name, least, most, outputs, in_place)                         \
  QRT_AT_OPENING qrt_status qrt_check_##name(qrt_verify *v, const qrt_node *node); \
  QRT_AT_OPENING void qrt_prepare_##name(qrt_binder *binder, const qrt_node *node, qrt_step *step);
#define QRT_FLOAT_OPERATOR(name, least, most, outputs, in_place)                         \
  QRT_AT_OPENING qrt_status qrt_check_float_##name(qrt_verify *v, const qrt_node *node); \
  QRT_AT_OPENING void qrt_prepare_float_##name(qrt_binder *binder, const qrt_node *node, qrt_step *step);
#include "ops.inc"
#undef QRT_OPERATOR
#undef QRT_FLOAT_OPERATOR

/* Is an operator in this build? Known when compiling, so that what serves absent ones alone is left out. */
static inline int qrt_op_built(uint32_t code) {
  return 0
#define QRT_OPERATOR(name, least, most, outputs, in_place) || code == QRT_FB_Operation_##name
#define QRT_FLOAT_OPERATOR                                 QRT_OPERATOR
#include QRT_OPERATORS
#undef QRT_OPERATOR
#undef QRT_FLOAT_OPERATOR
      ;
}

/* By the operation and the type of its first input. NULL for an operator that is not in this build. */
const qrt_op *qrt_op_find(const qrt_node *node);

#endif
