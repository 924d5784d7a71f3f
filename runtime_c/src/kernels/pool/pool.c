/* pool.c - the table of pool kernels and the choice among them. */
#include "pool.h"

const qrt_pool_kernel qrt_pool_kernels[] = {
#define QRT_POOL_KERNEL(dtype, isa, cr)                                                   \
  {#dtype "__" #isa "_c" #cr, QRT_ISA_##isa, cr, qrt_pool_##dtype##__##isa##_c##cr##_max, \
   qrt_pool_##dtype##__##isa##_c##cr##_avg},
#include "pool.inc"
#undef QRT_POOL_KERNEL
};

const size_t qrt_pool_kernel_count = sizeof qrt_pool_kernels / sizeof qrt_pool_kernels[0];

const qrt_pool_kernel *qrt_pool_select(uint32_t isa_mask) {
  const qrt_pool_kernel *kernel = qrt_pool_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
