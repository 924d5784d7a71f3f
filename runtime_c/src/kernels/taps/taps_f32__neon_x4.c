/* taps_f32__neon_x4.c - 4 elements at a time; on 64-bit ARM alone, see taps.inc. */
#if defined(__aarch64__)
#define QRT_LANES          4
#define QRT_FUNCTION(name) qrt_taps_f32__neon_x4_##name
#include "taps_lanes.h"
#else
typedef int qrt_taps_neon_is_empty;
#endif
