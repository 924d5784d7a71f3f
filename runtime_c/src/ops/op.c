/* op.c - from an operator's code to its functions. */
#include "op.h"

static const qrt_op operators[QRT_FB_Operation_END] = {
#define QRT_OPERATOR(name, least, most, outputs, in_place) \
  [QRT_FB_Operation_##name] = {least, most, outputs, in_place, qrt_check_##name, qrt_prepare_##name},
#include "ops.inc"
#undef QRT_OPERATOR
};

const qrt_op *qrt_op_find(uint32_t code) {
  return operators[code].check ? &operators[code] : NULL;
}
