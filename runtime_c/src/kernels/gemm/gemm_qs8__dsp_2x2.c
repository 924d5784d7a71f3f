/* gemm_qs8__dsp_2x2.c - 2 rows by 2 columns, four values deep: 8 smlad for 16 products. Values of rows are widened to
 * 16 bits once for a strip of columns, less the zero point; a last odd row goes alone, with 4 columns. Uses the file's
 * weights where they lie.
 *
 * The loops over columns are written in assembler, because they need all core registers. */
#include "../../dsp.h"
#include "../../requantize.h"
#include "gemm.h"

enum { STRIP = 32, CHUNK = 128 }; /* columns and depth: their sums and widened values take 768 bytes of stack */

size_t qrt_gemm_qs8__dsp_2x2_packed_size(size_t n, size_t runs, size_t run) {
  (void)n, (void)runs, (void)run;
  return sizeof(qrt_gemm_weights);
}

void qrt_gemm_qs8__dsp_2x2_pack(const qrt_gemm_weights *weights, void *packed) {
  *(qrt_gemm_weights *)packed = *weights;
}

/* What the loops over columns take; they know the offsets. */
typedef struct strip {
  const uint32_t *x, *x_end; /* 0, 4: for each four values of a row, those of bytes 0 and 2, and of 1 and 3 */
  const int8_t *w[4];        /* 8: of the first two, or four, columns */
  size_t w_step;             /* 24: from behind the values to those of the next columns */
  uint32_t *sums, *sums_end; /* 28, 32: [STRIP], and behind them those of a second row */
} strip;

/* One column's four weights, lr and r12, with a row's x, y; and with another's. */
#define COLUMN(w, acc, x, y) \
  "ldr r12, [" w "], #4\n"   \
  "sxtb16 lr, r12\n"         \
  "sxtb16 r12, r12, ror #8\n" ROW(acc, x, y)
#define ROW(acc, x, y)                  \
  "smlad " acc ", " x ", lr, " acc "\n" \
  "smlad " acc ", " y ", r12, " acc "\n"

/* Goes on behind sums that end at lr, of strip r12, unless they were the last. */
#define NEXT             \
  "str lr, [r12, #28]\n" \
  "ldr r0, [r12, #32]\n" \
  "cmp lr, r0\n"         \
  "bne 1b\n"             \
  "pop {r0, r4-r11, pc}"

/* clang-format off */

/* Two rows: r4 r5 and r6 r7 are their values, r8 r9 and r10 r11 their sums, r1 r2 columns. */
__attribute__((naked)) static void add_2x2(strip *s __attribute__((unused))) {
  __asm__(
      "push {r0, r4-r11, lr}\n"
      "ldrd r1, r2, [r0, #8]\n"
      "ldr r3, [r0, #4]\n"
      "1: ldr r12, [sp]\n"
      "ldr r0, [r12]\n"
      "ldr r12, [r12, #28]\n"
      "ldrd r8, r9, [r12]\n"
      "ldrd r10, r11, [r12, #128]\n"
      "2: ldmia r0!, {r4-r7}\n"
      COLUMN("r1", "r8", "r4", "r5")
      ROW("r10", "r6", "r7")
      COLUMN("r2", "r9", "r4", "r5")
      ROW("r11", "r6", "r7")
      "cmp r0, r3\n"
      "bne 2b\n"
      "ldr r12, [sp]\n"
      "ldr lr, [r12, #24]\n"
      "add r1, lr\n"
      "add r2, lr\n"
      "ldr lr, [r12, #28]\n"
      "strd r10, r11, [lr, #128]\n"
      "strd r8, r9, [lr], #8\n"
      NEXT);
}

/* One row: r5 r6 are its values, r8 to r11 its sums, r1 to r4 columns. */
__attribute__((naked)) static void add_1x4(strip *s __attribute__((unused))) {
  __asm__(
      "push {r0, r4-r11, lr}\n"
      "ldr r7, [r0, #4]\n"
      "ldrd r1, r2, [r0, #8]\n"
      "ldrd r3, r4, [r0, #16]\n"
      "1: ldr r12, [sp]\n"
      "ldr r0, [r12]\n"
      "ldr r12, [r12, #28]\n"
      "ldmia r12, {r8-r11}\n"
      "2: ldmia r0!, {r5, r6}\n"
      COLUMN("r1", "r8", "r5", "r6")
      COLUMN("r2", "r9", "r5", "r6")
      COLUMN("r3", "r10", "r5", "r6")
      COLUMN("r4", "r11", "r5", "r6")
      "cmp r0, r7\n"
      "bne 2b\n"
      "ldr r12, [sp]\n"
      "ldr lr, [r12, #24]\n"
      "add r1, lr\n"
      "add r2, lr\n"
      "add r3, lr\n"
      "add r4, lr\n"
      "ldr lr, [r12, #28]\n"
      "stmia lr!, {r8-r11}\n"
      NEXT);
}

/* clang-format on */

static inline void widen_four(const int8_t *a, uint32_t offset, uint32_t *x) {
  const uint32_t bytes = qrt_load_dsp(a);
  x[0] = qrt_even_dsp(offset, bytes);
  x[1] = qrt_odd_dsp(offset, bytes);
}

/* Rows' values, n of them, a multiple of four, as a strip has them. */
static void widen(const int8_t *const *rows, size_t row_count, size_t n, uint32_t offset, uint32_t *x) {
  const int8_t *a = rows[0], *end = a + n;
  if (row_count == 2) {
    for (const int8_t *b = rows[1]; a < end; a += 4, b += 4, x += 4) {
      widen_four(a, offset, x);
      widen_four(b, offset, x + 2);
    }
  } else {
    for (; a < end; a += 4, x += 2) widen_four(a, offset, x);
  }
}

/* Adds the products of up to CHUNK values of each row with those of `count` columns. Columns that fill up the last
 * group repeat the last one. */
static void add_chunk(const int8_t *const *rows, size_t row_count, size_t n, const int8_t *w, size_t depth,
                      size_t count, uint32_t offset, uint32_t (*sums)[STRIP]) {
  const size_t group = row_count == 2 ? 2 : 4, whole = count / group * group, fours = n / 4 * 4;
  uint32_t x[CHUNK];
  widen(rows, row_count, fours, offset, x);
  for (size_t first = 0; first < count && fours > 0;) {
    strip s = {.x = x, .x_end = x + fours / 2 * row_count, .w_step = group * depth - fours};
    for (size_t i = 0; i < group; i++) s.w[i] = w + (first + i < count ? first + i : count - 1) * depth;
    s.sums = sums[0] + first;
    first += first < whole ? whole : group;
    s.sums_end = sums[0] + first;
    if (row_count == 2) {
      add_2x2(&s);
    } else {
      add_1x4(&s);
    }
  }
  for (size_t p = fours; p < n; p++) {
    for (size_t r = 0; r < row_count; r++) {
      const int32_t value = rows[r][p] + (int16_t)offset;
      for (size_t i = 0; i < count; i++) sums[r][i] += (uint32_t)(value * w[i * depth + p]);
    }
  }
}

/* The range is a copy, which bytes that are stored cannot change. */
static void store(size_t n, const uint32_t *sums, const float *multiplier, qrt_output_range range, int8_t *c) {
  for (size_t i = 0; i < n; i++) c[i] = qrt_requantize(sums[i], multiplier[i], &range);
}

static void run_rows(const int8_t *const *rows, size_t row_count, const qrt_gemm_rows *a,
                     const qrt_gemm_weights *weights, size_t j, size_t count, const qrt_output_range *output, int8_t *c,
                     size_t c_stride) {
  const size_t depth = a->runs * a->run;
  const uint32_t offset = qrt_twice_dsp(-weights->a_zero_point);
  const int8_t *w = weights->w + j * depth;
  uint32_t sums[2][STRIP];
  for (size_t r = 0; r < row_count; r++) memcpy(sums[r], weights->bias + j, count * sizeof sums[r][0]);
  for (size_t q = 0; q < a->runs; q++, w += a->run) {
    for (size_t p = 0; p < a->run; p += CHUNK) {
      const int8_t *values[2];
      for (size_t r = 0; r < row_count; r++) values[r] = rows[r] + q * a->run_stride + p;
      add_chunk(values, row_count, a->run - p < CHUNK ? a->run - p : CHUNK, w + p, depth, count, offset, sums);
    }
  }
  for (size_t r = 0; r < row_count; r++, c += c_stride) {
    if (output) {
      store(count, sums[r], weights->multiplier + j, *output, c + j);
    } else {
      memcpy((int32_t *)(void *)c + j, sums[r], count * sizeof sums[r][0]);
    }
  }
}

void qrt_gemm_qs8__dsp_2x2(size_t m, size_t n, const qrt_gemm_rows *a, const void *packed,
                           const qrt_output_range *output, int8_t *c, size_t c_stride) {
  qrt_gemm_walk walk = qrt_gemm_first(a);
  for (size_t row_count; m > 0; m -= row_count, c += row_count * c_stride) {
    const int8_t *rows[2];
    row_count = m > 1 ? 2 : 1;
    for (size_t r = 0; r < row_count; r++) rows[r] = qrt_gemm_next(a, &walk);
    for (size_t j = 0; j < n; j += STRIP) {
      run_rows(rows, row_count, a, packed, j, n - j < STRIP ? n - j : STRIP, output, c, c_stride);
    }
  }
}
