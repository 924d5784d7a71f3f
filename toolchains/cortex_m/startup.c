/* startup.c - from reset to main() on a Cortex-M without an operating system: vectors, memory, float unit, a clock. The
 * debugger or emulator takes messages and the exit status (semihosting). For a board of your own, see docs/boards.md.
 */
#include "board.h"

extern uint32_t qrt_board_data[], qrt_board_data_end[], qrt_board_data_load[], qrt_board_bss[], qrt_board_bss_end[];
extern uint32_t qrt_board_stack[];

int main(void);

#define SCB_VTOR   (*(volatile uint32_t *)0xe000ed08)
#define SCB_CPACR  (*(volatile uint32_t *)0xe000ed88)
#define SYST_CSR   (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR   (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR   (*(volatile uint32_t *)0xe000e018)
#define TICK_RANGE 0x1000000u

/* ---- semihosting ---- */

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, STOPPED_APPLICATION_EXIT = 0x20026 };

int qrt_board_ask_host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void qrt_board_print(const char *text) {
  qrt_board_ask_host(SYS_WRITE0, text);
}

void qrt_board_exit(int status) {
  const uint32_t block[2] = {STOPPED_APPLICATION_EXIT, (uint32_t)status};
  qrt_board_ask_host(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

static void fault(void) {
  qrt_board_print("fault: the program did what the core does not allow\n");
  qrt_board_exit(127);
}

/* ---- time ---- */

static volatile uint32_t wraps;

static void tick(void) {
  ++wraps;
}

uint64_t qrt_board_cycles(void) {
  uint32_t before, count;
  do {
    before = wraps;
    count = SYST_CVR;
  } while (before != wraps);
  return (uint64_t)before * TICK_RANGE + (TICK_RANGE - 1 - count);
}

/* ---- from reset to main ---- */

/* semihosting.c has one for programs with a command line and files. */
__attribute__((weak)) int qrt_board_start(void);
__attribute__((weak)) int qrt_board_start(void) {
  return main();
}

_Noreturn void qrt_board_reset(void);

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)(void *)qrt_board_stack,
    (vector)qrt_board_reset,
    fault,
    fault,
    fault,
    fault,
    fault,
    fault,
    0,
    0,
    0,
    fault,
    fault,
    0,
    fault,
    tick,
};

_Noreturn void qrt_board_reset(void) {
  SCB_VTOR = (uint32_t)vectors;
  SCB_CPACR |= 0xfu << 20; /* float unit and MVE, where there are such */
  __asm__ volatile("dsb\n\tisb" : : : "memory");
  uint32_t *load = qrt_board_data_load;
  for (uint32_t *to = qrt_board_data; to < qrt_board_data_end; ++to) {
    *to = *load++;
  }
  for (uint32_t *to = qrt_board_bss; to < qrt_board_bss_end; ++to) {
    *to = 0;
  }
  SYST_RVR = TICK_RANGE - 1;
  SYST_CVR = 0;
  SYST_CSR = 7; /* the core's clock, interrupt, go */
  qrt_board_exit(qrt_board_start());
}
