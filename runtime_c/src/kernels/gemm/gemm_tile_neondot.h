/* gemm_tile_neondot.h - tiles of 1 to 5 rows by 16 columns as one piece of assembly, which gcc could not do without
 * copies between registers: ld1 fills four neighbours at once, for weights, biases and multipliers.
 *
 * Row i has its sums in v(4 i) to v(4 i + 3), and 32 bytes of depth in two of v24 to v31. Weights are in v20 to v23,
 * all columns of a group of four bytes.
 */
#ifndef QRT_GEMM_TILE_NEONDOT_H
#define QRT_GEMM_TILE_NEONDOT_H

#include <stddef.h>

#include "gemm_neon.h"

/* Bits of how a tile is made. SIXTEEN: a run begins with 16 bytes and goes on with 32 at a time; LEFT:
 * less than 16 are left at its end, behind 32. Of results: FUSED: where those below the zero point do not matter, and
 * sums are below 2^23, the bits of 2^23 + sum, taken as a float, times the multiplier m, less 2^23 * m, is the product,
 * rounded once. (Of a negative sum it is half the product.) ODD: 1 is left to add, before results narrow if the range
 * is all of int8; RAISED: there is a bound below, and what is added afterwards saturates beneath it; ADJUSTED: one or
 * both. RAW: sums are stored. */
enum { RAW = 1, FUSED = 2, ODD = 4, RAISED = 8, SIXTEEN = 16, LEFT = 32, ADJUSTED = 64 };

/* What FUSED reads in place of a panel's numbers. */
typedef struct qrt_gemm_fused {
  int32_t bias[16]; /* and the bits of 2^23 */
  float multiplier[16];
  float minus[16]; /* -2^23 * m */
} qrt_gemm_fused;

/* What all tiles have in common. */
typedef struct qrt_gemm_course {
  const qrt_range_neon *range;
  size_t width, stride, skip; /* rows of a line; from one to the next; more than that to the next line's first */
  size_t kind;                /* SIXTEEN, LEFT */
  size_t steps, rest, more;   /* of a run: 32 bytes at a time, what is left; runs behind the first */
  size_t gap, next;           /* from where a run ends to the next run, to the next row */
  size_t last;                /* what addresses move on by with a run's last 32 bytes: to its end, or to the next run */
  size_t c_stride;
} qrt_gemm_course;

/* What the assembly reads by two: where a line ends, and where a tile begins. */
typedef struct qrt_gemm_start {
  size_t width, skip;
  const int8_t *weights;
  size_t more;
} qrt_gemm_start;

/* clang-format off */

/* M(a row's sums, address, first and second 16 bytes, x) */
#define ROW_0(M, x)  M("0", "1", "2", "3", "%[a0]", "24", "25", x)
#define ROW_1(M, x)  M("4", "5", "6", "7", "%[a1]", "26", "27", x)
#define ROW_2(M, x)  M("8", "9", "10", "11", "%[a2]", "28", "29", x)
#define ROW_3(M, x)  M("12", "13", "14", "15", "%[a3]", "30", "31", x)
#define ROW_4(M, x)  M("16", "17", "18", "19", "%[a4]", "31", "", x)

#define EACH_1(M, x) M("0", "1", "2", "3", "%[a0]", "28", "29", x)
#define EACH_2(M, x) ROW_0(M, x) ROW_1(M, x)
#define EACH_3(M, x) EACH_2(M, x) ROW_2(M, x)
#define EACH_4(M, x) EACH_3(M, x) ROW_3(M, x)
#define EACH_5(M, x) EACH_4(M, x) ROW_4(M, x)
#define EACH(rows, M, x) EACH_##rows(M, x)

/* ---- depth ---- */

#define LOAD_32(s0, s1, s2, s3, a, x, y, _)   "ldp q" x ", q" y ", [" a "], #32\n"
#define LOAD_16(s0, s1, s2, s3, a, x, y, _)   "ldr q" x ", [" a "], #16\n"
#define LOAD_8(s0, s1, s2, s3, a, x, y, _)    "ldr d" x ", [" a "], #8\n"
#define LOAD_4(s0, s1, s2, s3, a, x, y, _)    "ldr s" x ", [" a "], #4\n"
#define LOAD_LAST(s0, s1, s2, s3, a, x, y, _) "ldr s" x ", [" a ", %[t]]\n"

#define DOT(s, w, x, lane) "sdot v" s ".4s, v" w ".16b, v" x ".4b[" lane "]\n"
#define DOTS_X(s0, s1, s2, s3, a, x, y, lane)                                                   \
  DOT(s0, "20", x, lane) DOT(s1, "21", x, lane) DOT(s2, "22", x, lane) DOT(s3, "23", x, lane)
#define DOTS_Y(s0, s1, s2, s3, a, x, y, lane) DOTS_X(s0, s1, s2, s3, a, y, x, lane)

#define GROUP(rows, DOTS, lane) "ld1 {v20.16b-v23.16b}, [%[w]], #64\n" EACH(rows, DOTS, lane)
#define GROUPS_2(rows, DOTS)    GROUP(rows, DOTS, "0") GROUP(rows, DOTS, "1")
#define GROUPS_4(rows, DOTS)    GROUPS_2(rows, DOTS) GROUP(rows, DOTS, "2") GROUP(rows, DOTS, "3")

#define DEPTH_32(rows) EACH(rows, LOAD_32, "") GROUPS_4(rows, DOTS_X) GROUPS_4(rows, DOTS_Y)
#define DEPTHS(rows)                                                                            \
  "mov %[t], %[steps]\n"                                                                        \
  "3:\n" DEPTH_32(rows)                                                                         \
  "subs %[t], %[t], #1\n"                                                                       \
  "b.ne 3b\n"

/* What is left of a run, less than 32: its last group covers its last four bytes. */
#define REST(rows)                                                                              \
  "tbz %[rest], #4, 41f\n" EACH(rows, LOAD_16, "") GROUPS_4(rows, DOTS_X)                       \
  "tst %[rest], #15\n"                                                                          \
  "b.eq 44f\n"                                                                                  \
  "41:\n"                                                                                       \
  "tbz %[rest], #3, 42f\n" EACH(rows, LOAD_8, "") GROUPS_2(rows, DOTS_X)                        \
  "42:\n"                                                                                       \
  "tbz %[rest], #2, 43f\n" EACH(rows, LOAD_4, "") GROUP(rows, DOTS_X, "0")                      \
  "43:\n"                                                                                       \
  "ands %[t], %[rest], #3\n"                                                                    \
  "b.eq 44f\n"                                                                                  \
  "sub %[t], %[t], #4\n" EACH(rows, LOAD_LAST, "") GROUP(rows, DOTS_X, "0")                     \
  "44:\n"

/* A run of up to four rows. */
#define RUN(rows)                                                                               \
  "2:\n"                                                                                        \
  "cbz %[steps], 4f\n"                                                                          \
  DEPTHS(rows)                                                                                  \
  "4:\n"                                                                                        \
  "cbz %[rest], 44f\n" REST(rows) NEXT_RUN(rows)
#define RUN_1 RUN(1)
#define RUN_2 RUN(2)
#define RUN_3 RUN(3)
#define RUN_4 RUN(4)

#define SKIP(s0, s1, s2, s3, a, x, y, _) "add " a ", " a ", %[gap]\n"
#define NEXT_RUN(rows)                                                                          \
  "cbz %[q], 5f\n"                                                                              \
  "sub %[q], %[q], #1\n" EACH(rows, SKIP, "")                                                   \
  "b 2b\n"

/* Of five rows the last two take 32 bytes too, but in the middle, where each of the others has only 16 left; so they
 * begin and end with 16. With the last of a run, where nothing is left, addresses go on to the next run. */
#define THREE(M, x) ROW_0(M, x) ROW_1(M, x) ROW_2(M, x)
#define MIDDLE(M, x)                                                                            \
  THREE(M, x) M("12", "13", "14", "15", "%[a3]", "30", "24", x) M("16", "17", "18", "19", "%[a4]", "31", "26", x)
#define BEFORE(M, x)                                                                            \
  M("0", "1", "2", "3", "%[a0]", "24", "", x) M("4", "5", "6", "7", "%[a1]", "26", "", x)       \
  M("8", "9", "10", "11", "%[a2]", "28", "", x)                                                 \
  M("12", "13", "14", "15", "%[a3]", "25", "30", x) M("16", "17", "18", "19", "%[a4]", "27", "31", x)
#define GROUP_OF(ROWS, DOTS, lane) "ld1 {v20.16b-v23.16b}, [%[w]], #64\n" ROWS(DOTS, lane)
#define GROUPS_OF(ROWS, DOTS)                                                                   \
  GROUP_OF(ROWS, DOTS, "0") GROUP_OF(ROWS, DOTS, "1") GROUP_OF(ROWS, DOTS, "2") GROUP_OF(ROWS, DOTS, "3")
#define LOAD_END(s0, s1, s2, s3, a, x, y, _) "ld1 {v" x ".16b, v" y ".16b}, [" a "], %[last]\n"

#define FIRST_16  "ldr q30, [%[a3]], #16\nldr q31, [%[a4]], #16\n"
#define BEFORE_32 THREE(LOAD_16, "") "ldp q25, q30, [%[a3]], #32\nldp q27, q31, [%[a4]], #32\n"
#define MIDDLE_32 "ldp q24, q30, [%[a3]], #32\nldp q26, q31, [%[a4]], #32\n"
#define LAST_16   "ld1 {v24.16b}, [%[a3]], %[last16]\nld1 {v26.16b}, [%[a4]], %[last16]\n"
#define RUN_5                                                                                   \
  "2:\n"                                                                                        \
  "tbnz %[kind], #4, 21f\n"                                                                     \
  "cbz %[steps], 4f\n" FIRST_16                                                                 \
  "subs %[t], %[steps], #1\n"                                                                   \
  "b.eq 31f\n"                                                                                  \
  "3:\n" THREE(LOAD_32, "") GROUPS_4(5, DOTS_X) MIDDLE_32 GROUPS_OF(MIDDLE, DOTS_Y)             \
  "subs %[t], %[t], #1\n"                                                                       \
  "b.ne 3b\n"                                                                                   \
  "31:\n" THREE(LOAD_END, "") GROUPS_4(5, DOTS_X) LAST_16 GROUPS_OF(MIDDLE, DOTS_Y)             \
  "tbnz %[kind], #5, 41f\n"                                                                     \
  "cbz %[q], 5f\n"                                                                              \
  "sub %[q], %[q], #1\n"                                                                        \
  "b 2b\n"                                                                                      \
  "21:\n" BEFORE_32 GROUPS_OF(BEFORE, DOTS_X)                                                   \
  "subs %[t], %[steps], #1\n"                                                                   \
  "b.eq 31b\n"                                                                                  \
  "b 3b\n"                                                                                      \
  "4:\n" REST(5) NEXT_RUN(5)

/* ---- results: first in the low halves of words, and those in two registers; then in one ---- */

#define PRODUCT(s, m)  "scvtf v" s ".4s, v" s ".4s\nfmul v" s ".4s, v" s ".4s, v" m ".4s\n"
#define FUSE(to, s, m) "fmla v" to ".4s, v" s ".4s, v" m ".4s\n"
#define ROUND(s)       "fadd v" s ".4s, v" s ".4s, v24.4s\n"
#define JOIN(to, x, y) "uzp1 v" to ".8h, v" x ".8h, v" y ".8h\n"
#define ADD_1(s)       "add v" s ".8h, v" s ".8h, v26.8h\n"

#define MULTIPLY_BY(m0, m1, m2, m3, s0, s1, s2, s3)                                             \
  PRODUCT(s0, m0) PRODUCT(s1, m1) PRODUCT(s2, m2) PRODUCT(s3, m3)                               \
  ROUND(s0) ROUND(s1) ROUND(s2) ROUND(s3) JOIN(s0, s0, s1) JOIN(s1, s2, s3)
#define MULTIPLY(s0, s1, s2, s3, a, x, y, _) MULTIPLY_BY("20", "21", "22", "23", s0, s1, s2, s3)
#define MULTIPLY_FUSED(s0, s1, s2, s3, a, x, y, _)                                              \
  "ld1 {v28.4s-v31.4s}, [%[minus]]\n"                                                           \
  FUSE("28", s0, "20") FUSE("29", s1, "21") FUSE("30", s2, "22") FUSE("31", s3, "23")           \
  ROUND("28") ROUND("29") ROUND("30") ROUND("31") JOIN(s0, "28", "29") JOIN(s1, "30", "31")
#define ADD(s0, s1, s2, s3, a, x, y, _)       ADD_1(s0) ADD_1(s1)
#define NARROW(s0, s1, s2, s3, a, x, y, _)    "sqxtn v" s0 ".8b, v" s0 ".8h\nsqxtn2 v" s0 ".16b, v" s1 ".8h\n"
#define ADD_BYTES(s0, s1, s2, s3, a, x, y, _) "sqadd v" s0 ".16b, v" s0 ".16b, v26.16b\n"
#define RAISE(s0, s1, s2, s3, a, x, y, _)     "smax v" s0 ".16b, v" s0 ".16b, v25.16b\n"
#define STORE(s0, s1, s2, s3, a, x, y, _)     "st1 {v" s0 ".16b}, [%[c]], %[c_stride]\n"

/* What is ODD or RAISED goes out of the way. */
#define FINISH(rows) "51:\n" EACH(rows, NARROW, "") "52:\n" EACH(rows, STORE, "")
#define FINISH_ADJUSTED(rows)                                                                   \
  "60:\n"                                                                                       \
  "tbnz %[kind], #3, 61f\n"                                                                     \
  "movi v26.8h, #1\n" EACH(rows, ADD, "")                                                       \
  "b 51b\n"                                                                                     \
  "61:\n" EACH(rows, NARROW, "")                                                                \
  "tbz %[kind], #2, 62f\n"                                                                      \
  "movi v26.16b, #1\n" EACH(rows, ADD_BYTES, "")                                                \
  "62:\n" EACH(rows, RAISE, "")                                                                 \
  "b 52b\n"

/* ---- tiles ---- */

#define LOAD_SUMS(s0, s1, s2, s3, a, x, y, _)  "ld1 {v" s0 ".4s-v" s3 ".4s}, [%[k]]\n"
#define STORE_SUMS(s0, s1, s2, s3, a, x, y, _) "st1 {v" s0 ".4s-v" s3 ".4s}, [%[c]], %[c_stride]\n"

/* The rows of the first tile; of the one below, the first from where the last one ended. */
#define FOLLOW(row, above) "add %[a" row "], %[a" above "], %[stride]\n"
#define FOLLOW_1
#define FOLLOW_2 FOLLOW("1", "0")
#define FOLLOW_3 FOLLOW_2 FOLLOW("2", "1")
#define FOLLOW_4 FOLLOW_3 FOLLOW("3", "2")
#define FOLLOW_5 FOLLOW_4 FOLLOW("4", "3")
#define BELOW(last)                                                                             \
  "add %[a0], %[a" last "], %[next]\n"
#define BELOW_1 BELOW("0") FOLLOW_1
#define BELOW_2 BELOW("1") FOLLOW_2
#define BELOW_3 BELOW("2") FOLLOW_3
#define BELOW_4 BELOW("3") FOLLOW_4
#define BELOW_5 BELOW("4") FOLLOW_5

/* Rows from number `room` on lie in the next line. */
#define CROSS(row)                                                                              \
  "cmp %[room], #" row "\n"                                                                     \
  "csel %[w], %[q], xzr, ls\n"                                                                  \
  "add %[a" row "], %[a" row "], %[w]\n"
#define CROSS_1 CROSS("0")
#define CROSS_2 CROSS_1 CROSS("1")
#define CROSS_3 CROSS_2 CROSS("2")
#define CROSS_4 CROSS_3 CROSS("3")
#define CROSS_5 CROSS_4 CROSS("4")

#define QRT_VECTORS                                                                             \
  "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",       \
  "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",    \
  "v27", "v28", "v29", "v30", "v31"

/* `tiles` tiles of a panel with these `numbers` and weights; the walk goes along. */
#define QRT_TILE(rows_)                                                                         \
  static void tile_##rows_(size_t tiles, const qrt_gemm_course *course, size_t kind_,           \
                           const void *numbers, const int8_t *weights, qrt_gemm_walk *walk, int8_t *c) { \
    const qrt_gemm_start start = {course->width, course->skip, weights, course->more};          \
    const size_t kind = kind_ | course->kind, last = course->last;                              \
    const int8_t *a0 = walk->row, *a1, *a2, *a3, *a4, *w;                                       \
    size_t room = course->width - walk->x, t, q;                                                \
    __asm__ volatile(                                                                           \
        FOLLOW_##rows_                                                                          \
        "0:\n"                                                                                  \
        "subs %[room], %[room], #" #rows_ "\n"                                                  \
        "b.lo 11f\n"                                                                            \
        "1:\n" EACH(rows_, LOAD_SUMS, "")                                                       \
        "ldp %[w], %[q], [%[start], #16]\n"                                                     \
        RUN_##rows_                                                                             \
        "5:\n"                                                                                  \
        "ld1 {v20.4s-v23.4s}, [%[m]]\n"                                                         \
        "ldp q24, q25, [%[range]]\n"                                                            \
        "tbz %[kind], #1, 8f\n" EACH(rows_, MULTIPLY_FUSED, "")                                 \
        "6:\n"                                                                                  \
        "tbnz %[kind], #6, 60f\n" FINISH(rows_)                                                 \
        "7:\n" BELOW_##rows_                                                                    \
        "subs %[tiles], %[tiles], #1\n"                                                         \
        "b.ne 0b\n"                                                                             \
        "b 10f\n"                                                                               \
        "8:\n"                                                                                  \
        "tbnz %[kind], #0, 9f\n" EACH(rows_, MULTIPLY, "")                                      \
        "b 6b\n"                                                                                \
        "9:\n" EACH(rows_, STORE_SUMS, "")                                                      \
        "b 7b\n" FINISH_ADJUSTED(rows_)                                                         \
        "11:\n"                                                                                 \
        "add %[room], %[room], #" #rows_ "\n"                                                   \
        "ldp %[t], %[q], [%[start]]\n"                                                          \
        "12:\n" CROSS_##rows_                                                                   \
        "add %[room], %[room], %[t]\n"                                                          \
        "subs %[w], %[room], #" #rows_ "\n"                                                     \
        "b.lo 12b\n"                                                                            \
        "mov %[room], %[w]\n"                                                                   \
        "b 1b\n"                                                                                \
        "10:\n"                                                                                 \
        : [a0] "+r"(a0), [a1] "=&r"(a1), [a2] "=&r"(a2), [a3] "=&r"(a3), [a4] "=&r"(a4),        \
          [c] "+r"(c), [tiles] "+r"(tiles), [room] "+r"(room), [t] "=&r"(t), [q] "=&r"(q), [w] "=&r"(w) \
        : [k] "r"(numbers), [range] "r"(course->range), [kind] "r"(kind), [steps] "r"(course->steps), \
          [rest] "r"(course->rest), [gap] "r"(course->gap), [next] "r"(course->next),           \
          [stride] "r"(course->stride), [start] "r"(&start), [last] "r"(last),                  \
          [last16] "r"(last - 16), [c_stride] "r"(course->c_stride),                            \
          [m] "r"((const char *)numbers + 64), [minus] "r"((const char *)numbers + 128)         \
        : "cc", "memory", QRT_VECTORS);                                                         \
    walk->x = room ? course->width - room : 0;                                                  \
    walk->row = a0 + (room ? 0 : course->skip);                                                 \
  }

/* One row through `count` panels that lie one behind the other, up to one whose results may not be small: how many are
 * left. *w is where the first has its biases, *c its columns; both move along. */
static size_t one_row_16(size_t count, const int8_t *a, size_t run, size_t panel_bytes, size_t kind,
                         const qrt_range_neon *range, const int8_t **w, int8_t **c) {
  const size_t steps = run / 64, rest = run % 64, size = 16 * ((run + 3) / 4 * 4);
  const int8_t *a0;
  size_t t;
  __asm__ volatile(
      "ldp q24, q25, [%[range]]\n"
      "1:\n"
      "ldr %w[t], [%[w], #-12]\n"
      "tbz %w[t], #0, 9f\n"
      "mov %[a0], %[a]\n"
      "ld1 {v0.4s-v3.4s}, [%[w]], #64\n"
      "ld1 {v16.4s-v19.4s}, [%[w]], #64\n"
      "cbz %[steps], 3f\n"
      "2:\n" DEPTH_32(1) DEPTH_32(1)
      "cmp %[a0], %[end]\n"
      "b.ne 2b\n"
      "cbz %[rest], 44f\n"
      "3:\n"
      "tbz %[rest], #5, 4f\n" DEPTH_32(1)
      "4:\n" REST(1)
      MULTIPLY_BY("16", "17", "18", "19", "0", "1", "2", "3")
      "cbnz %[kind], 60f\n" FINISH(1)
      "add %[w], %[w], %[pad]\n"
      "subs %[count], %[count], #1\n"
      "b.ne 1b\n"
      "b 9f\n" FINISH_ADJUSTED(1)
      "9:\n"
      : [w] "+r"(*w), [c] "+r"(*c), [count] "+r"(count), [a0] "=&r"(a0), [t] "=&r"(t)
      : [a] "r"(a), [steps] "r"(steps), [end] "r"(a + 64 * steps), [range] "r"(range), [kind] "r"(kind), [rest] "r"(rest),
        [pad] "r"(panel_bytes - 128 - size),
        [c_stride] "r"((size_t)16)
      : "cc", "memory", QRT_VECTORS);
  return count;
}

/* clang-format on */

#endif
