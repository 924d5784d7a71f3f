/* matmul_f32__avx512vnni_12x32.c - 12 rows by 32 columns. */
#define QRT_LANES  16
#define QRT_MR     12
#define QRT_KERNEL qrt_matmul_f32__avx512vnni_12x32
#include "matmul_lanes.h"
