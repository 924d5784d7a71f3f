/* functions.c - the table of functions kernels and the choice among them. */
#include "functions.h"

const qrt_functions_kernel qrt_functions_kernels[] = {
#define QRT_FUNCTIONS_KERNEL(dtype, isa, xr)      \
  {#dtype "__" #isa "_x" #xr,                     \
   QRT_ISA_##isa,                                 \
   xr,                                            \
   qrt_functions_##dtype##__##isa##_x##xr##_rnn,  \
   qrt_functions_##dtype##__##isa##_x##xr##_lstm, \
   qrt_functions_##dtype##__##isa##_x##xr##_gru},
#include "functions.inc"
#undef QRT_FUNCTIONS_KERNEL
};

const size_t qrt_functions_kernel_count = sizeof qrt_functions_kernels / sizeof qrt_functions_kernels[0];

const qrt_functions_kernel *qrt_functions_select(uint32_t isa_mask) {
  const qrt_functions_kernel *kernel = qrt_functions_kernels;
  while (!(kernel->isa & (isa_mask | QRT_ISA_scalar))) kernel++;
  return kernel;
}
