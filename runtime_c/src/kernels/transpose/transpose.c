/* transpose.c - the table of transpose kernels and the choice among them. */
#include "transpose.h"

const qrt_transpose_kernel qrt_transpose_kernels[] = {
#define QRT_TRANSPOSE_KERNEL(dtype, isa, mr, nr) \
  {#dtype "__" #isa "_" #mr "x" #nr, QRT_ISA_##isa, mr, nr, qrt_transpose_##dtype##__##isa##_##mr##x##nr},
#include "transpose.inc"
#undef QRT_TRANSPOSE_KERNEL
};

const size_t qrt_transpose_kernel_count = sizeof qrt_transpose_kernels / sizeof qrt_transpose_kernels[0];

const qrt_transpose_kernel *qrt_transpose_select(uint32_t isa_mask) {
  const qrt_transpose_kernel *kernel = qrt_transpose_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
