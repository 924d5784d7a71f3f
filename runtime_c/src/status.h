/* status.h - how the runtime says no. QRT_FAIL fills a qrt_error (which may be NULL) and yields the status:
 *
 *   return QRT_FAIL(error, QRT_ERROR_FIELD, "tensors[%u].shape[%u]: extent %d is not positive", i, j, extent);
 *
 * The format knows %u %d %s %zu %llu and nothing else; the text is cut at QRT_MESSAGE_SIZE. With QRT_MESSAGES=0 the
 * arguments are not evaluated and the text is not linked.
 */
#ifndef QRT_STATUS_H
#define QRT_STATUS_H

#include "platform.h"
#include "qrt.h"

#if defined(__GNUC__)
#define QRT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define QRT_PRINTF(text, first)
#endif

/* Only to have the arguments checked and counted as used; not defined anywhere. */
int qrt_unused(const char *format, ...) QRT_PRINTF(1, 2);

void qrt_error_clear(qrt_error *error);
qrt_status qrt_error_status(qrt_error *error, qrt_status status);

#if QRT_MESSAGES
qrt_status qrt_error_set(qrt_error *error, qrt_status status, const char *format, ...) QRT_PRINTF(3, 4);
qrt_status qrt_error_append(qrt_error *error, qrt_status status, const char *format, ...) QRT_PRINTF(3, 4);
#define QRT_FAIL(error, status, ...)   qrt_error_set(error, status, __VA_ARGS__)
#define QRT_APPEND(error, status, ...) qrt_error_append(error, status, __VA_ARGS__)
#else
#define QRT_FAIL(error, status, ...)   ((void)sizeof(qrt_unused(__VA_ARGS__)), qrt_error_status(error, status))
#define QRT_APPEND(error, status, ...) ((void)sizeof(qrt_unused(__VA_ARGS__)), qrt_error_status(error, status))
#endif

/* Returns from the calling function unless `expression` is QRT_OK. */
#define QRT_TRY(expression)               \
  do {                                    \
    qrt_status try_status = (expression); \
    if (try_status != QRT_OK) {           \
      return try_status;                  \
    }                                     \
  } while (0)

#endif
