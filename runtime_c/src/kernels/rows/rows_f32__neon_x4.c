/* rows_f32__neon_x4.c - 4 elements at a time; on 64-bit ARM alone, see rows.inc. */
#if defined(__aarch64__)
#define QRT_LANES          4
#define QRT_FUNCTION(name) qrt_rows_f32__neon_x4_##name
#include "rows_lanes.h"
#else
typedef int qrt_rows_neon_is_empty;
#endif
