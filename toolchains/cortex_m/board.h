/* board.h - what startup.c offers to programs. */
#ifndef QRT_BOARD_H
#define QRT_BOARD_H

#include <stdint.h>

/* Text to the debugger's or emulator's console; the program's end and its status. */
void qrt_board_print(const char *text);
_Noreturn void qrt_board_exit(int status);

/* A semihosting call. */
int qrt_board_ask_host(int operation, const void *argument);

/* Cycles of the core's clock since reset. */
uint64_t qrt_board_cycles(void);

#endif
