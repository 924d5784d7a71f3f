/* platform.h - what the runtime assumes about its machine, refused by name at compile time, and the build's switches.
 *
 *   QRT_MESSAGES  1: errors carry a sentence that names the field; 0: only a status, and no text is linked
 *   QRT_THREADS   1: sessions may run on several threads; qrt_workers_open makes them with pthreads
 *   QRT_HOSTED    1: the environment variables QRT_ISA and QRT_TRACE are honoured (hosted.c)
 *   QRT_COMPACT   1: little memory: an operator is bound anew before each of its runs, in memory that all share
 */
#ifndef QRT_PLATFORM_H
#define QRT_PLATFORM_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#ifndef QRT_MESSAGES
#define QRT_MESSAGES 1
#endif

#ifndef QRT_HOSTED
#if defined(__linux__) || defined(__APPLE__) || defined(_WIN32)
#define QRT_HOSTED 1
#else
#define QRT_HOSTED 0
#endif
#endif

#ifndef QRT_THREADS
#define QRT_THREADS 0
#endif

#ifndef QRT_COMPACT
#define QRT_COMPACT 0
#endif
#if QRT_COMPACT && QRT_THREADS
#error "qrt: QRT_COMPACT is for sessions on one thread; build with QRT_THREADS=0"
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "qrt: big-endian machines are not supported: .qsdk files are used in place and are little-endian"
#endif
#if FLT_EVAL_METHOD != 0
#error "qrt: float arithmetic with extra precision is not supported; on i386 compile with -msse2 -mfpmath=sse"
#endif

_Static_assert(sizeof(float) == 4 && FLT_MANT_DIG == 24, "float is IEEE binary32");
_Static_assert((-1 >> 1) == -1 && sizeof(int) == 4, "two's complement, arithmetic shifts, 32-bit int");

/* No tensor, arena or section is larger. Leaves room to add a few of them in size_t and in int64_t. */
#define QRT_MAX_BYTES (SIZE_MAX / 4 < (UINT64_C(1) << 40) ? (uint64_t)(SIZE_MAX / 4) : (UINT64_C(1) << 40))

#endif
