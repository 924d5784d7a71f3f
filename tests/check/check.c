/* check.c - runs the checks of all kernel families and reports. See check.h. */
#define _DEFAULT_SOURCE 1
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if QRT_HOSTED
#include <signal.h>
#else /* no signals: a fault ends the program, and says so */
#define sigjmp_buf                jmp_buf
#define sigsetjmp(buffer, mask)   setjmp(buffer)
#define siglongjmp(buffer, value) longjmp(buffer, value)
#endif

static const char usage[] =
    "usage: check [--seed=N] [--only=TEXT] [--except=TEXT] [--require=ISA,...] [--list] [--bench]\n"
    "  Compares every SIMD kernel that this CPU can run with the scalar reference, byte by byte.\n"
    "  --seed=N       repeat a run\n"
    "  --only=TEXT    kernels whose family and name contain TEXT\n"
    "  --except=TEXT  but not those that contain this TEXT\n"
    "  --require=...  these instruction sets must be there; otherwise their kernels' absence is no failure\n"
    "  --list         list the kernels, run nothing\n"
    "  --bench        measure instead of compare\n";

static const check_family *const families[] = {
    &check_requantize, &check_gemm,    &check_dwconv,     &check_vadd,       &check_vmul,      &check_pool,
    &check_lut,        &check_convert, &check_interleave, &check_arithmetic, &check_functions, &check_wgemm,
    &check_unary,      &check_binary,  &check_rows,       &check_matmul,     &check_taps,      &check_transpose,
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static const struct {
  const char *name;
  uint32_t isa;
} isas[] = {
#define QRT_ISA_ROW(name, implies) {#name, QRT_ISA_##name},
#include "../../runtime_c/src/isa.inc"
#undef QRT_ISA_ROW
};

static char current_kernel[80];
static char current_case[400];
static unsigned cases;
static sigjmp_buf leave_kernel;

#if QRT_HOSTED
#define as_understood(format) (format)
#else
/* newlib's printf may lack %zu, where size_t is as wide as unsigned, and %a. */
static const char *as_understood(const char *format) {
  static char changed[200];
  size_t length = 0;
  for (; *format && length < sizeof changed - 1; format++) {
    const int directive = length > 0 && changed[length - 1] == '%';
    if (directive && *format == 'z') continue;
    changed[length++] = directive && *format == 'a' ? 'g' : *format;
  }
  changed[length] = '\0';
  return changed;
}
#endif

void check_case(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(current_case, sizeof current_case, as_understood(format), arguments);
  va_end(arguments);
  cases++;
}

void check_fail(const char *format, ...) {
  va_list arguments;
  printf("%-32s FAILED ", current_kernel);
  va_start(arguments, format);
  vprintf(as_understood(format), arguments);
  va_end(arguments);
  printf("\n  case %u: %s\n", cases, current_case);
  siglongjmp(leave_kernel, 1);
}

#if QRT_HOSTED
static void on_signal(int signal_number) {
  check_fail("%s", signal_number == SIGSEGV  ? "SIGSEGV: reads or writes where it must not"
                   : signal_number == SIGBUS ? "SIGBUS: reads or writes where it must not"
                                             : "SIGILL: an instruction that this CPU does not have");
}

static void watch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGILL, &action, NULL);
}
#else
static void watch_signals(void) {}
#endif

/* True when every case agreed. */
static int compare(const check_family *family, size_t index, uint64_t seed) {
  snprintf(current_kernel, sizeof current_kernel, "%s %s", family->name, family->kernel_name(index));
  snprintf(current_case, sizeof current_case, "preparation");
  cases = 0;
  check_seed(seed);
  if (sigsetjmp(leave_kernel, 1)) return 0;
  family->compare(index);
  printf("%-32s ok  (%u cases)\n", current_kernel, cases);
  return 1;
}

/* How many of the comma-separated names are unknown, missing here, or have no kernel at all. */
static int count_missing(const char *names) {
  char buffer[200];
  int missing = 0;
  snprintf(buffer, sizeof buffer, "%s", names);
  for (char *name = strtok(buffer, ","); name; name = strtok(NULL, ",")) {
    uint32_t isa = 0;
    for (size_t i = 0; i < QRT_ISA_COUNT; i++) {
      if (strcmp(name, isas[i].name) == 0) isa = isas[i].isa & qrt_isa_available();
    }
    size_t kernels = 0;
    for (size_t f = 0; f < FAMILIES; f++) {
      for (size_t i = 0; i < families[f]->count(); i++) kernels += (families[f]->isa(i) & isa) != 0;
    }
    if (kernels > 0) continue;
    printf("%-32s FAILED required, but not in this build or not on this CPU\n", name);
    missing++;
  }
  return missing;
}

static void measure(const check_family *family, size_t index, const char *title, double cycles_per_ns) {
  char what[CHECK_WHAT];
  double rate;
  for (size_t shape = 0; (rate = family->bench(index, shape, what)) > 0; shape++) {
    printf("%-32s %-38s %8.2f per cycle %8.2f %ss/ns\n", title, what, rate / cycles_per_ns, rate, family->unit);
  }
}

int main(int count, char **arguments) {
  uint64_t seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
  const char *only = "", *except = NULL, *require = "";
  int list = 0, bench = 0, passed = 0, failed = 0;
  for (int i = 1; i < count; i++) {
    const char *argument = arguments[i];
    if (strncmp(argument, "--seed=", 7) == 0) {
      seed = strtoull(argument + 7, NULL, 0);
    } else if (strncmp(argument, "--only=", 7) == 0) {
      only = argument + 7;
    } else if (strncmp(argument, "--except=", 9) == 0) {
      except = argument + 9;
    } else if (strncmp(argument, "--require=", 10) == 0) {
      require = argument + 10;
    } else if (strcmp(argument, "--list") == 0) {
      list = 1;
    } else if (strcmp(argument, "--bench") == 0) {
      bench = 1;
    } else {
      fputs(usage, strcmp(argument, "--help") == 0 ? stdout : stderr);
      return strcmp(argument, "--help") == 0 ? 0 : 2;
    }
  }

  watch_signals();
  setvbuf(stdout, NULL, _IOLBF, 0);

  if (!list && !bench) printf("seed %llu\n", (unsigned long long)seed);
  const double cycles_per_ns = bench ? check_cycles_per_ns() : 1;
  if (bench) printf("%.2f cycles/ns\n", cycles_per_ns);
  for (size_t f = 0; f < FAMILIES; f++) {
    const check_family *family = families[f];
    const size_t kernels = family->count();
    for (size_t i = 0; i < kernels; i++) {
      char title[80];
      snprintf(title, sizeof title, "%s %s", family->name, family->kernel_name(i));
      if (!strstr(title, only) || (except && strstr(title, except))) continue;
      if (!(family->isa(i) & qrt_isa_available())) {
        printf("%-32s not on this CPU\n", title);
      } else if (list) {
        printf("%-32s %s%s\n", title, i + 1 < kernels ? "compared with " : "reference",
               i + 1 < kernels ? family->kernel_name(kernels - 1) : "");
      } else if (bench) {
        measure(family, i, title, cycles_per_ns);
      } else if (compare(family, i, seed)) {
        passed++;
      } else {
        failed++;
      }
    }
  }
  failed += count_missing(require);
  if (!list && !bench) printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
