/* transpose_x32__avx2_8x8.c - squares of 8. */
#define QRT_LANES  8
#define QRT_KERNEL qrt_transpose_x32__avx2_8x8
#include "transpose_lanes.h"
