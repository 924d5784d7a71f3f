/* gemm_qs8__mve_3x2.c - 3 rows by 2 columns: vmladava sums 16 products into a core register of even number, of which
 * six are free. Rows that are left go one by one, with 4 columns. Uses the file's weights where they lie; the packed
 * form adds the biases bias[j] - a_zero_point * sum w[j], so that rows of a go in as they are.
 *
 * The loops over columns are written in assembler: they need all core registers, and compilers do not predicate the
 * tails of loops. Sums are kept for a strip of columns, then become bytes four at a time. */
#include "../../requantize_mve.h"
#include "gemm.h"

#define QRT_INLINE static inline __attribute__((always_inline))

enum { STRIP = 32 }; /* columns: the sums of three rows take 384 bytes of stack */

typedef struct packed_weights {
  qrt_gemm_weights weights;
  int32_t bias[]; /* a multiple of four */
} packed_weights;

size_t qrt_gemm_qs8__mve_3x2_packed_size(size_t n, size_t runs, size_t run) {
  (void)runs, (void)run;
  return sizeof(packed_weights) + (n + 3) / 4 * 4 * sizeof(int32_t);
}

static uint32_t sum_bytes(const int8_t *w, size_t n) {
  uint32_t sum = 0;
  __asm__ volatile("dlstp.8 lr, %[n]\n"
                   "1: vldrb.8 q0, [%[w]], #16\n"
                   "vaddva.s8 %[sum], q0\n"
                   "letp lr, 1b"
                   : [sum] "+Te"(sum), [w] "+r"(w)
                   : [n] "r"(n)
                   : "lr", "q0", "memory");
  return sum;
}

void qrt_gemm_qs8__mve_3x2_pack(const qrt_gemm_weights *weights, void *packed) {
  packed_weights *p = packed;
  const size_t depth = weights->runs * weights->run;
  const uint32_t zero_point = (uint32_t)weights->a_zero_point;
  p->weights = *weights;
  for (size_t j = 0; j < weights->n; j++) {
    const uint32_t sum = zero_point ? sum_bytes(weights->w + j * depth, depth) : 0;
    p->bias[j] = (int32_t)((uint32_t)weights->bias[j] - zero_point * sum);
  }
}

/* ---- sums of a run ---- */

/* What the loops over columns take; they know the offsets. */
typedef struct strip {
  const int8_t *a[3];  /* 0: a run of one or three rows */
  size_t run;          /* 12: its bytes, > 0 */
  const int8_t *w[4];  /* 16: of the first two, or four, columns */
  size_t w_step;       /* 32: from behind a run, rounded up to 16 bytes, to that of the next columns */
  const int32_t *bias; /* 36 */
  int32_t *sums;       /* 40: [columns / 2][3][2], or [columns] */
  int32_t *sums_end;   /* 44: > sums */
} strip;

/* Three rows: r0 r2, r4 r6, r8 r10 are sums, r1 r3 r5 rows, r7 r9 columns, r11 sums, r12 biases. START loads the sums.
 */
#define SUM_3X2(START)                      \
  "push {r4-r11, lr}\n"                     \
  "sub sp, #52\n"                           \
  "vldmia r0!, {d0-d5}\n"                   \
  "vstmia sp, {d0-d5}\n"                    \
  "ldrd r7, r9, [sp, #16]\n"                \
  "ldrd r12, r11, [sp, #36]\n"              \
  "1:\n" START "ldrd r1, r3, [sp]\n"        \
  "ldrd r5, lr, [sp, #8]\n"                 \
  "dlstp.8 lr, lr\n"                        \
  "2: vldrb.8 q0, [r1], #16\n"              \
  "vldrb.8 q1, [r7], #16\n"                 \
  "vmladava.s8 r0, q0, q1\n"                \
  "vldrb.8 q2, [r3], #16\n"                 \
  "vmladava.s8 r4, q2, q1\n"                \
  "vldrb.8 q3, [r5], #16\n"                 \
  "vmladava.s8 r8, q3, q1\n"                \
  "vldrb.8 q1, [r9], #16\n"                 \
  "vmladava.s8 r2, q0, q1\n"                \
  "vmladava.s8 r6, q2, q1\n"                \
  "vmladava.s8 r10, q3, q1\n"               \
  "letp lr, 2b\n"                           \
  "stmia r11!, {r0, r2, r4, r6, r8, r10}\n" \
  "ldr lr, [sp, #32]\n"                     \
  "add r7, lr\n"                            \
  "add r9, lr\n"                            \
  "ldr lr, [sp, #44]\n"                     \
  "cmp r11, lr\n"                           \
  "bne 1b\n"                                \
  "add sp, #52\n"                           \
  "pop {r4-r11, pc}"

__attribute__((naked)) static void sum_3x2(const strip *s __attribute__((unused))) {
  __asm__(SUM_3X2("ldrd r0, r2, [r12], #8\n"
                  "mov r4, r0\n"
                  "mov r6, r2\n"
                  "mov r8, r0\n"
                  "mov r10, r2\n"));
}

/* The same, to sums that are there. */
__attribute__((naked)) static void add_3x2(const strip *s __attribute__((unused))) {
  __asm__(SUM_3X2("ldmia r11, {r0, r2, r4, r6, r8, r10}\n"));
}

/* One row: r0 r2 r4 r6 are sums, r1 the row, r3 r5 r7 r9 columns, r8 the run, r10 the step, r11 sums, r12 biases. */
#define SUM_1X4(START)             \
  "push {r4-r11, lr}\n"            \
  "ldr r1, [r0]\n"                 \
  "ldr r8, [r0, #12]\n"            \
  "ldrd r3, r5, [r0, #16]\n"       \
  "ldrd r7, r9, [r0, #24]\n"       \
  "ldrd r10, r12, [r0, #32]\n"     \
  "ldrd r11, lr, [r0, #40]\n"      \
  "push {r1, lr}\n"                \
  "1:\n" START "ldr r1, [sp]\n"    \
  "dlstp.8 lr, r8\n"               \
  "2: vldrb.8 q0, [r1], #16\n"     \
  "vldrb.8 q1, [r3], #16\n"        \
  "vmladava.s8 r0, q0, q1\n"       \
  "vldrb.8 q2, [r5], #16\n"        \
  "vmladava.s8 r2, q0, q2\n"       \
  "vldrb.8 q1, [r7], #16\n"        \
  "vmladava.s8 r4, q0, q1\n"       \
  "vldrb.8 q2, [r9], #16\n"        \
  "vmladava.s8 r6, q0, q2\n"       \
  "letp lr, 2b\n"                  \
  "stmia r11!, {r0, r2, r4, r6}\n" \
  "add r3, r10\n"                  \
  "add r5, r10\n"                  \
  "add r7, r10\n"                  \
  "add r9, r10\n"                  \
  "ldr lr, [sp, #4]\n"             \
  "cmp r11, lr\n"                  \
  "bne 1b\n"                       \
  "add sp, #8\n"                   \
  "pop {r4-r11, pc}"

__attribute__((naked)) static void sum_1x4(const strip *s __attribute__((unused))) {
  __asm__(SUM_1X4("ldmia r12!, {r0, r2, r4, r6}\n"));
}

__attribute__((naked)) static void add_1x4(const strip *s __attribute__((unused))) {
  __asm__(SUM_1X4("ldmia r11, {r0, r2, r4, r6}\n"));
}

/* ---- strips ---- */

/* What sums `count` columns from j on, group by group, and then the rest of less than a group: 1 or 2 strips. Columns
 * that fill up the last group repeat the last one. */
static size_t make_strips(const packed_weights *packed, const qrt_gemm_rows *a, size_t j, size_t count,
                          size_t row_count, int32_t *sums, strip strips[2]) {
  const size_t group = row_count == 3 ? 2 : 4, whole = count / group * group, depth = a->runs * a->run;
  const int8_t *w = packed->weights.w + j * depth;
  size_t made = 0;
  for (size_t first = 0; first < count; made++) {
    strip *s = &strips[made];
    s->run = a->run;
    for (size_t i = 0; i < group; i++) s->w[i] = w + (first + i < count ? first + i : count - 1) * depth;
    s->w_step = group * depth - (a->run + 15) / 16 * 16;
    s->bias = packed->bias + j + first;
    s->sums = sums + row_count * first;
    first += first < whole ? whole : group;
    s->sums_end = sums + row_count * first;
  }
  return made;
}

static inline void sum_strip(strip *s, const qrt_gemm_rows *a, const int8_t *const *rows, const size_t row_count) {
#pragma GCC unroll 3
  for (size_t i = 0; i < row_count; i++) s->a[i] = rows[i];
  row_count == 3 ? sum_3x2(s) : sum_1x4(s);
  if (a->runs == 1) return;
  const size_t group = row_count == 3 ? 2 : 4;
  for (size_t q = 1; q < a->runs; q++) {
    for (size_t i = 0; i < row_count; i++) s->a[i] += a->run_stride;
    for (size_t i = 0; i < group; i++) s->w[i] += a->run;
    row_count == 3 ? add_3x2(s) : add_1x4(s);
  }
  for (size_t i = 0; i < group; i++) s->w[i] -= (a->runs - 1) * a->run;
}

/* Where the sums of a row's next four columns are: in a line, or in two pairs. */
static inline uint32x4_t places(size_t row_count) {
  return row_count == 3 ? (uint32x4_t){0, 4, 24, 28} : (uint32x4_t){0, 4, 8, 12};
}

QRT_INLINE void store_bytes(const int32_t *sums, const float *multiplier, const qrt_range_mve *range, size_t count,
                            int8_t *c, size_t c_stride, const size_t row_count) {
  const uint32x4_t at = places(row_count);
  for (; count >= 4; count -= 4, multiplier += 4, c += 4, sums += 2 * row_count) {
    const float32x4_t m = vld1q_f32(multiplier);
    int8_t *to = c;
#pragma GCC unroll 3
    for (size_t r = 0; r < row_count; r++, sums += 2, to += c_stride) {
      vstrbq_s32(to, qrt_requantize_mve(vldrwq_gather_offset_s32(sums, at), m, range));
    }
  }
  if (count > 0) {
    const mve_pred16_t some = vctp32q(count);
    const float32x4_t m = vld1q_z_f32(multiplier, some);
    for (size_t r = 0; r < row_count; r++, sums += 2, c += c_stride) {
      vstrbq_p_s32(c, qrt_requantize_mve(vldrwq_gather_offset_z_s32(sums, at, some), m, range), some);
    }
  }
}

static void store_sums(const int32_t *sums, size_t count, int8_t *c, size_t c_stride, size_t row_count) {
  const uint32x4_t at = places(row_count);
  for (size_t r = 0; r < row_count; r++, c += c_stride) {
    for (size_t i = 0; i < count; i += 4) {
      const mve_pred16_t some = vctp32q(count - i);
      const int32x4_t x = vldrwq_gather_offset_z_s32(sums + 2 * r + i * row_count, at, some);
      vstrwq_p_s32((int32_t *)(void *)c + i, x, some);
    }
  }
}

/* All rows from the walk's next on, `row_count` at a time, of a strip of columns. Returns where c goes on. */
QRT_INLINE int8_t *run_rows(size_t m, const packed_weights *packed, const qrt_gemm_rows *a, qrt_gemm_walk *walk,
                            size_t j, size_t count, const qrt_output_range *output, int8_t *c, size_t c_stride,
                            const size_t row_count) {
  const qrt_output_range none = {0, 0, 0};
  const qrt_range_mve range = qrt_range_make_mve(output ? output : &none);
  int32_t sums[3 * STRIP];
  strip strips[2];
  const size_t made = make_strips(packed, a, j, count, row_count, sums, strips);
  for (; m >= row_count; m -= row_count, c += row_count * c_stride) {
    const int8_t *rows[3];
#pragma GCC unroll 3
    for (size_t r = 0; r < row_count; r++) rows[r] = qrt_gemm_next(a, walk);
    for (size_t i = 0; i < made; i++) sum_strip(&strips[i], a, rows, row_count);
    if (output) {
      store_bytes(sums, packed->weights.multiplier + j, &range, count, c, c_stride, row_count);
    } else {
      store_sums(sums, count, c, c_stride, row_count);
    }
  }
  return c;
}

void qrt_gemm_qs8__mve_3x2(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed,
                           const qrt_output_range *output, int8_t *c, size_t c_stride) {
  const size_t element = output ? 1 : sizeof(int32_t);
  for (size_t j = 0; j < n; j += STRIP) {
    const size_t count = n - j < STRIP ? n - j : STRIP;
    qrt_gemm_walk walk = qrt_gemm_first(a);
    int8_t *to = c + j * element;
    if (m >= 3) to = run_rows(m, packed, a, &walk, j, count, output, to, c_stride, 3);
    if (m % 3 > 0) run_rows(m % 3, packed, a, &walk, j, count, output, to, c_stride, 1);
  }
}
