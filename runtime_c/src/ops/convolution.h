/* convolution.h - convolutions over two or three axes, transposed ones too, of int8 or, dynamically quantized, of
 * float: their checks, and a way to run that any of them can go. */
#ifndef QRT_CONVOLUTION_H
#define QRT_CONVOLUTION_H

#include "op.h"

/* Where an operation keeps its options. axes: 2 for height and width, 3 with depth before them. output_padding: NULL
 * unless the convolution is transposed; padding is then one number per axis, else the begin of each, then the end.
 * least, most: NULL for float input and output, with operands weight_scale and bias behind the weight. */
typedef struct qrt_convolution_fields {
  uint32_t axes;
  const qrt_fb_field *stride, *padding, *output_padding, *dilation, *groups, *least, *most;
} qrt_convolution_fields;

#define QRT_CONVOLUTION_FIELDS(table, axes, output_padding) \
  {axes,                                                    \
   QRT_FIELD(table, stride),                                \
   QRT_FIELD(table, padding),                               \
   output_padding,                                          \
   QRT_FIELD(table, dilation),                              \
   QRT_FIELD(table, groups),                                \
   QRT_FIELD(table, output_min),                            \
   QRT_FIELD(table, output_max)}

#define QRT_CONVOLUTION_DYNAMIC_FIELDS(table, axes, output_padding) \
  {axes,                                                            \
   QRT_FIELD(table, stride),                                        \
   QRT_FIELD(table, padding),                                       \
   output_padding,                                                  \
   QRT_FIELD(table, dilation),                                      \
   QRT_FIELD(table, groups),                                        \
   NULL,                                                            \
   NULL}

qrt_status qrt_check_convolution(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields);

void qrt_prepare_convolution(qrt_binder *binder, const qrt_node *node, const qrt_convolution_fields *fields,
                             qrt_step *step);

#endif
