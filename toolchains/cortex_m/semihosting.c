/* semihosting.c - what programs written for a process need on a board: the words of the command line, files, a heap.
 * The host's files and command line come through the debugger or emulator; newlib does the rest. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/types.h>

#include "board.h"

extern char end[]; /* of the variables, where the heap begins */

void initialise_monitor_handles(void); /* newlib's: stdin, stdout, stderr */
int main(int argc, char **argv);

enum { SYS_GET_CMDLINE = 0x15, MOST_WORDS = 255 };

_Noreturn void _exit(int status);
_Noreturn void _exit(int status) {
  qrt_board_exit(status);
}

enum { STACK = 16384 }; /* more than qrt_run takes, with its buffers */

/* The heap ends well below the stack pointer. */
void *_sbrk(ptrdiff_t increment);
void *_sbrk(ptrdiff_t increment) {
  static char *top = end;
  char here;
  char *before = top;
  if (increment > 0 && (uintptr_t)&here - (uintptr_t)top < (uintptr_t)increment + STACK) {
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

/* Cuts the command line at blanks, in place; -1 if it has more words than `most`. */
static int split(char *line, char **words, int most) {
  int count = 0;
  for (char *at = line; *at;) {
    while (*at == ' ') {
      *at++ = '\0';
    }
    if (*at && count == most) {
      return -1;
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

int qrt_board_start(void);
int qrt_board_start(void) {
  static char line[4096];
  static char *words[MOST_WORDS + 1];
  struct {
    char *text;
    uint32_t size;
  } block = {line, sizeof line - 1};
  initialise_monitor_handles();
  int count = qrt_board_ask_host(SYS_GET_CMDLINE, &block) == 0 ? split(line, words, MOST_WORDS) : -1;
  if (count < 0) {
    qrt_board_print("the command line is too long for this program\n");
    qrt_board_exit(2);
  }
  exit(main(count, words));
}
