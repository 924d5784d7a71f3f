/* dwconv_relu_neondot.h - sliding windows whose outputs are at least the zero point, as ReLU makes them; bounded blocks
 * alone, see dwconv_neon.h. Two lines of the output at a time, of 8 channels. In assembly: columns and weights take up
 * the registers.
 *
 * Sums begin at the bits of 2^23. Then a sum of 0 or more is the float 2^23 + acc, and one multiplication and addition,
 * rounded once, make f32(acc * multiplier) of it: -2^23 * multiplier, where it begins, is exact. A sum below 0 becomes
 * some number below 0, and the output the zero point.
 *
 * Table lookups interleave rows, two to a register, to four bytes of each channel. Where windows move by one column,
 * the lines meet four rows, and the lower line's weights are the upper one's, moved by a byte; where by two, they meet
 * five rows. A group of outputs has its columns back in the registers where they began. The first group of a line may
 * be of fewer outputs; the last output may reach over the edge.
 *
 * Instructions per 16 outputs, 144 multiply-adds, by one column and by two: 12 sdot, 6 or 18 to load and interleave, 2
 * to load where sums and products begin, 15 to requantize and store, and 2 for every third loop or second. Where the
 * zero point is odd or the range ends below 127, 2 more.
 */
#ifndef QRT_DWCONV_RELU_NEONDOT_H
#define QRT_DWCONV_RELU_NEONDOT_H

/* What is the same for all blocks. The assembly knows where things lie. */
typedef struct relu {
  uint32_t order[8];     /* of bytes: 8 channels of four rows */
  int8x16_t constant[2]; /* of the epilogue */
  const lines *lines;
  int whole;           /* the zero point is even, and the range ends at 127 */
  size_t groups, rest; /* of outputs whose last column is in the input; how many are in the first group, 0: all */
  size_t edges;        /* bits: the first column of the input is padding, one more output reaches over the edge */
  size_t line;         /* bytes of output */
} relu;

/* Is this the way to go? Neighbours among the lines have to share rows as those of an image do. */
static int relu_make(relu *r, const lines *l, const qrt_output_range *output) {
  const qrt_dwconv_shape *shape = l->shape;
  const size_t fresh = shape->stride, group = fresh == 1 ? 3 : 2, pad = shape->pad_left;
  if (output->min != output->zero_point || l->count < 2 || shape->kh != SIDE || shape->in_w < SIDE || pad > 1) return 0;
  const size_t ahead = shape->in_w + pad - (SIDE - fresh), fit = ahead / fresh; /* columns behind the first ones */
  const size_t within = fit < shape->out_w ? fit : shape->out_w, over = shape->out_w - within;
  const int8x16_t zero_point = vdupq_n_s8((int8_t)output->zero_point);
  const float32x4_t rounder = vdupq_n_f32(QRT_ROUNDER + (float)output->zero_point);
  r->lines = l;
  r->whole = output->zero_point % 2 == 0 && output->max == 127;
  r->groups = (within + group - 1) / group;
  r->rest = within % group;
  r->edges = pad | over << 1;
  r->line = shape->out_w * shape->channels;
  for (size_t i = 0; i < 8; i++) r->order[i] = 0x18100800 + (uint32_t)i * 0x01010101;
  r->constant[0] = r->whole ? vreinterpretq_s8_f32(rounder) : zero_point;
  r->constant[1] = r->whole ? zero_point : vdupq_n_s8((int8_t)output->max);
  int shared = over < 2 && (!over || ahead - within * fresh == fresh - 1);
  for (size_t i = 1; i < l->count; i++) {
    const int8_t *const *above = l->rows + (i - 1) * SIDE;
    shared &= above[2] == above[SIDE + 2 - fresh] && (fresh == 2 || above[1] == above[SIDE]);
  }
  return shared;
}

/* Of a block's 8 channels. */
typedef struct relu_block {
  int8x16_t w[SIDE][2];
  float32x4_t multiplier[2];
  int32x4_t sum[4]; /* where they begin; of both lines */
  float32x4_t product[4];
} relu_block;

/* clang-format off */
#define I(...) #__VA_ARGS__ "\n\t"
#define FOUR(op, x0, x1, x2, x3, y0, y1, y2, y3, z0, z1, z2, z3) \
  I(op x0, y0, z0) I(op x1, y1, z1) I(op x2, y2, z2) I(op x3, y3, z3)
/* A row's pointer, NULL before, and its step. */
#define RELU_ROW(p, s) \
  I(cmp p, 0) I(add p, p, %[first]) I(csel p, p, %[padding], ne) I(csel s, %[step], xzr, ne)
#define RELU_ROWS \
  I(ldp %[p0], %[p1], [%[rows]]) I(ldr %[p2], [%[rows], 16]) RELU_ROW(%[p0], %[s0]) RELU_ROW(%[p1], %[s1]) \
  RELU_ROW(%[p2], %[s2]) I(add %[c1], %[c], %[line]) I(mov %[left], %[groups])
/* x is products; the lower and upper half of v0 become the outputs of two lines. */
#define RELU_WHOLE(x0, x1, x2, x3, rounder, zero_point) \
  FOUR(fadd, x0.4s, x1.4s, x2.4s, x3.4s, x0.4s, x1.4s, x2.4s, x3.4s, rounder.4s, rounder.4s, rounder.4s, rounder.4s) \
  I(uzp1 v0.8h, x0.8h, x1.8h) I(uzp1 v1.8h, x2.8h, x3.8h) \
  I(sqxtn v0.8b, v0.8h) I(sqxtn2 v0.16b, v1.8h) I(smax v0.16b, v0.16b, zero_point.16b)
#define RELU_ANY(x0, x1, x2, x3, zero_point, high) \
  I(fcvtnu x0.4s, x0.4s) I(fcvtnu x1.4s, x1.4s) I(fcvtnu x2.4s, x2.4s) I(fcvtnu x3.4s, x3.4s) \
  I(uzp1 v2.8h, x0.8h, x1.8h) I(uzp1 v3.8h, x2.8h, x3.8h) I(mov v0.16b, zero_point.16b) \
  I(uqxtn v1.8b, v2.8h) I(uqxtn2 v1.16b, v3.8h) I(suqadd v0.16b, v1.16b) I(smin v0.16b, v0.16b, high.16b)
#define RELU_SUMS(x0, x1, x2, x3, w0, w1, w2, w3) \
  FOUR(sdot, v0.4s, v1.4s, v2.4s, v3.4s, x0.16b, x1.16b, x2.16b, x3.16b, w0.16b, w1.16b, w2.16b, w3.16b)
#define RELU_PRODUCTS(x0, x1, x2, x3, m0, m1) \
  FOUR(fmla, x0.4s, x1.4s, x2.4s, x3.4s, v0.4s, v1.4s, v2.4s, v3.4s, m0.4s, m1.4s, m0.4s, m1.4s)
#define RELU_STORE I(st1 {v0.8b}, [%[c]], %[step]) I(st1 {v0.d}[1], [%[c1]], %[step])
#define RELU_NEXT I(add %[rows], %[rows], 48) I(mov %[c], %[c1]) I(subs %[count], %[count], 1) "b.ne 1b"

/* ---- by one column ---- */

/* v0..v3: sums, the upper line's first. v4..v7: products, and before that rows. v8..v13: columns. v14, v15: constants.
 * v16..v27: weights. v28, v29: multipliers. v30, v31: the order of bytes. */
#define ONE_COLUMN(low, high) \
  I(ld1 {v4.8b}, [%[p0]], %[s0]) I(ld1 {v5.8b}, [%[p2]], %[s2]) \
  I(ld1 {v4.d}[1], [%[p1]], %[s1]) I(ld1 {v5.d}[1], [%[p3]], %[s3]) \
  I(tbl low.16b, {v4.16b, v5.16b}, v30.16b) I(tbl high.16b, {v4.16b, v5.16b}, v31.16b)
#define ONE_PADDING(low, high) I(ldp q12, q13, [%[padding]])
#define ONE_OUTPUT(column, finish, x0, x1, y0, y1, z0, z1) \
  column(z0, z1) \
  I(ld1 {v0.4s-v3.4s}, [%[block]]) \
  RELU_SUMS(x0, x1, x0, x1, v16, v17, v22, v23) \
  RELU_SUMS(y0, y1, y0, y1, v18, v19, v24, v25) \
  I(ld1 {v4.4s-v7.4s}, [%[product]]) \
  RELU_SUMS(z0, z1, z0, z1, v20, v21, v26, v27) \
  RELU_PRODUCTS(v4, v5, v6, v7, v28, v29) \
  finish(v4, v5, v6, v7, v14, v15) \
  RELU_STORE
/* The first column, perhaps padding, and the second. */
#define ONE_BEGIN(q0, q1, x0, x1, y0, y1) \
  I(ldp q0, q1, [%[padding]]) I(tbnz %[edges], 0, 7f) ONE_COLUMN(x0, x1) "7:\t" ONE_COLUMN(y0, y1)
#define BY_ONE(finish) \
  I(ld1 {v16.16b-v19.16b}, [%[block]], 64) I(ldp q20, q21, [%[block]]) I(ldp q28, q29, [%[block], 32]) \
  I(add %[block], %[block], 64) I(ldp q30, q31, [%[relu]]) I(ldp q14, q15, [%[relu], 32]) \
  I(shl v22.4s, v16.4s, 8) I(shl v23.4s, v17.4s, 8) I(shl v24.4s, v18.4s, 8) \
  I(shl v25.4s, v19.4s, 8) I(shl v26.4s, v20.4s, 8) I(shl v27.4s, v21.4s, 8) \
  "1:\t" RELU_ROWS I(ldr %[p3], [%[rows], 40]) RELU_ROW(%[p3], %[s3]) \
  I(cmp %[rest], 1) I(b.eq 3f) I(b.hi 2f) \
  ONE_BEGIN(q8, q9, v8, v9, v10, v11) I(b 4f) \
  "2:\t" ONE_BEGIN(q10, q11, v10, v11, v12, v13) I(b 5f) \
  "3:\t" ONE_BEGIN(q12, q13, v12, v13, v8, v9) I(b 6f) \
  "4:\t" ONE_OUTPUT(ONE_COLUMN, finish, v8, v9, v10, v11, v12, v13) \
  "5:\t" ONE_OUTPUT(ONE_COLUMN, finish, v10, v11, v12, v13, v8, v9) \
  "6:\t" ONE_OUTPUT(ONE_COLUMN, finish, v12, v13, v8, v9, v10, v11) \
  I(subs %[left], %[left], 1) I(b.ne 4b) I(tbz %[edges], 1, 8f) \
  ONE_OUTPUT(ONE_PADDING, finish, v8, v9, v10, v11, v12, v13) \
  "8:\t" RELU_NEXT

/* ---- by two ---- */

/* v0..v3: sums, the upper line's first, and before that rows. v4..v15: columns, the upper line's half first. v16..v21:
 * weights. v22, v23: multipliers. v24, v25: the order of bytes. v26, v27: constants. v28..v31: products. */
#define TWO_COLUMN(x0, x1, x2, x3) \
  I(ld1 {v0.8b}, [%[p0]], %[s0]) I(ld1 {v1.8b}, [%[p2]], %[s2]) I(ld1 {v2.8b}, [%[p4]], %[s4]) \
  I(ld1 {v0.d}[1], [%[p1]], %[s1]) I(ld1 {v1.d}[1], [%[p3]], %[s3]) \
  I(tbl x0.16b, {v0.16b, v1.16b}, v24.16b) I(tbl x1.16b, {v0.16b, v1.16b}, v25.16b) \
  I(tbl x2.16b, {v1.16b, v2.16b}, v24.16b) I(tbl x3.16b, {v1.16b, v2.16b}, v25.16b)
#define TWO_PADDING(x0, x1, x2, x3) I(ld1 {x0.16b-x3.16b}, [%[padding]])
#define TWO_OUTPUT(column, finish, x0, x1, x2, x3, z0, z1, z2, z3) \
  TWO_COLUMN(v8, v9, v10, v11) \
  column(z0, z1, z2, z3) \
  I(ld1 {v0.4s-v3.4s}, [%[block]]) \
  RELU_SUMS(x0, x1, x2, x3, v16, v17, v16, v17) \
  RELU_SUMS(v8, v9, v10, v11, v18, v19, v18, v19) \
  I(ld1 {v28.4s-v31.4s}, [%[product]]) \
  RELU_SUMS(z0, z1, z2, z3, v20, v21, v20, v21) \
  RELU_PRODUCTS(v28, v29, v30, v31, v22, v23) \
  finish(v28, v29, v30, v31, v26, v27) \
  RELU_STORE
#define TWO_BEGIN(x0, x1, x2, x3, label) \
  TWO_PADDING(x0, x1, x2, x3) I(tbnz %[edges], 0, label) TWO_COLUMN(x0, x1, x2, x3)
#define BY_TWO(finish) \
  I(ld1 {v16.16b-v19.16b}, [%[block]], 64) I(ld1 {v20.16b-v23.16b}, [%[block]], 64) \
  I(ld1 {v24.16b-v27.16b}, [%[relu]]) \
  "1:\t" RELU_ROWS I(ldp %[p3], %[p4], [%[rows], 32]) RELU_ROW(%[p3], %[s3]) RELU_ROW(%[p4], %[s4]) \
  I(cbnz %[rest], 2f) \
  TWO_BEGIN(v4, v5, v6, v7, 3f) I(b 3f) \
  "2:\t" TWO_BEGIN(v12, v13, v14, v15, 4f) I(b 4f) \
  "3:\t" TWO_OUTPUT(TWO_COLUMN, finish, v4, v5, v6, v7, v12, v13, v14, v15) \
  "4:\t" TWO_OUTPUT(TWO_COLUMN, finish, v12, v13, v14, v15, v4, v5, v6, v7) \
  I(subs %[left], %[left], 1) I(b.ne 3b) I(tbz %[edges], 1, 5f) \
  TWO_OUTPUT(TWO_PADDING, finish, v4, v5, v6, v7, v12, v13, v14, v15) \
  "5:\t" RELU_NEXT

#define RELU_ASSEMBLY(text) \
  __asm__ volatile( \
      text \
      : [block] "+r"(from), [rows] "+r"(rows), [c] "+r"(c), [count] "+r"(count), [c1] "=&r"(c1), [left] "=&r"(left), \
        [p0] "=&r"(p[0]), [p1] "=&r"(p[1]), [p2] "=&r"(p[2]), [p3] "=&r"(p[3]), [p4] "=&r"(p[4]), \
        [s0] "=&r"(s[0]), [s1] "=&r"(s[1]), [s2] "=&r"(s[2]), [s3] "=&r"(s[3]), [s4] "=&r"(s[4]) \
      : [product] "r"(block.product), [relu] "r"(r), [first] "r"(first), [step] "r"(l->shape->channels), \
        [line] "r"(r->line), [groups] "r"(r->groups), [rest] "r"(r->rest), [edges] "r"(r->edges), \
        [padding] "r"(l->padding) \
      : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", \
        "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "cc", \
        "memory")
/* clang-format on */

/* 8 channels of a block, its own from `at` on; the last line is perhaps computed a second time. */
static __attribute__((noinline)) void slide_relu(const relu *r, size_t first, const qrt_packed_block *b, size_t at) {
  const lines *l = r->lines;
  relu_block block;
#pragma GCC unroll 3
  for (size_t t = 0; t < SIDE; t++) {
    const int8_t *w = b->w + (t * b->width + at) * 4;
    block.w[t][0] = vld1q_s8(w);
    block.w[t][1] = vld1q_s8(w + 16);
  }
#pragma GCC unroll 2
  for (size_t i = 0; i < 2; i++) {
    block.multiplier[i] = vld1q_f32(b->multiplier + at + 4 * i);
    block.sum[i] = block.sum[2 + i] = vaddq_s32(vld1q_s32(b->bias + at + 4 * i), vdupq_n_s32(0x4b000000));
    block.product[i] = block.product[2 + i] = vmulq_n_f32(block.multiplier[i], -0x1p23f);
  }
  for (size_t y = 0, pairs = l->count / 2; pairs > 0;) {
    const int8_t *const *rows = l->rows + y * SIDE, *p[5];
    int8_t *c = l->c + first + y * r->line, *c1;
    const void *from = &block;
    size_t s[5], left, count = pairs;
    if (l->shape->stride == 2 && r->whole) {
      RELU_ASSEMBLY(BY_TWO(RELU_WHOLE));
    } else if (l->shape->stride == 2) {
      RELU_ASSEMBLY(BY_TWO(RELU_ANY));
    } else if (r->whole) {
      RELU_ASSEMBLY(BY_ONE(RELU_WHOLE));
    } else {
      RELU_ASSEMBLY(BY_ONE(RELU_ANY));
    }
    y += 2 * pairs;
    pairs = y < l->count;
    y -= pairs;
  }
}

#endif
