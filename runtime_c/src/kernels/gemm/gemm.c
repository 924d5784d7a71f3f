/* gemm.c - the table of gemm kernels and the choice among them. */
#include "gemm.h"

const qrt_gemm_kernel qrt_gemm_kernels[] = {
#define QRT_GEMM_KERNEL(dtype, isa, mr, nr, kr)             \
  {#dtype "__" #isa "_" #mr "x" #nr,                        \
   QRT_ISA_##isa,                                           \
   QRT_ISA_##isa & QRT_KEEPS_WEIGHTS ? 0 : QRT_GEMM_LAYOUT, \
   mr,                                                      \
   nr,                                                      \
   kr,                                                      \
   qrt_gemm_##dtype##__##isa##_##mr##x##nr##_packed_size,   \
   qrt_gemm_##dtype##__##isa##_##mr##x##nr##_pack,          \
   qrt_gemm_##dtype##__##isa##_##mr##x##nr},
#include "gemm.inc"
#undef QRT_GEMM_KERNEL
};

const size_t qrt_gemm_kernel_count = sizeof qrt_gemm_kernels / sizeof qrt_gemm_kernels[0];

const qrt_gemm_kernel *qrt_gemm_select(uint32_t isa_mask) {
  const qrt_gemm_kernel *kernel = qrt_gemm_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
