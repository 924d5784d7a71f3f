/* interleave.c - the table of interleave kernels and the choice among them. */
#include "interleave.h"

const qrt_interleave_kernel qrt_interleave_kernels[] = {
#define QRT_INTERLEAVE_KERNEL(dtype, isa, xr) \
  {#dtype "__" #isa "_x" #xr, QRT_ISA_##isa, xr, qrt_interleave_##dtype##__##isa##_x##xr},
#include "interleave.inc"
#undef QRT_INTERLEAVE_KERNEL
};

const size_t qrt_interleave_kernel_count = sizeof qrt_interleave_kernels / sizeof qrt_interleave_kernels[0];

const qrt_interleave_kernel *qrt_interleave_select(uint32_t isa_mask) {
  const qrt_interleave_kernel *kernel = qrt_interleave_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
