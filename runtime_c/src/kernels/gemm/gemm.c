/* gemm.c - the table of gemm kernels and the choice among them. */
#include "gemm.h"

#define QRT_GEMM_floats(kernel) kernel##_floats
#define QRT_GEMM_sums(kernel)   NULL

const qrt_gemm_kernel qrt_gemm_kernels[] = {
#define QRT_GEMM_KERNEL(dtype, isa, mr, nr, kr, floats)     \
  {#dtype "__" #isa "_" #mr "x" #nr,                        \
   QRT_ISA_##isa,                                           \
   QRT_ISA_##isa & QRT_KEEPS_WEIGHTS ? 0 : QRT_GEMM_LAYOUT, \
   mr,                                                      \
   nr,                                                      \
   kr,                                                      \
   qrt_gemm_##dtype##__##isa##_##mr##x##nr##_packed_size,   \
   qrt_gemm_##dtype##__##isa##_##mr##x##nr##_pack,          \
   qrt_gemm_##dtype##__##isa##_##mr##x##nr,                 \
   QRT_GEMM_##floats(qrt_gemm_##dtype##__##isa##_##mr##x##nr)},
#include "gemm.inc"
#undef QRT_GEMM_KERNEL
};

const size_t qrt_gemm_kernel_count = sizeof qrt_gemm_kernels / sizeof qrt_gemm_kernels[0];

const qrt_gemm_kernel *qrt_gemm_select(uint32_t isa_mask) {
  const qrt_gemm_kernel *kernel = qrt_gemm_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}

int qrt_gemm_usable(const qrt_gemm_kernel *kernel, const void *packed, size_t n, size_t runs, size_t run) {
#if QRT_HAVE_I8MM
  if (kernel->isa == QRT_ISA_i8mm) return qrt_gemm_qs8__i8mm_4x16_usable(packed, n, runs, run);
#endif
#if QRT_HAVE_NEONDOT
  if (kernel->isa == QRT_ISA_neondot) return qrt_gemm_qs8__neondot_5x16_usable(packed, n, runs, run);
#endif
#if QRT_HAVE_NEON
  if (kernel->isa == QRT_ISA_neon) return qrt_gemm_qs8__neon_4x8_usable(packed, n, runs, run);
#endif
  (void)kernel, (void)packed, (void)n, (void)runs, (void)run;
  return 1;
}
