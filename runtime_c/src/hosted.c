/* hosted.c - with workers.c the only file of the runtime that knows an operating system: two environment variables, and
 * the trace that one of them asks for. Empty with QRT_HOSTED=0. */
#include "hosted.h"

#include "platform.h"

#if QRT_HOSTED
#include <stdio.h>
#include <stdlib.h>

const char *qrt_hosted_isa(void) {
  const char *isa = getenv("QRT_ISA");
  return isa && *isa ? isa : NULL;
}

/* Two traces are compared line by line: the first that differs is the operator at fault. */
static void trace(void *user, const qrt_event *event) {
  (void)user;
  uint32_t crc = qrt_crc32(0, event->output, event->output_size);
  fprintf(stderr, "%u %s %s %08x\n", (unsigned)event->index, event->operation, *event->kernel ? event->kernel : "-",
          (unsigned)crc);
}

qrt_on_operator qrt_hosted_trace(void) {
  const char *value = getenv("QRT_TRACE");
  return value && value[0] == '1' && !value[1] ? trace : NULL;
}
#else
typedef int qrt_hosted_is_empty;
#endif
