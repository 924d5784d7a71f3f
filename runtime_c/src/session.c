/* session.c - lays a session out in the caller's memory, and runs it. */
#include "session.h"

#include "fpenv.h"
#include "hosted.h"
#include "isa.h"
#include "ops/op.h"

typedef struct settings {
  uint32_t isa;
  int ignore_packed;
  uint32_t threads;
  const qrt_workers *workers;
  void (*on_operator)(void *user, const qrt_event *event);
  void *user;
} settings;

/* Says which there are: they differ from machine to machine. */
static qrt_status unknown_isa(const char *isa, qrt_error *error) {
  qrt_status status = QRT_FAIL(error, QRT_ERROR_ISA, "this CPU and build have");
  for (uint32_t i = 0; QRT_MESSAGES && qrt_isa_name(i); ++i) {
    status = QRT_APPEND(error, QRT_ERROR_ISA, "%s %s", i ? "," : "", qrt_isa_name(i));
  }
  return QRT_APPEND(error, status, "; there is no instruction set '%s'", isa ? isa : "");
}

static qrt_status read_config(const qrt_config *config, settings *s, qrt_error *error) {
  static const qrt_config none;
  config = config ? config : &none;
  memset(s, 0, sizeof *s);
  if (config->size != 0 && config->size != sizeof *config) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_config.size: %zu instead of %zu", config->size, sizeof *config);
  }
  s->threads = config->threads ? config->threads : 1;
  s->workers = config->workers;
  if (s->threads > (QRT_THREADS ? QRT_MAX_THREADS : 1)) {
    return QRT_FAIL(error, QRT_ERROR_UNSUPPORTED, "qrt_config.threads: %u; this build runs on at most %d", s->threads,
                    QRT_THREADS ? QRT_MAX_THREADS : 1);
  }
  if (config->operators) {
    return QRT_FAIL(error, QRT_ERROR_UNSUPPORTED, "qrt_config.operators: not supported by this version");
  }
  const char *isa = config->isa;
  s->on_operator = config->on_operator;
  s->user = config->user;
  s->ignore_packed = config->ignore_packed;
#if QRT_HOSTED
  isa = isa ? isa : qrt_hosted_isa();
  s->on_operator = s->on_operator ? s->on_operator : qrt_hosted_trace();
#endif
  s->isa = qrt_isa_mask(isa);
  if (!s->isa) {
    return unknown_isa(isa, error);
  }
  return QRT_OK;
}

static void bind_operator(qrt_binder *binder, uint32_t index, qrt_step *step) {
  qrt_node node;
  qrt_tensor output;
  memset(step, 0, sizeof *step);
  qrt_node_read(binder->model, index, &node);
  qrt_node_output(&node, &output);
  step->kernel = "";
  step->threads = 1;
  step->output = qrt_bind_output(binder, &output);
  step->output_size = (size_t)output.size;
  binder->operator_index = index;
  qrt_op_find(&node)->prepare(binder, &node, step);
  binder->together = step->threads > 1;
}

#if QRT_COMPACT
/* Each operator's part begins at the same place, so the largest counts. Placing has nothing to write. */
static void bind_operators(qrt_binder *binder, const settings *s, qrt_session *session) {
  const uint64_t begin = binder->used;
  uint64_t end = begin, scratch = 0;
  (void)s;
  for (uint32_t i = 0; !session && i < binder->model->operator_count; ++i) {
    qrt_step step;
    binder->used = begin;
    binder->scratch = 0;
    bind_operator(binder, i, &step);
    qrt_bind_memory(binder, binder->scratch);
    end = binder->used > end ? binder->used : end;
    scratch = binder->scratch > scratch ? binder->scratch : scratch;
  }
  binder->used = end;
  binder->scratch = scratch;
  if (session) {
    session->isa = binder->isa;
    session->work = (uint32_t)begin;
  }
}
#else
static void bind_operators(qrt_binder *binder, const settings *s, qrt_session *session) {
  const qrt_model *model = binder->model;
  qrt_step *steps = qrt_bind_memory(binder, (uint64_t)model->operator_count * sizeof *steps);
  for (uint32_t i = 0; i < model->operator_count; ++i) {
    qrt_step step;
    bind_operator(binder, i, &step);
    if (steps) {
      steps[i] = step;
    }
  }
  const uint64_t stride = (binder->scratch + QRT_ALIGNMENT - 1) / QRT_ALIGNMENT * QRT_ALIGNMENT;
  binder->scratch = s->threads > 1 ? stride * s->threads : binder->scratch;
  void *scratch = qrt_bind_memory(binder, binder->scratch);
  if (session) {
    session->steps = steps;
    session->scratch = scratch;
    session->scratch_stride = (size_t)stride;
    session->threads = s->threads;
    session->workers = s->threads > 1 ? s->workers : NULL;
    session->packs = binder->packs;
  }
}
#endif

/* The layout; see bind.h for why it is walked twice. The session it describes is written only when placing. */
static qrt_session *bind(qrt_binder *binder, const settings *s) {
  const qrt_model *model = binder->model;
  binder->isa = s->isa;
  binder->threads = s->threads;
  binder->yield = s->workers ? s->workers->yield : NULL;
  if (!s->ignore_packed && !QRT_COMPACT) {
    qrt_flat_vector(model->file, model->root, QRT_FIELD(Model, packed), &binder->section_count);
  }
  qrt_session *session = qrt_bind_memory(binder, sizeof *session);
  binder->activations = qrt_bind_memory(binder, model->activation_size);
  if (session) {
    memset(session, 0, sizeof *session);
    memset(binder->activations, 0, (size_t)model->activation_size);
    session->model = model;
    session->activations = binder->activations;
    session->on_operator = s->on_operator;
    session->user = s->user;
  }
  bind_operators(binder, s, session);
  return session;
}

/* Binds without memory; on success *binder holds the sizes. */
static qrt_status count(const qrt_model *model, const qrt_config *config, settings *s, qrt_binder *binder,
                        qrt_error *error) {
  qrt_error_clear(error);
  if (!model || !model->file) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "no model");
  }
  QRT_TRY(read_config(config, s, error));
  memset(binder, 0, sizeof *binder);
  binder->model = model;
  bind(binder, s);
  if (binder->used > QRT_MAX_BYTES) {
    return QRT_FAIL(error, QRT_ERROR_LIMIT, "the arena would need more than %llu bytes",
                    (unsigned long long)QRT_MAX_BYTES);
  }
  return QRT_OK;
}

qrt_status qrt_arena_size(const qrt_model *model, const qrt_config *config, size_t *size, qrt_error *error) {
  qrt_binder binder;
  settings s;
  QRT_TRY(count(model, config, &s, &binder, error));
  if (!size) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_arena_size: size is NULL");
  }
  *size = (size_t)binder.used;
  return QRT_OK;
}

qrt_status qrt_scratch_size(const qrt_model *model, const qrt_config *config, size_t *size, qrt_error *error) {
  qrt_binder binder;
  settings s;
  QRT_TRY(count(model, config, &s, &binder, error));
  if (!size) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_scratch_size: size is NULL");
  }
  *size = (size_t)binder.scratch;
  return QRT_OK;
}

qrt_status qrt_session_open(qrt_session **session, const qrt_model *model, const qrt_config *config, void *arena,
                            size_t arena_size, qrt_error *error) {
  qrt_binder binder;
  settings s;
  if (session) {
    *session = NULL;
  }
  QRT_TRY(count(model, config, &s, &binder, error));
  if (!session || !arena) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_session_open: session or arena is NULL");
  }
  if (s.threads > 1 && (!s.workers || s.workers->count < s.threads)) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_config.workers: fewer than the %u threads", s.threads);
  }
  if ((uintptr_t)arena % QRT_ALIGNMENT) {
    return QRT_FAIL(error, QRT_ERROR_ALIGNMENT, "the arena's address is not a multiple of %d", QRT_ALIGNMENT);
  }
  if (arena_size < binder.used) {
    return QRT_FAIL(error, QRT_ERROR_ARENA, "the arena has %zu bytes, %zu are needed", arena_size, (size_t)binder.used);
  }
  memset(&binder, 0, sizeof binder);
  binder.model = model;
  binder.arena = arena;
  *session = bind(&binder, &s);
  return QRT_OK;
}

/* ---- a session in use ---- */

static void *io_tensor(const qrt_session *session, uint32_t position, uint32_t index, qrt_tensor *tensor) {
  qrt_tensor_read(session->model, qrt_load32(session->model->file + position + 4 * index), tensor);
  return session->activations + tensor->offset;
}

void *qrt_session_input(qrt_session *session, uint32_t index) {
  qrt_tensor tensor;
  if (!session || index >= session->model->input_count) {
    return NULL;
  }
  return io_tensor(session, session->model->inputs, index, &tensor);
}

const void *qrt_session_output(const qrt_session *session, uint32_t index) {
  qrt_tensor tensor;
  if (!session || index >= session->model->output_count) {
    return NULL;
  }
  return io_tensor(session, session->model->outputs, index, &tensor);
}

qrt_status qrt_session_set_input(qrt_session *session, uint32_t index, const void *data, size_t size,
                                 qrt_error *error) {
  qrt_tensor tensor;
  qrt_error_clear(error);
  if (!session || !data || index >= session->model->input_count) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_session_set_input: no such input, or a NULL pointer");
  }
  void *memory = io_tensor(session, session->model->inputs, index, &tensor);
  if (size != tensor.size) {
    return QRT_FAIL(error, QRT_ERROR_SIZE, "inputs[%u]: %zu bytes given, the tensor has %zu", index, size,
                    (size_t)tensor.size);
  }
  memcpy(memory, data, size);
  return QRT_OK;
}

/* What an operator runs with, and its scratch memory. */
static void get_step(const qrt_session *session, uint32_t index, qrt_step *step, void **scratch) {
#if QRT_COMPACT
  qrt_binder binder;
  memset(&binder, 0, sizeof binder);
  binder.model = session->model;
  binder.arena = (uint8_t *)(uintptr_t)session;
  binder.activations = session->activations;
  binder.used = session->work;
  binder.isa = session->isa;
  binder.threads = 1;
  bind_operator(&binder, index, step);
  *scratch = binder.arena + binder.used;
#else
  *step = session->steps[index];
  *scratch = session->scratch;
#endif
}

static void report(const qrt_session *session, uint32_t index, const qrt_step *step) {
  qrt_node node;
  qrt_event event;
  qrt_node_read(session->model, index, &node);
  event.index = index;
  event.operation = qrt_node_operation(&node);
  event.name = qrt_flat_string(session->model->file, node.table, QRT_FIELD(Operator, name));
  event.kernel = step->kernel;
  event.output = step->output;
  event.output_size = step->output_size;
  session->on_operator(session->user, &event);
}

static qrt_status check(const qrt_session *session, uint32_t index, const qrt_step *step, qrt_error *error) {
  qrt_verify v = {session->model, error, 0};
  qrt_node node;
  if (!step->check) {
    return QRT_OK;
  }
  qrt_node_read(session->model, index, &node);
  return step->check(&v, &node, step->arguments);
}

static void run_step(const qrt_step *step, void *scratch) {
  if (step->run_units) {
    step->run_units(step->arguments, scratch, 0, step->units);
  } else {
    step->run(step->arguments, scratch);
  }
}

static qrt_status run(const qrt_session *session, qrt_error *error) {
  for (uint32_t i = 0; i < session->model->operator_count; ++i) {
    qrt_step step;
    void *scratch;
    get_step(session, i, &step, &scratch);
    QRT_TRY(check(session, i, &step, error));
    run_step(&step, scratch);
    if (session->on_operator) {
      report(session, i, &step);
    }
  }
  return QRT_OK;
}

#if QRT_THREADS
/* ---- on several threads ---- */

/* A thread's part of a step. The same in every run and, where outputs have as many units, in every operator: so a
 * thread often reads what it has in its cache. */
static void run_share(const qrt_session *session, const qrt_step *step, uint32_t thread) {
  if (thread < step->threads) {
    const size_t each = step->units / step->threads, more = step->units % step->threads;
    const size_t begin = thread * each + (thread < more ? thread : more);
    step->run_units(step->arguments, session->scratch + thread * session->scratch_stride, begin,
                    begin + each + (thread < more));
  }
}

static int wait_for_all(qrt_session *session) {
  return qrt_barrier_wait(&session->barrier, session->threads, session->workers->yield);
}

/* Thread 0 runs what is not shared, and the others wait only where something is. 0 when the run has failed. */
static int run_step_together(qrt_session *session, uint32_t index, uint32_t thread) {
  const qrt_step *step = &session->steps[index];
  if (thread == 0 && check(session, index, step, session->error) != QRT_OK) {
    session->status = QRT_ERROR_INDEX;
    qrt_barrier_break(&session->barrier);
    return 0;
  }
  if (step->threads > 1) {
    run_share(session, step, thread);
  } else if (thread == 0) {
    run_step(step, session->scratch);
  }
  const int next = index + 1 < session->model->operator_count && step[1].threads > 1;
  if ((step->threads > 1 || next || session->on_operator) && !wait_for_all(session)) {
    return 0;
  }
  if (!session->on_operator) {
    return 1;
  }
  if (thread == 0) {
    report(session, index, step);
  }
  return wait_for_all(session);
}

static void run_thread(void *pointer, uint32_t thread) {
  qrt_session *session = pointer;
  if (thread < session->threads) {
    const uint64_t mode = qrt_fpenv_enter();
    for (uint32_t i = 0; i < session->model->operator_count && run_step_together(session, i, thread); ++i) {
    }
    qrt_fpenv_leave(mode);
  }
}

static qrt_status run_threads(qrt_session *session, qrt_error *error) {
  memset(&session->barrier, 0, sizeof session->barrier);
  session->error = error;
  session->status = QRT_OK;
  session->workers->run(session->workers->user, run_thread, session);
  return session->status;
}
#endif

qrt_status qrt_session_run(qrt_session *session, qrt_error *error) {
  qrt_error_clear(error);
  if (!session) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_session_run: session is NULL");
  }
#if QRT_THREADS
  if (session->threads > 1) {
    return run_threads(session, error);
  }
#endif
  uint64_t mode = qrt_fpenv_enter();
  qrt_status status = run(session, error);
  qrt_fpenv_leave(mode);
  return status;
}

/* The first of what the session has packed; NULL if compact. */
static const qrt_pack *first_pack(const qrt_session *session) {
#if QRT_COMPACT
  (void)session;
  return NULL;
#else
  return session->packs;
#endif
}

qrt_status qrt_session_packed(const qrt_session *session, uint32_t index, qrt_packed *packed, qrt_error *error) {
  qrt_error_clear(error);
  const qrt_pack *pack = session ? first_pack(session) : NULL;
  for (uint32_t i = 0; pack && i < index; ++i) {
    pack = pack->next;
  }
  if (!pack || !packed) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_session_packed: no such packed weights, or a NULL pointer");
  }
  *packed = pack->packed;
  return QRT_OK;
}

qrt_status qrt_session_check_packed(const qrt_session *session, const qrt_session *repacked, qrt_error *error) {
  qrt_error_clear(error);
  if (!session || !repacked || session->model != repacked->model) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_session_check_packed: not two sessions of one model");
  }
  const qrt_pack *other = first_pack(repacked);
  for (const qrt_pack *pack = first_pack(session); pack && other; pack = pack->next, other = other->next) {
    const qrt_packed *a = &pack->packed, *b = &other->packed;
    if (a->pack_id != b->pack_id || a->size != b->size || memcmp(a->data, b->data, a->size) != 0) {
      return QRT_FAIL(error, QRT_ERROR_MISMATCH, "operators[%u]: what the file holds for %s is not tensors[%u] packed",
                      a->operator_index, a->pack_id, a->tensor);
    }
  }
  return QRT_OK;
}

const char *qrt_session_kernel(const qrt_session *session, uint32_t index) {
  qrt_step step;
  void *scratch;
  if (!session || index >= session->model->operator_count) {
    return "";
  }
  get_step(session, index, &step, &scratch);
  return step.kernel;
}
