/* vadd.c - the table of vadd kernels and the choice among them. */
#include "vadd.h"

const qrt_vadd_kernel qrt_vadd_kernels[] = {
#define QRT_VADD_KERNEL(dtype, isa, xr) \
  {#dtype "__" #isa "_x" #xr, QRT_ISA_##isa, xr, qrt_vadd_##dtype##__##isa##_x##xr},
#include "vadd.inc"
#undef QRT_VADD_KERNEL
};

const size_t qrt_vadd_kernel_count = sizeof qrt_vadd_kernels / sizeof qrt_vadd_kernels[0];

const qrt_vadd_kernel *qrt_vadd_select(uint32_t isa_mask) {
  const qrt_vadd_kernel *kernel = qrt_vadd_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
