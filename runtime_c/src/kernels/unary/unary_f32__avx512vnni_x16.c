/* unary_f32__avx512vnni_x16.c - 16 elements at a time. */
#define QRT_LANES  16
#define QRT_KERNEL qrt_unary_f32__avx512vnni_x16
#include "unary_lanes.h"
