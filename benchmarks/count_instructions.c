/* count_instructions.c - a QEMU user-mode plugin that counts what a program executes and prints, at its end,
 *
 *   instructions 123456          executed
 *   wide 2345                    128-bit registers that loads filled, which cost a Cortex-A53 a cycle more each
 *   function 1234 56 qrt_gemm    the two numbers of each function; with the argument functions=on
 *
 *   gcc -O2 -shared -fPIC count_instructions.c -o count_instructions.so
 *   qemu-aarch64 -plugin ./count_instructions.so,functions=on PROGRAM
 *
 * Debian's QEMU 7.2 comes without the header for plugins, so what is used of it is declared here. Counters are added to
 * once per block of code, without calls: a program runs about half as fast. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *counter, uint64_t addend);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*at_exit)(uint64_t, void *), void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t index);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

typedef struct counter {
  const char *function;
  uint64_t instructions, wide;
} counter;

enum { FUNCTIONS = 4096 };

static counter counters[FUNCTIONS] = {{"", 0, 0}};
static size_t counter_count = 1;
static int by_function;

/* The counter of a function; where functions do not count or are too many, that of all others. */
static counter *counter_of(const struct qemu_plugin_insn *instruction) {
  const char *symbol = by_function ? qemu_plugin_insn_symbol(instruction) : NULL;
  if (!symbol) return counters;
  for (size_t i = 1; i < counter_count; i++) {
    if (strcmp(counters[i].function, symbol) == 0) return &counters[i];
  }
  if (counter_count == FUNCTIONS) return counters;
  counters[counter_count].function = strdup(symbol);
  return &counters[counter_count++];
}

/* How often `part` occurs in `text`. */
static uint64_t occurrences(const char *text, const char *part) {
  uint64_t count = 0;
  for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) count++;
  return count;
}

/* 128-bit registers that an instruction loads: ldr q0, ldp q0, q1, ld1 {v0.16b}; vld1.8 {d0, d1} is one. */
static uint64_t wide_of(const char *text) {
  const char *operands = strpbrk(text, " \t");
  if (!operands) return 0;
  if (strncmp(text, "ld", 2) == 0) {
    const char *address = strchr(operands, '[');
    char registers[64] = "";
    if (!address) return 0;
    strncat(registers, operands, (size_t)(address - operands) < 63 ? (size_t)(address - operands) : 63);
    return occurrences(registers, "q") + occurrences(registers, ".16b") + occurrences(registers, ".8h") +
           occurrences(registers, ".4s") + occurrences(registers, ".2d");
  }
  return strncmp(text, "vld", 3) == 0 ? occurrences(operands, "d") / 2 : 0;
}

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(block);
  counter *c = counter_of(qemu_plugin_tb_get_insn(block, 0));
  uint64_t wide = 0;
  for (size_t i = 0; i < count; i++) {
    char *text = qemu_plugin_insn_disas(qemu_plugin_tb_get_insn(block, i));
    wide += text ? wide_of(text) : 0;
    free(text);
  }
  qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &c->instructions, count);
  if (wide) qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &c->wide, wide);
}

static void at_exit(uint64_t id, void *user) {
  uint64_t instructions = 0, wide = 0;
  (void)id, (void)user;
  for (size_t i = 0; i < counter_count; i++) {
    instructions += counters[i].instructions;
    wide += counters[i].wide;
  }
  fprintf(stderr, "instructions %" PRIu64 "\nwide %" PRIu64 "\n", instructions, wide);
  for (size_t i = 1; i < counter_count; i++) {
    if (!counters[i].instructions) continue;
    fprintf(stderr, "function %" PRIu64 " %" PRIu64 " %s\n", counters[i].instructions, counters[i].wide,
            counters[i].function);
  }
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info, int count,
                                                               char **options) {
  (void)info;
  for (int i = 0; i < count; i++) by_function |= strcmp(options[i], "functions=on") == 0;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, at_exit, NULL);
  return 0;
}
