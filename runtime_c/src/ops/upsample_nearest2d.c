/* upsample_nearest2d.c - the pixel at the scaled position, NHWC; design rule 19. */
#include "upsample2d.h"

static const qrt_upsample2d_fields fields = {
    QRT_FIELD(upsample_nearest2d, output_size),
    QRT_FIELD(upsample_nearest2d, scale_height),
    QRT_FIELD(upsample_nearest2d, scale_width),
};

qrt_status qrt_check_upsample_nearest2d(qrt_verify *v, const qrt_node *node) {
  qrt_tensor input;
  qrt_node_input(node, 0, &input);
  int is_float = input.dtype == QRT_FB_DType_float32;
  return qrt_check_upsample2d(v, node, &fields, is_float ? QRT_FB_DType_float32 : QRT_FB_DType_int8);
}

static const uint32_t *find(const qrt_upsample2d_axis *axis) {
  uint32_t *positions = axis->positions;
  const float last = (float)(axis->in - 1);
  for (size_t i = 0; i < axis->out; ++i) {
    float at = (float)(uint32_t)i * axis->scale;
    positions[i] = (uint32_t)(at < last ? at : last);
  }
  return positions;
}

static void run(const void *pointer, void *scratch) {
  const qrt_upsample2d *u = pointer;
  const uint32_t *rows = find(&u->h), *columns = find(&u->w);
  const size_t row = u->w.in * u->channels, out_row = u->w.out * u->channels;
  int8_t *output = u->output;
  (void)scratch;
  for (size_t n = 0; n < u->batch; ++n) {
    const int8_t *image = u->input + n * u->h.in * row;
    for (size_t y = 0; y < u->h.out; ++y, output += out_row) {
      if (y && rows[y] == rows[y - 1]) {
        memcpy(output, output - out_row, out_row);
        continue;
      }
      for (size_t x = 0; x < u->w.out; ++x) {
        memcpy(output + x * u->channels, image + rows[y] * row + columns[x] * u->channels, u->channels);
      }
    }
  }
}

void qrt_prepare_upsample_nearest2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor input;
  qrt_upsample2d u;
  qrt_node_input(node, 0, &input);
  qrt_bind_upsample2d(binder, node, &fields, sizeof(uint32_t), &u);
  u.channels *= qrt_dtype_size(input.dtype); /* bytes move */
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &u, sizeof u);
}
