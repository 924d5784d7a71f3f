/* dwconv.c - the table of dwconv kernels and the choice among them. */
#include "dwconv.h"

const qrt_dwconv_kernel qrt_dwconv_kernels[] = {
#define QRT_DWCONV_KERNEL(dtype, isa, cr)                     \
  {#dtype "__" #isa "_c" #cr,                                 \
   QRT_ISA_##isa,                                             \
   QRT_ISA_##isa & QRT_KEEPS_WEIGHTS ? 0 : QRT_DWCONV_LAYOUT, \
   cr,                                                        \
   qrt_dwconv_##dtype##__##isa##_c##cr##_packed_size,         \
   qrt_dwconv_##dtype##__##isa##_c##cr##_pack,                \
   qrt_dwconv_##dtype##__##isa##_c##cr},
#include "dwconv.inc"
#undef QRT_DWCONV_KERNEL
};

const size_t qrt_dwconv_kernel_count = sizeof qrt_dwconv_kernels / sizeof qrt_dwconv_kernels[0];

const qrt_dwconv_kernel *qrt_dwconv_select(uint32_t isa_mask) {
  const qrt_dwconv_kernel *kernel = qrt_dwconv_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}

int qrt_dwconv_usable(const qrt_dwconv_kernel *kernel, const void *packed, size_t channels, size_t kh, size_t kw) {
#if QRT_HAVE_NEONDOT
  if (kernel->isa == QRT_ISA_neondot) return qrt_dwconv_qs8__neondot_c16_usable(packed, channels, kh, kw);
#endif
#if QRT_HAVE_NEON
  if (kernel->isa == QRT_ISA_neon) return qrt_dwconv_qs8__neon_c16_usable(packed, channels, kh, kw);
#endif
  (void)kernel, (void)packed, (void)channels, (void)kh, (void)kw;
  return 1;
}
