/* taps.c - the table of taps kernels and the choice among them. */
#include "taps.h"

const qrt_taps_kernel qrt_taps_kernels[] = {
#define QRT_TAPS_KERNEL(dtype, isa, xr)          \
  {#dtype "__" #isa "_x" #xr,                    \
   QRT_ISA_##isa,                                \
   xr,                                           \
   qrt_taps_##dtype##__##isa##_x##xr##_products, \
   qrt_taps_##dtype##__##isa##_x##xr##_mean,     \
   qrt_taps_##dtype##__##isa##_x##xr##_largest},
#include "taps.inc"
#undef QRT_TAPS_KERNEL
};

const size_t qrt_taps_kernel_count = sizeof qrt_taps_kernels / sizeof qrt_taps_kernels[0];

const qrt_taps_kernel *qrt_taps_select(uint32_t isa_mask) {
  const qrt_taps_kernel *kernel = qrt_taps_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
