/* vmul.c - the table of vmul kernels and the choice among them. */
#include "vmul.h"

const qrt_vmul_kernel qrt_vmul_kernels[] = {
#define QRT_VMUL_KERNEL(dtype, isa, xr) \
  {#dtype "__" #isa "_x" #xr, QRT_ISA_##isa, xr, qrt_vmul_##dtype##__##isa##_x##xr},
#include "vmul.inc"
#undef QRT_VMUL_KERNEL
};

const size_t qrt_vmul_kernel_count = sizeof qrt_vmul_kernels / sizeof qrt_vmul_kernels[0];

const qrt_vmul_kernel *qrt_vmul_select(uint32_t isa_mask) {
  const qrt_vmul_kernel *kernel = qrt_vmul_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
