/* unary.c - the table of unary kernels and the choice among them. */
#include "unary.h"

const qrt_unary_kernel qrt_unary_kernels[] = {
#define QRT_UNARY_KERNEL(dtype, isa, xr) \
  {#dtype "__" #isa "_x" #xr, QRT_ISA_##isa, xr, qrt_unary_##dtype##__##isa##_x##xr},
#include "unary.inc"
#undef QRT_UNARY_KERNEL
};

const size_t qrt_unary_kernel_count = sizeof qrt_unary_kernels / sizeof qrt_unary_kernels[0];

const qrt_unary_kernel *qrt_unary_select(uint32_t isa_mask) {
  const qrt_unary_kernel *kernel = qrt_unary_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
