/* gemm_tile_neondot.h - tiles of 1 to 5 rows by 16 columns as one piece of assembly, which gcc could not do without
 * copies between registers: ld1 fills four neighbours at once, for weights, biases and multipliers.
 *
 * Row i has its sums in v(4 i) to v(4 i + 3), and 32 bytes of depth in two of v24 to v31; of 5 rows the last two take
 * 16 at a time. Weights are in v20 to v23, all columns of a group of four bytes.
 */
#ifndef QRT_GEMM_TILE_NEONDOT_H
#define QRT_GEMM_TILE_NEONDOT_H

#include "gemm_neon.h"

/* A panel, as tiles read it. */
typedef struct qrt_gemm_columns {
  int32_t bias[16];
  float multiplier[16];
  float minus[16]; /* FUSED */
  float32x4_t rounder;
  int8x16_t low;
  int kind;
} qrt_gemm_columns;

/* Bits of a kind. FUSED: where results below the zero point do not matter, and sums are below 2^23, the bits of
 * 2^23 + sum, taken as a float, times the multiplier m, less 2^23 * m, is the product, rounded once. (Of a negative sum
 * it is half the product.) `bias` has the bits of 2^23 in it. ODD: 1 is left to add to results, before they narrow
 * where the range is all of int8; RAISED: there is a bound below, and what is added afterwards saturates beneath it. */
enum { RAW = 1, FUSED = 2, ODD = 4, RAISED = 8 };

/* How depth goes, the same for all tiles. Rows end `used` bytes behind the last run's begin. */
typedef struct qrt_gemm_course {
  size_t steps, rest, more; /* of a run: 32 bytes at a time, what is left; runs behind the first */
  size_t gap, next;         /* from where a run ends to the next one, and to the next tile */
  size_t size;              /* of the weights */
} qrt_gemm_course;

/* M(a row's sums, address, first and second 16 bytes, ...) */
#define ROW_0(M, ...)  M("0", "1", "2", "3", "%[a0]", "24", "25", __VA_ARGS__)
#define ROW_1(M, ...)  M("4", "5", "6", "7", "%[a1]", "26", "27", __VA_ARGS__)
#define ROW_2(M, ...)  M("8", "9", "10", "11", "%[a2]", "28", "29", __VA_ARGS__)
#define ROW_3(M, ...)  M("12", "13", "14", "15", "%[a3]", "30", "31", __VA_ARGS__)
#define HALF_3(M, ...) M("12", "13", "14", "15", "%[a3]", "30", "30", __VA_ARGS__)
#define HALF_4(M, ...) M("16", "17", "18", "19", "%[a4]", "31", "31", __VA_ARGS__)
#define NONE(M, ...)

/* Rows that take 32 bytes at a time, and all. */
#define PAIRS_1(M, ...)    ROW_0(M, __VA_ARGS__)
#define PAIRS_2(M, ...)    PAIRS_1(M, __VA_ARGS__) ROW_1(M, __VA_ARGS__)
#define PAIRS_3(M, ...)    PAIRS_2(M, __VA_ARGS__) ROW_2(M, __VA_ARGS__)
#define PAIRS_4(M, ...)    PAIRS_3(M, __VA_ARGS__) ROW_3(M, __VA_ARGS__)
#define PAIRS_5(M, ...)    PAIRS_3(M, __VA_ARGS__)
#define HALVES_1           NONE
#define HALVES_2           NONE
#define HALVES_3           NONE
#define HALVES_4           NONE
#define HALVES_5(M, ...)   HALF_3(M, __VA_ARGS__) HALF_4(M, __VA_ARGS__)
#define EACH(rows, M, ...) PAIRS_##rows(M, __VA_ARGS__) HALVES_##rows(M, __VA_ARGS__)

#define LOAD_SUMS(s0, s1, s2, s3, a, x, y, ...) "ld1 {v" s0 ".4s-v" s3 ".4s}, [%[k]]\n"
#define LOAD_32(s0, s1, s2, s3, a, x, y, ...)   "ldp q" x ", q" y ", [" a "], #32\n"
#define LOAD_16(s0, s1, s2, s3, a, x, y, ...)   "ldr q" x ", [" a "], #16\n"
#define LOAD_8(s0, s1, s2, s3, a, x, y, ...)    "ldr d" x ", [" a "], #8\n"
#define LOAD_4(s0, s1, s2, s3, a, x, y, ...)    "ldr s" x ", [" a "], #4\n"
#define LOAD_LAST(s0, s1, s2, s3, a, x, y, ...) "ldr s" x ", [" a ", %[t]]\n"
#define MOVE(s0, s1, s2, s3, a, x, y, by)       "add " a ", " a ", %[" by "]\n"

#define DOT(s, w, x, lane) "sdot v" s ".4s, v" w ".16b, v" x ".4b[" lane "]\n"
#define DOTS_X(s0, s1, s2, s3, a, x, y, lane) \
  DOT(s0, "20", x, lane) DOT(s1, "21", x, lane) DOT(s2, "22", x, lane) DOT(s3, "23", x, lane)
#define DOTS_Y(s0, s1, s2, s3, a, x, y, lane) DOTS_X(s0, s1, s2, s3, a, y, x, lane)
#define GROUP(rows, DOTS, lane)               "ld1 {v20.16b-v23.16b}, [%[w]], #64\n" EACH(rows, DOTS, lane)
#define GROUPS_2(rows, DOTS)                  GROUP(rows, DOTS, "0") GROUP(rows, DOTS, "1")
#define GROUPS_4(rows, DOTS)                  GROUPS_2(rows, DOTS) GROUP(rows, DOTS, "2") GROUP(rows, DOTS, "3")

#define DEPTH_32(rows)                                                                             \
  PAIRS_##rows(LOAD_32, ) HALVES_##rows(LOAD_16, ) GROUPS_4(rows, DOTS_X) HALVES_##rows(LOAD_16, ) \
      GROUPS_4(rows, DOTS_Y)

/* Products, to sums that overwrite them; then the low halves of words have the results. */
#define PRODUCT(s, m)    "scvtf v" s ".4s, v" s ".4s\nfmul v" s ".4s, v" s ".4s, v" m ".4s\n"
#define ROUND(s)         "fadd v" s ".4s, v" s ".4s, v24.4s\n"
#define HALVES(to, x, y) "uzp1 v" to ".8h, v" x ".8h, v" y ".8h\n"
#define ROUND_ROW(s0, s1, s2, s3, ...) \
  PRODUCT(s0, "20")                    \
  PRODUCT(s1, "21")                    \
  PRODUCT(s2, "22") PRODUCT(s3, "23") ROUND(s0) ROUND(s1) ROUND(s2) ROUND(s3) HALVES(s0, s0, s1) HALVES(s1, s2, s3)
#define FUSE(to, s, m) "fmla v" to ".4s, v" s ".4s, v" m ".4s\n"
#define FUSE_ROW(s0, s1, s2, s3, ...)                                                                                 \
  "ld1 {v28.4s-v31.4s}, [%[t]]\n" FUSE("28", s0, "20") FUSE("29", s1, "21") FUSE("30", s2, "22") FUSE("31", s3, "23") \
      ROUND("28") ROUND("29") ROUND("30") ROUND("31") HALVES(s0, "28", "29") HALVES(s1, "30", "31")
#define ADD_ROW(s0, s1, ...)            "add v" s0 ".8h, v" s0 ".8h, v26.8h\nadd v" s1 ".8h, v" s1 ".8h, v26.8h\n"
#define NARROW_ROW(s0, s1, ...)         "sqxtn v" s0 ".8b, v" s0 ".8h\nsqxtn2 v" s0 ".16b, v" s1 ".8h\n"
#define ADD_BYTES(s0, ...)              "sqadd v" s0 ".16b, v" s0 ".16b, v26.16b\n"
#define RAISE_ROW(s0, ...)              "smax v" s0 ".16b, v" s0 ".16b, v25.16b\n"
#define STORE_ROW(s0, ...)              "st1 {v" s0 ".16b}, [%[c]], %[c_stride]\n"
#define STORE_SUMS(s0, s1, s2, s3, ...) "st1 {v" s0 ".4s-v" s3 ".4s}, [%[c]], %[c_stride]\n"

/* `count` tiles, of which the first has its rows at a, and each the next rows below; outputs follow from c on. */
#define QRT_TILE(rows)                                                                                                                                                                                                 \
  static void tile_##rows(size_t count, const qrt_gemm_course *course, const qrt_gemm_columns *columns,                                                                                                                \
                          const int8_t *const *a, const int8_t *w, int8_t *c, size_t c_stride) {                                                                                                                       \
    const int8_t *a0 = a[0], *a1 = a[rows > 1 ? 1 : 0], *a2 = a[rows > 2 ? 2 : 0], *a3 = a[rows > 3 ? 3 : 0],                                                                                                          \
                 *a4 = a[rows > 4 ? 4 : 0];                                                                                                                                                                            \
    size_t t, q;                                                                                                                                                                                                       \
    __asm__ volatile(                                                                                                                                                                                                  \
        "1:\n" EACH(                                                                                                                                                                                                   \
            rows,                                                                                                                                                                                                      \
            LOAD_SUMS, ) "mov %[q], %[more]\n"                                                                                                                                                                         \
                         "2:\ncbz %[steps], 4f\nmov %[t], %[steps]\n"                                                                                                                                                  \
                         "3:\n" DEPTH_32(                                                                                                                                                                              \
                             rows) "subs %[t], %[t], #1\nb.ne 3b\n"                                                                                                                                                    \
                                   "4:\ncbz %[rest], 8f\n"                                                                                                                                                             \
                                   "tbz %[rest], #4, 5f\n" EACH(rows, LOAD_16, ) GROUPS_4(                                                                                                                             \
                                       rows, DOTS_X) "5:\ntbz %[rest], #3, 6f\n" EACH(rows, LOAD_8, )                                                                                                                  \
                                       GROUPS_2(rows, DOTS_X) "6:\ntbz %[rest], #2, 7f\n" EACH(rows, LOAD_4, ) GROUP(                                                                                                  \
                                           rows, DOTS_X,                                                                                                                                                               \
                                           "0") "7:\nands %[t], %[rest], #3\nb.eq 8f\nsub %[t], %[t], #4\n" EACH(rows,                                                                                                 \
                                                                                                                 LOAD_LAST, )                                                                                          \
                                           GROUP(rows, DOTS_X, "0") "8:\ncbz %[q], 9f\nsub %[q], %[q], #1\n" EACH(                                                                                                     \
                                               rows, MOVE,                                                                                                                                                             \
                                               "gap") "b 2b\n"                                                                                                                                                         \
                                                      "9:\ntbnz %[kind], #0, 15f\n"                                                                                                                                    \
                                                      "add %[t], %[k], #64\nld1 {v20.4s-v23.4s}, [%[t]], #64\nldp "                                                                                                    \
                                                      "q24, q25, [%[t], #64]\n"                                                                                                                                        \
                                                      "tbnz %[kind], #1, 10f\n" EACH(                                                                                                                                  \
                                                          rows,                                                                                                                                                        \
                                                          ROUND_ROW, ) "b 11f\n"                                                                                                                                       \
                                                                       "10:\n" EACH(                                                                                                                                   \
                                                                           rows,                                                                                                                                       \
                                                                           FUSE_ROW, ) "11:\ntbnz %[kind], #2, 16f\n"                                                                                                  \
                                                                                       "12:\n" EACH(rows, NARROW_ROW, ) "tbz %[kind], #3, 13f\n" EACH(rows, RAISE_ROW, ) "13:\n" EACH(rows, STORE_ROW, ) "14:\n" EACH( \
                                                                                           rows, MOVE,                                                                                                                 \
                                                                                           "next") "sub %[w], %[w], "                                                                                                  \
                                                                                                   "%[size]\nsubs "                                                                                                    \
                                                                                                   "%[count], "                                                                                                        \
                                                                                                   "%[count], #1\n"                                                                                                    \
                                                                                                   "b.ne 1b\nb 18f\n"                                                                                                  \
                                                                                                   "15:\n" EACH(                                                                                                       \
                                                                                                       rows,                                                                                                           \
                                                                                                       STORE_SUMS, ) "b 14b\n"                                                                                         \
                                                                                                                     "16:\nmovi v26.8h, #1\ntbnz %[kind], #3, 17f\n" EACH(                                             \
                                                                                                                         rows,                                                                                         \
                                                                                                                         ADD_ROW, ) "b 12b\n"                                                                          \
                                                                                                                                    "17:\nmovi v26.16b, #1\n" EACH(                                                    \
                                                                                                                                        rows,                                                                          \
                                                                                                                                        NARROW_ROW, )                                                                  \
                                                                                                                                        EACH(                                                                          \
                                                                                                                                            rows,                                                                      \
                                                                                                                                            ADD_BYTES, )                                                               \
                                                                                                                                            EACH(                                                                      \
                                                                                                                                                rows,                                                                  \
                                                                                                                                                RAISE_ROW, ) "b 13b\n18:\n"                                            \
        : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [a4] "+r"(a4), [w] "+r"(w), [c] "+r"(c),                                                                                                         \
          [count] "+r"(count), [t] "=&r"(t), [q] "=&r"(q)                                                                                                                                                              \
        : [k] "r"(columns), [kind] "r"(columns->kind), [steps] "r"(course->steps), [rest] "r"(course->rest),                                                                                                           \
          [more] "r"(course->more), [gap] "r"(course->gap), [next] "r"(course->next), [size] "r"(course->size),                                                                                                        \
          [c_stride] "r"(c_stride)                                                                                                                                                                                     \
        : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",                                                                                                      \
          "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",                                                                                                     \
          "v29", "v30", "v31");                                                                                                                                                                                        \
  }

#endif
