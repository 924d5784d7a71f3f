/* matmul_f32__avx2_4x16.c - 4 rows by 16 columns. */
#define QRT_LANES  8
#define QRT_MR     4
#define QRT_KERNEL qrt_matmul_f32__avx2_4x16
#include "matmul_lanes.h"
