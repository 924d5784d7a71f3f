/* float_convolution.h - convolutions of float tensors over two or three axes, transposed ones too; design rule 11. */
#ifndef QRT_FLOAT_CONVOLUTION_H
#define QRT_FLOAT_CONVOLUTION_H

#include "convolution.h"

qrt_status qrt_check_float_convolution(qrt_verify *v, const qrt_node *node, const qrt_convolution_fields *fields);

void qrt_prepare_float_convolution(qrt_binder *binder, const qrt_node *node, const qrt_convolution_fields *fields,
                                   qrt_step *step);

#endif
