/* taps_f32__avx512vnni_x16.c - 16 elements at a time. */
#define QRT_LANES          16
#define QRT_FUNCTION(name) qrt_taps_f32__avx512vnni_x16_##name
#include "taps_lanes.h"
