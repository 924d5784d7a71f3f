/* qrt_run.c - runs .qsdk files from the command line; the program that goes to a board or into an emulator. Unlike the
 * runtime, it allocates, prints and reads files. */
#if QRT_HOSTED
#define _POSIX_C_SOURCE 200112L
#endif

#include "qrt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "npy.h"
#include "timing.h"

#define MAX_IO 64

static const char usage[] =
    "qrt_run FILE [--input F]... [--output F]...   runs FILE once; tensors are .npy files, or raw bytes\n"
    "  --repeat N     runs N times and prints how long a run took\n"
    "  --profile      with --repeat: also prints each operator's mean time, share and kernel\n"
    "  --isa NAME     uses nothing above this instruction set\n"
    "  --threads N    runs on N threads\n"
    "  --verify       checksum of the file, then its test vectors, bit for bit\n"
    "  --self-test    the test vectors alone\n"
    "  --trace        prints a line per operator: index, operation, kernel, CRC-32 of the output\n"
    "  --info         prints inputs, outputs, operators and memory; runs nothing\n"
    "qrt_run --batch LIST [--isa NAME] [--threads N]   one run per line: FILE INPUT[,INPUT]... OUTPUT[,OUTPUT]...\n"
    "An input file may hold several samples; they are run one by one, and the outputs joined.\n"
    "Exit status: 0 success, 1 failure, 2 wrong usage, 3 not enough memory for the file or its arena.\n";

typedef struct options {
  const char *file, *isa, *batch;
  const char *inputs[MAX_IO], *outputs[MAX_IO];
  uint32_t input_count, output_count;
  unsigned long repeat, threads;
  int verify, self_test, trace, info, profile;
} options;

typedef struct program {
  blob file;
  qrt_model model;
  qrt_session *session;
  void *arena, *worker_memory;
  size_t arena_size;
  timing timing;
  qrt_workers workers;
} program;

/* ---- a program: file, model, session ---- */

static void print_trace(void *user, const qrt_event *event) {
  timing_operator(user, event);
  printf("%" PRIu32 " %s %s %08" PRIx32 "\n", event->index, event->operation, *event->kernel ? event->kernel : "-",
         qrt_crc32(0, event->output, event->output_size));
}

static void program_close(program *p) {
  qrt_workers_close(&p->workers);
  free(p->worker_memory);
  free(p->arena);
  free(p->file.bytes);
}

static int program_open(program *p, const char *path, const options *o) {
  qrt_error error;
  qrt_config config;
  memset(p, 0, sizeof *p);
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.isa = o->isa;
  config.threads = (uint32_t)o->threads;
  config.workers = &p->workers;
  config.on_operator = o->trace ? print_trace : o->profile ? timing_operator : NULL;
  config.user = &p->timing;
  int failed = read_file(path, &p->file);
  if (failed) {
    return failed;
  }
  qrt_status status = qrt_model_open(&p->model, p->file.bytes, p->file.size, &error);
  if (status == QRT_OK) {
    status = qrt_arena_size(&p->model, &config, &p->arena_size, &error);
  }
  if (status != QRT_OK) {
    return complain_status(path, status, &error);
  }
  p->arena = allocate(p->arena_size);
  if (!p->arena) {
    return complain_memory(path, "its arena");
  }
  if (o->threads > 1) {
    size_t size = qrt_workers_size(config.threads);
    p->worker_memory = allocate(size);
    status = qrt_workers_open(&p->workers, config.threads, p->worker_memory, size, &error);
    if (status != QRT_OK) {
      return complain_status(path, status, &error);
    }
  }
  status = qrt_session_open(&p->session, &p->model, &config, p->arena, p->arena_size, &error);
  return status == QRT_OK ? 0 : complain_status(path, status, &error);
}

static int program_run(program *p, const char *path) {
  qrt_error error;
  qrt_status status = qrt_session_run(p->session, &error);
  return status == QRT_OK ? 0 : complain_status(path, status, &error);
}

/* ---- tensors in files ---- */

static int is_npy(const char *path) {
  size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, ".npy") == 0;
}

/* The bytes of an input file that are tensor content; their number is a multiple of the tensor's size. */
static int input_data(const char *path, const blob *b, const qrt_tensor_info *info, const uint8_t **data,
                      size_t *samples) {
  size_t size = b->size;
  *data = b->bytes;
  if (is_npy(path)) {
    const char *problem;
    *data = npy_data(b->bytes, b->size, info, &size, &problem);
    if (!*data) {
      return complain(path, problem);
    }
  }
  if (!size || size % info->size) {
    fprintf(stderr, "qrt_run: %s: %lu bytes, not a multiple of the input's %lu\n", path, (unsigned long)size,
            (unsigned long)info->size);
    return 1;
  }
  *samples = size / info->size;
  return 0;
}

typedef struct tensors {
  blob inputs[MAX_IO];
  const uint8_t *data[MAX_IO];
  qrt_tensor_info info[MAX_IO];
  FILE *outputs[MAX_IO];
  size_t samples;
} tensors;

static int open_inputs(tensors *t, const program *p, const char *const *paths, uint32_t count) {
  t->samples = 1;
  if (count != 0 && count != qrt_model_input_count(&p->model)) {
    fprintf(stderr, "qrt_run: %" PRIu32 " input files, the model has %" PRIu32 " inputs\n", count,
            qrt_model_input_count(&p->model));
    return 1;
  }
  for (uint32_t i = 0; i < count; ++i) {
    size_t samples = 0;
    if (qrt_model_input(&p->model, i, &t->info[i], NULL) != QRT_OK || read_file(paths[i], &t->inputs[i]) ||
        input_data(paths[i], &t->inputs[i], &t->info[i], &t->data[i], &samples)) {
      return 1;
    }
    if (i && samples != t->samples) {
      return complain(paths[i], "holds another number of samples than the first input");
    }
    t->samples = samples;
  }
  return 0;
}

static int open_outputs(tensors *t, const program *p, const char *const *paths, uint32_t count) {
  if (count > qrt_model_output_count(&p->model)) {
    fprintf(stderr, "qrt_run: %" PRIu32 " output files, the model has %" PRIu32 " outputs\n", count,
            qrt_model_output_count(&p->model));
    return 1;
  }
  for (uint32_t i = 0; i < count; ++i) {
    qrt_tensor_info info;
    t->outputs[i] = fopen(paths[i], "wb");
    if (!t->outputs[i] || qrt_model_output(&p->model, i, &info, NULL) != QRT_OK) {
      return complain(paths[i], "cannot be written");
    }
    if (is_npy(paths[i])) {
      if (t->samples > 1 && !info.rank) {
        return complain(paths[i], "a scalar output has no axis to join samples along");
      }
      npy_write_header(t->outputs[i], &info, t->samples);
    }
  }
  return 0;
}

static int close_tensors(tensors *t, const char *const *outputs) {
  int failed = 0;
  for (uint32_t i = 0; i < MAX_IO; ++i) {
    free(t->inputs[i].bytes);
    if (t->outputs[i] && (ferror(t->outputs[i]) | fclose(t->outputs[i]))) {
      failed = complain(outputs[i], "cannot be written");
    }
  }
  return failed;
}

static int set_inputs(program *p, const tensors *t, uint32_t count, size_t sample) {
  for (uint32_t i = 0; i < count; ++i) {
    qrt_error error;
    size_t size = t->info[i].size;
    qrt_status status = qrt_session_set_input(p->session, i, t->data[i] + sample * size, size, &error);
    if (status != QRT_OK) {
      return complain_status("input", status, &error);
    }
  }
  return 0;
}

static void write_outputs(const program *p, tensors *t, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    qrt_tensor_info info;
    if (qrt_model_output(&p->model, i, &info, NULL) == QRT_OK) {
      fwrite(qrt_session_output(p->session, i), 1, info.size, t->outputs[i]);
    }
  }
}

/* ---- what the options ask for ---- */

/* Inputs are set anew before each run, outside of the time taken. */
static int repeat(program *p, const options *o, const tensors *t, uint32_t inputs, const char *path) {
  uint32_t operators = o->profile ? qrt_model_operator_count(&p->model) : 0;
  int failed = timing_open(&p->timing, o->repeat, operators) ? 0 : complain_memory(path, "the times of so many runs");
  while (!failed && p->timing.count < p->timing.most) {
    failed = set_inputs(p, t, inputs, 0);
    double begin = timing_begin(&p->timing);
    failed = failed ? failed : program_run(p, path);
    timing_end(&p->timing, begin);
  }
  if (!failed) {
    timing_print(&p->timing);
    timing_print_operators(&p->timing, operators);
  }
  timing_close(&p->timing);
  p->timing.operators = NULL; /* later runs are not measured */
  return failed;
}

static int run_samples(program *p, const options *o, const char *path, const char *const *inputs, uint32_t input_count,
                       const char *const *outputs, uint32_t output_count) {
  tensors *t = calloc(1, sizeof *t);
  if (!t) {
    return complain_memory(path, "its tensors");
  }
  int failed = open_inputs(t, p, inputs, input_count) || open_outputs(t, p, outputs, output_count);
  if (!failed && o->repeat) {
    failed = repeat(p, o, t, input_count, path);
  }
  for (size_t sample = 0; !failed && sample < t->samples; ++sample) {
    failed = set_inputs(p, t, input_count, sample) || program_run(p, path);
    if (!failed) {
      write_outputs(p, t, output_count);
    }
  }
  failed |= close_tensors(t, outputs);
  free(t);
  return failed;
}

static void print_tensor(const char *what, uint32_t i, const qrt_tensor_info *info) {
  static const char *const dtypes[] = {"float32", "int8", "uint8", "int32", "int64", "int4", "bool"};
  printf("%s %" PRIu32 ": %s [", what, i, dtypes[info->dtype]);
  for (uint32_t j = 0; j < info->rank; ++j) {
    printf("%s%" PRId32, j ? ", " : "", info->shape[j]);
  }
  printf("], %lu bytes", (unsigned long)info->size);
  if (info->scale > 0) {
    printf(", scale %.9g, zero point %" PRId32, (double)info->scale, info->zero_point);
  }
  printf(" %s\n", info->name);
}

static int print_info(const program *p, const options *o) {
  qrt_tensor_info info;
  qrt_config config = {.size = sizeof config, .isa = o->isa, .threads = (uint32_t)o->threads};
  size_t scratch = 0;
  for (uint32_t i = 0; qrt_model_input(&p->model, i, &info, NULL) == QRT_OK; ++i) {
    print_tensor("input", i, &info);
  }
  for (uint32_t i = 0; qrt_model_output(&p->model, i, &info, NULL) == QRT_OK; ++i) {
    print_tensor("output", i, &info);
  }
  qrt_scratch_size(&p->model, &config, &scratch, NULL);
  printf("operators %" PRIu32 ", file %lu bytes, arena %lu bytes, of which scratch %lu\n",
         qrt_model_operator_count(&p->model), (unsigned long)p->file.size, (unsigned long)p->arena_size,
         (unsigned long)scratch);
  for (uint32_t i = 0; i < qrt_model_operator_count(&p->model); ++i) {
    const char *kernel = qrt_session_kernel(p->session, i);
    printf("operator %" PRIu32 ": %s\n", i, *kernel ? kernel : "-");
  }
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    printf("%s%s", i ? " " : "instruction sets: ", qrt_isa_name(i));
  }
  printf("\n");
  return 0;
}

/* Packed weights in the file, of each instruction set that this CPU has, against the weights. */
static int verify_packed(program *p, const char *path, const char *isa, qrt_error *error) {
  qrt_config config = {.size = sizeof config, .isa = isa};
  qrt_session *sessions[2] = {NULL, NULL};
  void *arenas[2] = {NULL, NULL};
  qrt_status status = QRT_OK;
  for (int i = 0; status == QRT_OK && i < 2; ++i) {
    size_t size;
    config.ignore_packed = i;
    status = qrt_arena_size(&p->model, &config, &size, error);
    arenas[i] = status == QRT_OK ? allocate(size) : NULL;
    status = status == QRT_OK ? qrt_session_open(&sessions[i], &p->model, &config, arenas[i], size, error) : status;
  }
  status = status == QRT_OK ? qrt_session_check_packed(sessions[0], sessions[1], error) : status;
  uint32_t used = 0;
  qrt_packed packed;
  for (uint32_t i = 0; status == QRT_OK && qrt_session_packed(sessions[0], i, &packed, NULL) == QRT_OK; ++i) {
    used += packed.in_file != 0;
  }
  if (used) {
    printf("%s: packed for %s, %" PRIu32 " tensors\n", path, isa, used);
  }
  free(arenas[0]);
  free(arenas[1]);
  return status == QRT_OK ? 0 : complain_status(path, status, error);
}

static int verify(program *p, const options *o, const char *path) {
  qrt_error error;
  uint32_t count = 0;
  qrt_status status = o->verify ? qrt_model_checksum(&p->model, &error) : QRT_OK;
  if (status == QRT_OK) {
    status = qrt_session_self_test(p->session, &count, &error);
  }
  if (status != QRT_OK) {
    return complain_status(path, status, &error);
  }
  /* Sessions of compact builds use no packed weights. */
  for (uint32_t i = 0; !QRT_COMPACT && qrt_isa_name(i); ++i) {
    if (verify_packed(p, path, qrt_isa_name(i), &error)) {
      return 1;
    }
  }
  printf("%s: verified, %" PRIu32 " test vectors\n", path, count);
  return 0;
}

static int run_one(const options *o) {
  program p;
  int failed = program_open(&p, o->file, o);
  if (!failed && o->info) {
    failed = print_info(&p, o);
  } else if (!failed) {
    int checks = o->verify || o->self_test;
    if (checks) {
      failed = verify(&p, o, o->file);
    }
    if (!failed && (!checks || o->input_count || o->output_count || o->repeat)) {
      failed = run_samples(&p, o, o->file, o->inputs, o->input_count, o->outputs, o->output_count);
    }
  }
  program_close(&p);
  return failed;
}

/* ---- batch ---- */

/* Cuts `text` at each separator in place; more than MAX_IO parts are an error (0). */
static uint32_t split(char *text, const char *separators, const char **parts) {
  uint32_t count = 0;
  for (char *part = strtok(text, separators); part; part = strtok(NULL, separators)) {
    if (count == MAX_IO) {
      return 0;
    }
    parts[count++] = part;
  }
  return count;
}

static int run_line(const options *o, char *line, unsigned number) {
  const char *words[MAX_IO], *inputs[MAX_IO], *outputs[MAX_IO];
  char where[32];
  program p;
  uint32_t count = split(line, " \t\r\n", words);
  if (!count) {
    return 0; /* an empty line */
  }
  snprintf(where, sizeof where, "line %u", number);
  if (count != 3) {
    return complain(where, "not FILE INPUTS OUTPUTS");
  }
  uint32_t input_count = split(line + (words[1] - line), ",", inputs);
  uint32_t output_count = split(line + (words[2] - line), ",", outputs);
  int failed =
      program_open(&p, words[0], o) || run_samples(&p, o, words[0], inputs, input_count, outputs, output_count);
  program_close(&p);
  return failed;
}

static int run_batch(const options *o) {
  FILE *list = fopen(o->batch, "r");
  char line[8192];
  int failed = 0;
  if (!list) {
    return complain(o->batch, "cannot be opened");
  }
  for (unsigned number = 1; fgets(line, sizeof line, list); ++number) {
    if (strlen(line) == sizeof line - 1) {
      failed = complain(o->batch, "a line is too long");
      break;
    }
    failed |= run_line(o, line, number);
  }
  if (ferror(list)) {
    failed = complain(o->batch, "cannot be read");
  }
  fclose(list);
  return failed;
}

/* ---- command line ---- */

static int wrong_usage(const char *argument, const char *why) {
  fprintf(stderr, "qrt_run: %s: %s\n%s", argument, why, usage);
  return WRONG_USAGE;
}

/* 1 when `argument` is the option `name`; then *value is its value, or NULL when that is missing. */
static int takes_value(int argc, char **argv, int *i, const char *name, const char **value) {
  if (strcmp(argv[*i], name) != 0) {
    return 0;
  }
  *value = *i + 1 < argc ? argv[++*i] : NULL;
  return 1;
}

static int parse(int argc, char **argv, options *o) {
  memset(o, 0, sizeof *o);
  for (int i = 1; i < argc; ++i) {
    const char *argument = argv[i], *value = "", *number = NULL;
    unsigned long *count = &o->repeat, most = 100000000;
    if (takes_value(argc, argv, &i, "--input", &value)) {
      if (o->input_count == MAX_IO) {
        return wrong_usage(argument, "too many");
      }
      o->inputs[o->input_count++] = value;
    } else if (takes_value(argc, argv, &i, "--output", &value)) {
      if (o->output_count == MAX_IO) {
        return wrong_usage(argument, "too many");
      }
      o->outputs[o->output_count++] = value;
    } else if (takes_value(argc, argv, &i, "--repeat", &value)) {
      number = value;
    } else if (takes_value(argc, argv, &i, "--threads", &value)) {
      number = value;
      count = &o->threads;
      most = QRT_MAX_THREADS;
    } else if (takes_value(argc, argv, &i, "--isa", &value)) {
      o->isa = value;
    } else if (takes_value(argc, argv, &i, "--batch", &value)) {
      o->batch = value;
    } else if (strcmp(argument, "--verify") == 0) {
      o->verify = 1;
    } else if (strcmp(argument, "--self-test") == 0) {
      o->self_test = 1;
    } else if (strcmp(argument, "--profile") == 0) {
      o->profile = 1;
    } else if (strcmp(argument, "--trace") == 0) {
      o->trace = 1;
    } else if (strcmp(argument, "--info") == 0) {
      o->info = 1;
    } else if (argument[0] == '-' || o->file) {
      return wrong_usage(argument, "not understood");
    } else {
      o->file = argument;
    }
    if (!value) {
      return wrong_usage(argument, "needs a value");
    }
    if (number) {
      char *end;
      *count = strtoul(number, &end, 10);
      if (*end || !*count || *count > most || *number == '-') {
        char why[64];
        snprintf(why, sizeof why, "needs a number from 1 to %lu", most);
        return wrong_usage(argument, why);
      }
    }
  }
  int checks = o->verify || o->self_test, files = o->input_count || o->output_count;
  if (o->profile && !o->repeat) {
    return wrong_usage("--profile", "needs --repeat");
  }
  if (o->info && (checks || files || o->repeat || o->trace)) {
    return wrong_usage("--info", "runs nothing; ask for a run or a test without it");
  }
  if (o->batch && (checks || files || o->info)) {
    return wrong_usage("--batch", "takes tensors from the list, and neither tests nor --info");
  }
  if (!o->file == !o->batch) {
    return wrong_usage(o->file ? o->file : "FILE", o->file ? "either FILE or --batch" : "missing");
  }
  return 0;
}

int main(int argc, char **argv) {
  options o;
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    fputs(usage, stdout);
    return 0;
  }
  int status = parse(argc, argv, &o);
  if (status) {
    return status;
  }
  status = o.batch ? run_batch(&o) : run_one(&o);
  return fflush(stdout) != 0 && !status ? complain("standard output", "cannot be written") : status;
}
