/* unary_f32__neon_x4.c - 4 elements at a time; on 64-bit ARM alone, see unary.inc. */
#if defined(__aarch64__)
#define QRT_LANES  4
#define QRT_KERNEL qrt_unary_f32__neon_x4
#include "unary_lanes.h"
#else
typedef int qrt_unary_neon_is_empty;
#endif
