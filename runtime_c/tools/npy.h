/* npy.h - the part of numpy's .npy files that qrt_run speaks: version 1 and 2 headers, C order, little-endian. Part of
 * qrt_run.c; a file is input from a stranger here, too. */
#ifndef QRT_NPY_H
#define QRT_NPY_H

#include <stdio.h>
#include <string.h>

#include "qrt.h"

static const char *npy_descr(qrt_dtype dtype) {
  static const char *const names[] = {"<f4", "|i1", "|u1", "<i4", "<i8", "?", "|b1"};
  return (unsigned)dtype < sizeof names / sizeof *names ? names[dtype] : "?";
}

/* Copies the text of the header, without the parts before and after, to a string. Returns where the data begins; 0 if
 * this is no .npy file. */
static size_t npy_header(const uint8_t *bytes, size_t size, char *header, size_t header_size) {
  header[0] = '\0';
  if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || (bytes[6] != 1 && bytes[6] != 2)) {
    return 0;
  }
  size_t prefix = bytes[6] == 1 ? 10 : 12;
  size_t length = bytes[8] | (size_t)bytes[9] << 8;
  if (bytes[6] == 2) {
    length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  }
  if (length >= header_size || length > size - prefix) {
    return 0;
  }
  memcpy(header, bytes + prefix, length);
  header[length] = '\0';
  return prefix + length;
}

/* What follows `key` and a colon in the header's dictionary; NULL without it. */
static const char *npy_value(const char *header, const char *key) {
  const char *at = strstr(header, key);
  at = at ? strchr(at + strlen(key), ':') : NULL;
  if (at) {
    at += 1 + strspn(at + 1, " ");
  }
  return at;
}

/* Begin of the data in the file at `bytes` if it holds the tensor, or several of them along the first axis; else NULL
 * and a reason. *data_size gets the bytes from there to the end. */
static const uint8_t *npy_data(const uint8_t *bytes, size_t size, const qrt_tensor_info *info, size_t *data_size,
                               const char **problem) {
  char header[4096];
  size_t begin = npy_header(bytes, size, header, sizeof header);
  const char *descr = npy_value(header, "'descr'"), *order = npy_value(header, "'fortran_order'");
  const char *shape = npy_value(header, "'shape'");
  *problem = NULL;
  if (!begin || !descr || !order || !shape) {
    *problem = "not a .npy file that this program reads";
    return NULL;
  }
  if (!*descr || strncmp(descr + 1, npy_descr(info->dtype), 3) != 0) {
    *problem = "its elements are of another type than the tensor's";
    return NULL;
  }
  if (strncmp(order, "False", 5) != 0) {
    *problem = "its elements are not in C order";
    return NULL;
  }
  shape += *shape == '(';
  unsigned long long samples = 1;
  for (uint32_t i = 0; i < info->rank; ++i) {
    unsigned long long extent = 0;
    while (*shape >= '0' && *shape <= '9' && extent < UINT32_MAX) {
      extent = extent * 10 + (unsigned)(*shape++ - '0');
    }
    shape += strspn(shape, ", ");
    unsigned long long expected = (unsigned)info->shape[i];
    if (!extent || (i ? extent != expected : extent % expected != 0)) {
      *problem = "its shape is not the tensor's";
      return NULL;
    }
    samples = i ? samples : extent / expected;
  }
  if (*shape != ')') {
    *problem = "its shape has more axes than the tensor's";
    return NULL;
  }
  *data_size = size - begin;
  if (*data_size % info->size || *data_size / info->size != samples) {
    *problem = "it is shorter or longer than its shape says";
    return NULL;
  }
  return bytes + begin;
}

/* Writes the header for `samples` tensors, one after the other along the first axis. */
static void npy_write_header(FILE *stream, const qrt_tensor_info *info, size_t samples) {
  char header[512];
  int at =
      snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", npy_descr(info->dtype));
  for (uint32_t i = 0; i < info->rank; ++i) {
    unsigned long long extent = (unsigned long long)(unsigned)info->shape[i] * (i ? 1 : samples);
    at += snprintf(header + at, sizeof header - (size_t)at, "%llu,%s", extent, i + 1 < info->rank ? " " : "");
  }
  at += snprintf(header + at, sizeof header - (size_t)at, "), }");
  size_t length = ((size_t)at + 1 + 10 + 63) / 64 * 64 - 10; /* the data is aligned to 64 bytes */
  unsigned char prefix[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8)};
  fwrite(prefix, 1, sizeof prefix, stream);
  fprintf(stream, "%-*s\n", (int)length - 1, header);
}

#endif
