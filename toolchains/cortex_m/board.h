/* board.h - what startup.c offers to programs. */
#ifndef QRT_BOARD_H
#define QRT_BOARD_H

#include <stdint.h>

/* Cycles of the core's clock since reset. */
uint64_t qrt_board_cycles(void);

#endif
