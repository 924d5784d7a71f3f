/* upsample_bilinear2d.c - a weighted sum of the four pixels around the scaled position, NHWC; design rule 19. */
#include "../requantize.h"
#include "upsample2d.h"

enum { ONE = 1 << 11 }; /* the sum of two weights */

/* Along one axis: two positions of the input and the weight of the second. */
typedef struct pair {
  uint32_t first, second;
  int32_t weight;
} pair;

typedef struct arguments {
  qrt_upsample2d shape;
  int align_corners;
  qrt_output_range range;
} arguments;

static const qrt_upsample2d_fields fields = {
    QRT_FIELD(upsample_bilinear2d, output_size),
    QRT_FIELD(upsample_bilinear2d, scale_height),
    QRT_FIELD(upsample_bilinear2d, scale_width),
};

qrt_status qrt_check_upsample_bilinear2d(qrt_verify *v, const qrt_node *node) {
  return qrt_check_upsample2d(v, node, &fields, QRT_FB_DType_int8);
}

static float scaled(float i, float scale, int align_corners) {
  if (align_corners) {
    return i * scale;
  }
  float at = (i + 0.5f) * scale;
  at -= 0.5f;
  return at > 0.0f ? at : 0.0f;
}

static const pair *find(const qrt_upsample2d_axis *axis, int align_corners) {
  pair *pairs = axis->positions;
  const float last = (float)(axis->in - 1);
  for (size_t i = 0; i < axis->out; ++i) {
    float at = scaled((float)(uint32_t)i, axis->scale, align_corners);
    at = at < last ? at : last;
    pairs[i].first = (uint32_t)at;
    pairs[i].second = pairs[i].first + (pairs[i].first + 1 < axis->in);
    float weight = (at - (float)pairs[i].first) * (float)ONE;
    pairs[i].weight = (int32_t)((weight + QRT_ROUNDER) - QRT_ROUNDER);
  }
  return pairs;
}

static void blend(const arguments *a, const int8_t *top, const int8_t *bottom, const pair *column, int32_t row_weight,
                  int8_t *output) {
  const size_t channels = a->shape.channels, left = column->first * channels, right = column->second * channels;
  const int32_t w11 = row_weight * column->weight, w10 = row_weight * ONE - w11, w01 = column->weight * ONE - w11;
  const int32_t w00 = ONE * ONE - w11 - w10 - w01, zero = a->range.zero_point * ONE * ONE;
  for (size_t c = 0; c < channels; ++c) {
    int32_t sum = w00 * top[left + c] + w01 * top[right + c] + w10 * bottom[left + c] + w11 * bottom[right + c] - zero;
    output[c] = qrt_requantize((uint32_t)sum, 1.0f / (ONE * ONE), &a->range);
  }
}

static void run(const void *pointer, void *scratch) {
  const arguments *a = pointer;
  const qrt_upsample2d *u = &a->shape;
  const pair *rows = find(&u->h, a->align_corners), *columns = find(&u->w, a->align_corners);
  const size_t row = u->w.in * u->channels;
  int8_t *output = u->output;
  (void)scratch;
  for (size_t n = 0; n < u->batch; ++n) {
    const int8_t *image = u->input + n * u->h.in * row;
    for (size_t y = 0; y < u->h.out; ++y) {
      const int8_t *top = image + rows[y].first * row, *bottom = image + rows[y].second * row;
      for (size_t x = 0; x < u->w.out; ++x, output += u->channels) {
        blend(a, top, bottom, &columns[x], rows[y].weight, output);
      }
    }
  }
}

void qrt_prepare_upsample_bilinear2d(qrt_binder *binder, const qrt_node *node, qrt_step *step) {
  qrt_tensor output;
  arguments a;
  qrt_node_output(node, &output);
  qrt_bind_upsample2d(binder, node, &fields, sizeof(pair), &a.shape);
  a.align_corners = QRT_NODE_BOOL(node, upsample_bilinear2d, align_corners);
  a.range = (qrt_output_range){output.zero_point, -128, 127};
  step->run = run;
  step->arguments = qrt_bind_copy(binder, &a, sizeof a);
}
