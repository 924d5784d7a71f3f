/* matmul_f32__neon_8x8.c - 8 rows by 8 columns; on 64-bit ARM alone, see matmul.inc. */
#if defined(__aarch64__)
#define QRT_LANES  4
#define QRT_MR     8
#define QRT_KERNEL qrt_matmul_f32__neon_8x8
#include "matmul_lanes.h"
#else
typedef int qrt_matmul_neon_is_empty;
#endif
