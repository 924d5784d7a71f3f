/* binary_f32__avx512vnni_x16.c - 16 elements at a time. */
#define QRT_LANES  16
#define QRT_KERNEL qrt_binary_f32__avx512vnni_x16
#include "binary_lanes.h"
