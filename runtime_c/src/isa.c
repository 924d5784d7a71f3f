/* isa.c - which instruction sets this build contains and this CPU has. The QRT_ISA environment variable is not read
 * here. */
#include "isa.h"

#include <stddef.h>

#include "qrt.h"

/* Bits of the auxiliary vector, which the kernel of the operating system fills. */
#if QRT_HOSTED && defined(__linux__) && (defined(__arm__) || defined(__aarch64__))
#include <sys/auxv.h>
#define HWCAP_BIT_NEON    (1ul << 12) /* 32-bit */
#define HWCAP_BIT_ASIMDHP (1ul << 10) /* 64-bit: arithmetic in half precision */
#define HWCAP_BIT_ASIMDDP (1ul << 20) /* 64-bit: sdot, udot */
#define HWCAP2_BIT_I8MM   (1ul << 13) /* 64-bit: smmla */
#endif

typedef struct isa_row {
  const char *name;
  uint32_t isa, implies;
} isa_row;

static const isa_row rows[] = {
#define QRT_ISA_ROW(name, implies) {#name, QRT_ISA_##name, implies},
#include "isa.inc"
#undef QRT_ISA_ROW
};

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* Some compilers do not know the name. */
static int has_avxvnni(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

/* AVX-VNNI's kernels are compiled to AVX-512's instructions on 256 bits, for machines that have only these. */
#ifndef QRT_AVXVNNI_EVEX
#define QRT_AVXVNNI_EVEX 0
#endif

/* What the CPU can execute and the operating system preserves. Where there is nobody to ask, what the compiler was
 * told. */
static uint32_t cpu_isas(void) {
  uint32_t isas = QRT_ISA_scalar;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) isas |= QRT_ISA_avx2;
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    isas |= QRT_ISA_avx512vnni;
  if (isas & QRT_ISA_avx2 && has_avxvnni()) isas |= QRT_ISA_avxvnni;
  if (QRT_AVXVNNI_EVEX && isas & QRT_ISA_avx512vnni) isas |= QRT_ISA_avxvnni;
#elif defined(__aarch64__)
  isas |= QRT_ISA_neon;
#if QRT_HOSTED && defined(__linux__)
  /* Every core known that has dot products has half precision; the kernels use both. */
  const unsigned long both = HWCAP_BIT_ASIMDHP | HWCAP_BIT_ASIMDDP;
  if ((getauxval(AT_HWCAP) & both) == both) isas |= QRT_ISA_neondot;
  if ((isas & QRT_ISA_neondot) && (getauxval(AT_HWCAP2) & HWCAP2_BIT_I8MM)) isas |= QRT_ISA_i8mm;
#else
#if defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
  isas |= QRT_ISA_neondot;
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
  isas |= QRT_ISA_i8mm;
#endif
#endif
#elif QRT_HOSTED && defined(__linux__) && defined(__arm__)
  if (getauxval(AT_HWCAP) & HWCAP_BIT_NEON) isas |= QRT_ISA_neon;
#elif defined(__ARM_NEON)
  isas |= QRT_ISA_neon;
#endif
  /* Only kernels are compiled for MVE, so that no compiler puts its floats elsewhere: the target's word counts. */
  if (QRT_HAVE_MVE) isas |= QRT_ISA_mve;
#ifdef __ARM_FEATURE_DSP
  isas |= QRT_ISA_dsp;
#endif
  return isas;
}

static uint32_t built_isas(void) {
  uint32_t isas = QRT_HAVE_SCALAR ? QRT_ISA_scalar : 0;
  if (QRT_HAVE_AVX512VNNI) isas |= QRT_ISA_avx512vnni;
  if (QRT_HAVE_AVXVNNI) isas |= QRT_ISA_avxvnni;
  if (QRT_HAVE_AVX2) isas |= QRT_ISA_avx2;
  if (QRT_HAVE_I8MM) isas |= QRT_ISA_i8mm;
  if (QRT_HAVE_NEONDOT) isas |= QRT_ISA_neondot;
  if (QRT_HAVE_NEON) isas |= QRT_ISA_neon;
  if (QRT_HAVE_MVE) isas |= QRT_ISA_mve;
  if (QRT_HAVE_DSP) isas |= QRT_ISA_dsp;
  return isas;
}

uint32_t qrt_isa_available(void) {
  return cpu_isas() & built_isas();
}

/* strcmp(a, b) == 0; the core takes nothing from libc but memory functions. */
static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

uint32_t qrt_isa_mask(const char *name) {
  const uint32_t available = qrt_isa_available();
  if (name == NULL) return available;
  for (size_t i = 0; i < QRT_ISA_COUNT; i++) {
    if (same(name, rows[i].name) && (rows[i].isa & available)) return (rows[i].isa | rows[i].implies) & available;
  }
  return 0;
}

const char *qrt_isa_name(uint32_t index) {
  const uint32_t available = qrt_isa_available();
  for (size_t i = 0; i < QRT_ISA_COUNT; i++) {
    if ((rows[i].isa & available) && index-- == 0) return rows[i].name;
  }
  return NULL;
}
