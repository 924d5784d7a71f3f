/* binary.c - the table of binary kernels and the choice among them. */
#include "binary.h"

const qrt_binary_kernel qrt_binary_kernels[] = {
#define QRT_BINARY_KERNEL(dtype, isa, xr) \
  {#dtype "__" #isa "_x" #xr, QRT_ISA_##isa, xr, qrt_binary_##dtype##__##isa##_x##xr},
#include "binary.inc"
#undef QRT_BINARY_KERNEL
};

const size_t qrt_binary_kernel_count = sizeof qrt_binary_kernels / sizeof qrt_binary_kernels[0];

const qrt_binary_kernel *qrt_binary_select(uint32_t isa_mask) {
  const qrt_binary_kernel *kernel = qrt_binary_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
