/* functions_f32__neon_x4.c - 4 elements at a time; on 64-bit ARM alone, see functions.inc. */
#if defined(__aarch64__)
#include "functions.h"

#define QRT_LANES          4
#define QRT_FUNCTION(name) qrt_functions_f32__neon_x4_##name
#include "functions_lanes.h"
#else
typedef int qrt_functions_neon_is_empty;
#endif
