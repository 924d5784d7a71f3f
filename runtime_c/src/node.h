/* node.h - an operator of the file as a struct, and the words in which the operators' checks are written.
 *
 * Every qrt_expect_... returns QRT_OK or fails with "operators[3] conv2d: ..." and the reason.
 */
#ifndef QRT_NODE_H
#define QRT_NODE_H

#include "verify.h"

typedef struct qrt_node {
  const qrt_model *model;
  uint32_t index;   /* in Model.operators */
  uint32_t code;    /* QRT_FB_Operation_... */
  uint32_t table;   /* position of the Operator */
  uint32_t options; /* position of the operation's table */
  uint32_t inputs;  /* positions of the first elements */
  uint32_t outputs;
  uint32_t input_count;
  uint32_t output_count;
} qrt_node;

void qrt_node_read(const qrt_model *model, uint32_t index, qrt_node *node);
const char *qrt_node_operation(const qrt_node *node); /* "conv2d" */

static inline uint32_t qrt_node_input_index(const qrt_node *node, uint32_t i) {
  return qrt_load32(node->model->file + node->inputs + 4 * i);
}

static inline uint32_t qrt_node_output_index(const qrt_node *node, uint32_t i) {
  return qrt_load32(node->model->file + node->outputs + 4 * i);
}

static inline void qrt_node_input(const qrt_node *node, uint32_t i, qrt_tensor *tensor) {
  qrt_tensor_read(node->model, qrt_node_input_index(node, i), tensor);
}

/* The first output, which is mostly the only one. */
static inline void qrt_node_output(const qrt_node *node, qrt_tensor *tensor) {
  qrt_tensor_read(node->model, qrt_node_output_index(node, 0), tensor);
}

static inline void qrt_node_output_at(const qrt_node *node, uint32_t i, qrt_tensor *tensor) {
  qrt_tensor_read(node->model, qrt_node_output_index(node, i), tensor);
}

/* ---- options ---- */

#define QRT_NODE_INT(node, table, field)   qrt_flat_int((node)->model->file, (node)->options, QRT_FIELD(table, field))
#define QRT_NODE_FLOAT(node, table, field) qrt_flat_float((node)->model->file, (node)->options, QRT_FIELD(table, field))
#define QRT_NODE_BYTE(node, table, field)  qrt_flat_byte((node)->model->file, (node)->options, QRT_FIELD(table, field))
#define QRT_NODE_BOOL(node, table, field)  qrt_flat_byte((node)->model->file, (node)->options, QRT_FIELD(table, field))

/* Copies a vector of exactly `count` ints that a check has accepted. */
void qrt_node_ints(const qrt_node *node, const qrt_fb_field *field, uint32_t count, int32_t *values);

/* ---- checks ---- */

#define QRT_NODE_FAIL(v, node, status, ...)                                                     \
  (QRT_FAIL((v)->error, status, "operators[%u] %s: ", (node)->index, qrt_node_operation(node)), \
   QRT_APPEND((v)->error, status, __VA_ARGS__))

/* Reads input `i`, which must have this type. */
qrt_status qrt_expect_input(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t dtype, qrt_tensor *tensor);
/* The same for a constant of one axis with `extent` elements. */
qrt_status qrt_expect_vector(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t dtype, int32_t extent,
                             qrt_tensor *tensor);
/* Takes `bytes` of the budget for reading constants; see QRT_CONSTANT_AMPLIFICATION. */
qrt_status qrt_expect_budget(qrt_verify *v, const qrt_node *node, uint64_t bytes);
qrt_status qrt_expect_constant(qrt_verify *v, const qrt_node *node, uint32_t i, const qrt_tensor *tensor);
qrt_status qrt_expect_rank(qrt_verify *v, const qrt_node *node, uint32_t i, const qrt_tensor *tensor, uint32_t rank);
/* An int8 tensor with one scale and zero point, as arithmetic needs them. */
qrt_status qrt_expect_quantized(qrt_verify *v, const qrt_node *node, uint32_t i, qrt_tensor *tensor);
/* Input 0, quantized, with a batch axis first and channels last. */
qrt_status qrt_expect_channels(qrt_verify *v, const qrt_node *node, qrt_tensor *tensor);
/* A weight: constant int8, every zero point 0, so symmetric. */
qrt_status qrt_expect_weight(qrt_verify *v, const qrt_node *node, uint32_t i, qrt_tensor *tensor);
/* A float32 constant of `extent` elements, all of them scales or multipliers: within [2^-60, 2^60]. */
qrt_status qrt_expect_multipliers(qrt_verify *v, const qrt_node *node, uint32_t i, int32_t extent, qrt_tensor *tensor);
/* A bias and a multiplier for each of `channels` outputs, in inputs 2 and 3. */
qrt_status qrt_expect_bias_and_multiplier(qrt_verify *v, const qrt_node *node, int32_t channels);
/* A float32 constant of this shape whose elements are signed factors: magnitudes up to 2^60. */
qrt_status qrt_expect_factors(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t rank, const int32_t *shape);

/* Reads the output, which must have this type and shape. */
qrt_status qrt_expect_output(qrt_verify *v, const qrt_node *node, uint32_t dtype, uint32_t rank, const int32_t *shape,
                             qrt_tensor *output);
/* The same for output `i`. */
qrt_status qrt_expect_output_at(qrt_verify *v, const qrt_node *node, uint32_t i, uint32_t dtype, uint32_t rank,
                                const int32_t *shape, qrt_tensor *output);
qrt_status qrt_expect_same_qparams(qrt_verify *v, const qrt_node *node, const qrt_tensor *a, const qrt_tensor *b);

/* -128 <= output_min <= output_max <= 127. */
qrt_status qrt_expect_range(qrt_verify *v, const qrt_node *node, const qrt_fb_field *least, const qrt_fb_field *most);
qrt_status qrt_expect_multiplier(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field);
/* A signed factor: of magnitude up to 2^60. */
qrt_status qrt_expect_factor(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field);
/* What is added to a variance: 0..2^60. */
qrt_status qrt_expect_eps(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field);
/* Exactly `count` ints, each in least..most; copied to `values`. */
qrt_status qrt_expect_ints(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field, uint32_t count,
                           int32_t least, int32_t most, int32_t *values);
qrt_status qrt_expect_int(qrt_verify *v, const qrt_node *node, const qrt_fb_field *field, int32_t least, int32_t most,
                          int32_t *value);

#endif
