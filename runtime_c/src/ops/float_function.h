/* float_function.h - operators that apply a function of the functions family to every element. */
#ifndef QRT_FLOAT_FUNCTION_H
#define QRT_FLOAT_FUNCTION_H

#include "../kernels/functions/functions.h"
#include "op.h"

qrt_status qrt_check_float_function(qrt_verify *v, const qrt_node *node);

/* `function` is one of `kernel`'s. */
void qrt_bind_float_function(qrt_binder *binder, const qrt_node *node, const qrt_functions_kernel *kernel,
                             void (*function)(size_t n, const float *a, float *c), qrt_step *step);

#endif
