/* convert.c - the table of convert kernels and the choice among them. */
#include "convert.h"

const qrt_convert_kernel qrt_convert_kernels[] = {
#define QRT_CONVERT_KERNEL(dtype, isa, xr)            \
  {#dtype "__" #isa "_x" #xr,                         \
   QRT_ISA_##isa,                                     \
   xr,                                                \
   qrt_convert_##dtype##__##isa##_x##xr##_quantize,   \
   qrt_convert_##dtype##__##isa##_x##xr##_dequantize, \
   qrt_convert_##dtype##__##isa##_x##xr##_range,      \
   qrt_convert_##dtype##__##isa##_x##xr##_scale_sums},
#include "convert.inc"
#undef QRT_CONVERT_KERNEL
};

const size_t qrt_convert_kernel_count = sizeof qrt_convert_kernels / sizeof qrt_convert_kernels[0];

const qrt_convert_kernel *qrt_convert_select(uint32_t isa_mask) {
  const qrt_convert_kernel *kernel = qrt_convert_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
