/* upsample2d.h - other heights and widths: what upsample_nearest2d and upsample_bilinear2d share. */
#ifndef QRT_UPSAMPLE2D_H
#define QRT_UPSAMPLE2D_H

#include "op.h"

/* Where an operation keeps its options. */
typedef struct qrt_upsample2d_fields {
  const qrt_fb_field *output_size, *scale_height, *scale_width;
} qrt_upsample2d_fields;

/* Along one axis. Positions are found in every run: it alone has the float mode that they need. */
typedef struct qrt_upsample2d_axis {
  size_t in, out;
  float scale;
  void *positions; /* `out` elements of the operator's own */
} qrt_upsample2d_axis;

typedef struct qrt_upsample2d {
  const int8_t *input;
  int8_t *output;
  size_t batch, channels;
  qrt_upsample2d_axis h, w;
} qrt_upsample2d;

qrt_status qrt_check_upsample2d(qrt_verify *v, const qrt_node *node, const qrt_upsample2d_fields *fields,
                                uint32_t dtype);

/* `element`: bytes of one position. */
void qrt_bind_upsample2d(qrt_binder *binder, const qrt_node *node, const qrt_upsample2d_fields *fields, size_t element,
                         qrt_upsample2d *u);

#endif
