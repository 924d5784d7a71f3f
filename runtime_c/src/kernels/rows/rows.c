/* rows.c - the table of rows kernels and the choice among them. */
#include "rows.h"

const qrt_rows_kernel qrt_rows_kernels[] = {
#define QRT_ROWS_KERNEL(dtype, isa, xr)         \
  {#dtype "__" #isa "_x" #xr,                   \
   QRT_ISA_##isa,                               \
   xr,                                          \
   qrt_rows_##dtype##__##isa##_x##xr##_dot,     \
   qrt_rows_##dtype##__##isa##_x##xr##_sums,    \
   qrt_rows_##dtype##__##isa##_x##xr##_softmax, \
   qrt_rows_##dtype##__##isa##_x##xr##_normalize},
#include "rows.inc"
#undef QRT_ROWS_KERNEL
};

const size_t qrt_rows_kernel_count = sizeof qrt_rows_kernels / sizeof qrt_rows_kernels[0];

const qrt_rows_kernel *qrt_rows_select(uint32_t isa_mask) {
  const qrt_rows_kernel *kernel = qrt_rows_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
