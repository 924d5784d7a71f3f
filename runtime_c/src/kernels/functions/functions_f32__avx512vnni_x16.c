/* functions_f32__avx512vnni_x16.c - 16 elements at a time. */
#include "functions.h"

#define QRT_LANES          16
#define QRT_FUNCTION(name) qrt_functions_f32__avx512vnni_x16_##name
#include "functions_lanes.h"
