/* transpose_x32__neon_4x4.c - squares of 4; on 64-bit ARM alone, see transpose.inc. */
#if defined(__aarch64__)
#define QRT_LANES  4
#define QRT_KERNEL qrt_transpose_x32__neon_4x4
#include "transpose_lanes.h"
#else
typedef int qrt_transpose_neon_is_empty;
#endif
