/* lut.c - the table of lut kernels and the choice among them. */
#include "lut.h"

const qrt_lut_kernel qrt_lut_kernels[] = {
#define QRT_LUT_KERNEL(dtype, isa, xr)                                                      \
  {#dtype "__" #isa "_x" #xr, QRT_ISA_##isa, xr, qrt_lut_##dtype##__##isa##_x##xr##_lookup, \
   qrt_lut_##dtype##__##isa##_x##xr##_clamp},
#include "lut.inc"
#undef QRT_LUT_KERNEL
};

const size_t qrt_lut_kernel_count = sizeof qrt_lut_kernels / sizeof qrt_lut_kernels[0];

const qrt_lut_kernel *qrt_lut_select(uint32_t isa_mask) {
  const qrt_lut_kernel *kernel = qrt_lut_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
