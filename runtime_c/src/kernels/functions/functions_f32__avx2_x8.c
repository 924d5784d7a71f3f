/* functions_f32__avx2_x8.c - 8 elements at a time. */
#include "functions.h"

#define QRT_LANES          8
#define QRT_FUNCTION(name) qrt_functions_f32__avx2_x8_##name
#include "functions_lanes.h"
