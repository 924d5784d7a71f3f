/* isa.h - the instruction sets: their names, which this CPU has, and which a session may use. isa.inc lists them. */
#ifndef QRT_ISA_H
#define QRT_ISA_H

#include <stdint.h>

enum {
#define QRT_ISA_ROW(name, implies) QRT_ISA_INDEX_##name,
#include "isa.inc"
#undef QRT_ISA_ROW
  QRT_ISA_COUNT
};

/* One bit each: QRT_ISA_scalar, QRT_ISA_avx2, ... A kernel's row carries one. */
enum {
#define QRT_ISA_ROW(name, implies) QRT_ISA_##name = 1u << QRT_ISA_INDEX_##name,
#include "isa.inc"
#undef QRT_ISA_ROW
};

/* Instruction sets that this build contains and this CPU has. */
uint32_t qrt_isa_available(void);

/* The mask for a session limited to `name`: that set and all that it implies. 0 when the name is unknown or the set is
 * not available. NULL means everything available. */
uint32_t qrt_isa_mask(const char *name);

#endif
