/* rows_f32__avx512vnni_x16.c - 16 elements at a time. */
#define QRT_LANES          16
#define QRT_FUNCTION(name) qrt_rows_f32__avx512vnni_x16_##name
#include "rows_lanes.h"
