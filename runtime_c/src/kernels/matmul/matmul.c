/* matmul.c - the table of matmul kernels and the choice among them. */
#include "matmul.h"

const qrt_matmul_kernel qrt_matmul_kernels[] = {
#define QRT_MATMUL_KERNEL(dtype, isa, mr, nr) \
  {#dtype "__" #isa "_" #mr "x" #nr, QRT_ISA_##isa, mr, nr, qrt_matmul_##dtype##__##isa##_##mr##x##nr},
#include "matmul.inc"
#undef QRT_MATMUL_KERNEL
};

const size_t qrt_matmul_kernel_count = sizeof qrt_matmul_kernels / sizeof qrt_matmul_kernels[0];

const qrt_matmul_kernel *qrt_matmul_select(uint32_t isa_mask) {
  const qrt_matmul_kernel *kernel = qrt_matmul_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
