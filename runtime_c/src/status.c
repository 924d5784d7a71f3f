/* status.c - names of statuses, and the formatter of messages. What can go wrong is decided by the callers. */
#include "status.h"

#include <stdarg.h>

const char *qrt_status_name(qrt_status status) {
  switch ((int)status) {
#define QRT_STATUS(name, value, text) \
  case value:                         \
    return "QRT_" #name;
#include "qrt_status.inc"
#undef QRT_STATUS
    default:
      return "QRT_ERROR_?";
  }
}

const char *qrt_status_text(qrt_status status) {
  switch ((int)status) {
#define QRT_STATUS(name, value, text) \
  case value:                         \
    return text;
#include "qrt_status.inc"
#undef QRT_STATUS
    default:
      return "unknown status";
  }
}

void qrt_error_clear(qrt_error *error) {
  if (error) {
    error->status = QRT_OK;
    error->message[0] = '\0';
  }
}

qrt_status qrt_error_status(qrt_error *error, qrt_status status) {
  if (error) {
    error->status = status;
    error->message[0] = '\0';
  }
  return status;
}

#if QRT_MESSAGES

static size_t put(char *text, size_t at, const char *source) {
  for (; *source && at < QRT_MESSAGE_SIZE - 1; ++source) {
    text[at++] = *source;
  }
  return at;
}

static size_t put_number(char *text, size_t at, uint64_t value) {
  char digits[21];
  char *first = digits + sizeof digits - 1;
  *first = '\0';
  do {
    *--first = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  return put(text, at, first);
}

static size_t put_signed(char *text, size_t at, int32_t value) {
  if (value < 0) {
    at = put(text, at, "-");
    return put_number(text, at, (uint64_t)(-(int64_t)value));
  }
  return put_number(text, at, (uint64_t)value);
}

static void append(char *text, const char *format, va_list arguments) {
  size_t at = 0;
  while (text[at]) {
    ++at;
  }
  for (; *format; ++format) {
    char letter[2] = {*format, '\0'};
    if (*format != '%') {
      at = put(text, at, letter);
      continue;
    }
    switch (*++format) {
      case 'u':
        at = put_number(text, at, va_arg(arguments, unsigned));
        break;
      case 'd':
        at = put_signed(text, at, va_arg(arguments, int));
        break;
      case 's':
        at = put(text, at, va_arg(arguments, const char *));
        break;
      case 'z': /* zu */
        at = put_number(text, at, va_arg(arguments, size_t));
        ++format;
        break;
      default: /* llu */
        at = put_number(text, at, va_arg(arguments, unsigned long long));
        format += 2;
        break;
    }
  }
  text[at] = '\0';
}

qrt_status qrt_error_set(qrt_error *error, qrt_status status, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    error->message[0] = '\0';
    append(error->message, format, arguments);
    va_end(arguments);
  }
  return status;
}

qrt_status qrt_error_append(qrt_error *error, qrt_status status, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    append(error->message, format, arguments);
    va_end(arguments);
  }
  return status;
}

#endif
