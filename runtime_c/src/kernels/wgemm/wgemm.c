/* wgemm.c - the table of wgemm kernels and the choice among them. */
#include "wgemm.h"

const qrt_wgemm_kernel qrt_wgemm_kernels[] = {
#define QRT_WGEMM_KERNEL(dtype, isa, mr, nr)               \
  {#dtype "__" #isa "_" #mr "x" #nr,                       \
   QRT_ISA_##isa,                                          \
   mr,                                                     \
   nr,                                                     \
   (nr) > 1,                                               \
   qrt_wgemm_##dtype##__##isa##_##mr##x##nr##_packed_size, \
   qrt_wgemm_##dtype##__##isa##_##mr##x##nr##_pack,        \
   qrt_wgemm_##dtype##__##isa##_##mr##x##nr},
#include "wgemm.inc"
#undef QRT_WGEMM_KERNEL
};

const size_t qrt_wgemm_kernel_count = sizeof qrt_wgemm_kernels / sizeof qrt_wgemm_kernels[0];

const qrt_wgemm_kernel *qrt_wgemm_select(uint32_t isa_mask) {
  const qrt_wgemm_kernel *kernel = qrt_wgemm_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
