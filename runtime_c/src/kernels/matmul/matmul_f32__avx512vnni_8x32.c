/* matmul_f32__avx512vnni_8x32.c - 8 rows by 32 columns. */
#define QRT_LANES  16
#define QRT_MR     8
#define QRT_KERNEL qrt_matmul_f32__avx512vnni_8x32
#include "matmul_lanes.h"
