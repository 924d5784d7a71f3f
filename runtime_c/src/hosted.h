/* hosted.h - what the environment of a hosted process may say; only called when QRT_HOSTED is 1. */
#ifndef QRT_HOSTED_H
#define QRT_HOSTED_H

#include "qrt.h"

/* QRT_ISA, or NULL. */
const char *qrt_hosted_isa(void);

/* A callback that prints "node operation kernel crc32(output)" per operator to stderr if QRT_TRACE=1, else NULL. */
typedef void (*qrt_on_operator)(void *user, const qrt_event *event);
qrt_on_operator qrt_hosted_trace(void);

#endif
