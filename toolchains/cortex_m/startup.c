/* startup.c - from reset to main() on a Cortex-M without an operating system: vectors, memory, float unit, the words
 * of the command line, a clock. The host's debugger or emulator lends its files and takes the exit status
 * (semihosting). For a board of your own, see docs/boards.md. */
#include "board.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/types.h>

extern uint32_t qrt_board_data[], qrt_board_data_end[], qrt_board_data_load[], qrt_board_bss[], qrt_board_bss_end[];
extern uint32_t qrt_board_stack[];
extern char end[];

void initialise_monitor_handles(void); /* newlib's: stdin, stdout, stderr */
int main(int argc, char **argv);

#define SCB_VTOR   (*(volatile uint32_t *)0xe000ed08)
#define SCB_CPACR  (*(volatile uint32_t *)0xe000ed88)
#define SYST_CSR   (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR   (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR   (*(volatile uint32_t *)0xe000e018)
#define TICK_RANGE 0x1000000u

/* ---- semihosting ---- */

enum { SYS_WRITE0 = 0x04, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20, STOPPED_APPLICATION_EXIT = 0x20026 };

static int semihost(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

_Noreturn void _exit(int status);
_Noreturn void _exit(int status) {
  const uint32_t block[2] = {STOPPED_APPLICATION_EXIT, (uint32_t)status};
  semihost(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

static void fault(void) {
  semihost(SYS_WRITE0, "fault: the program did what the core does not allow\n");
  _exit(127);
}

/* ---- memory ---- */

/* The heap ends well below the stack pointer. */
void *_sbrk(ptrdiff_t increment);
void *_sbrk(ptrdiff_t increment) {
  static char *top = end;
  char here;
  char *before = top;
  if (increment > 0 && (uintptr_t)&here - (uintptr_t)top < (uintptr_t)increment + 65536) {
    return (void *)-1;
  }
  top += increment;
  return before;
}

/* What newlib's aligned_alloc is made of, and newlib lacks. */
int posix_memalign(void **memory, size_t alignment, size_t size);
int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
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

/* Cuts the command line at blanks, in place. */
static int split(char *line, char **words, int most) {
  int count = 0;
  for (char *at = line; *at && count < most;) {
    while (*at == ' ') {
      *at++ = '\0';
    }
    if (*at) {
      words[count++] = at;
    }
    while (*at && *at != ' ') {
      ++at;
    }
  }
  return count;
}

static int start_main(void) {
  static char line[4096];
  static char *words[64];
  struct {
    char *text;
    uint32_t size;
  } block = {line, sizeof line - 1};
  initialise_monitor_handles();
  int count = semihost(SYS_GET_CMDLINE, &block) == 0 ? split(line, words, 63) : 0;
  return main(count, words);
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
  exit(start_main());
}
