/* taps_f32__avx2_x8.c - 8 elements at a time. */
#define QRT_LANES          8
#define QRT_FUNCTION(name) qrt_taps_f32__avx2_x8_##name
#include "taps_lanes.h"
