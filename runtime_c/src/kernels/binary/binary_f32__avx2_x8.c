/* binary_f32__avx2_x8.c - 8 elements at a time. */
#define QRT_LANES  8
#define QRT_KERNEL qrt_binary_f32__avx2_x8
#include "binary_lanes.h"
