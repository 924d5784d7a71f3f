/* qrt.h - runs .qsdk files. This is the only public header.
 *
 *   verify   qrt_model_open    checks every byte that will ever be used; nothing is trusted afterwards by accident
 *   size     qrt_arena_size    how much memory a session needs, exactly
 *   bind     qrt_session_open  builds a session in the caller's memory: kernels chosen, weights packed, plan made
 *   run      qrt_session_run   fails on nothing in the file; only on indices, such as tokens, among its inputs
 *
 * The runtime never allocates, never prints and never keeps state outside the objects declared here. One qrt_model may
 * be shared by any number of threads; a session belongs to one thread at a time. The file's memory must outlive the
 * model, and the model its sessions. Every function that can fail returns a status and, where `error` is not NULL,
 * writes a message that names the field at fault.
 */
#ifndef QRT_H
#define QRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__ /* a shared library offers these functions and no others */
#pragma GCC visibility push(default)
#endif

#define QRT_VERSION_MAJOR    0
#define QRT_VERSION_MINOR    1
#define QRT_FORMAT_VERSION   1 /* Model.version that this runtime reads */
#define QRT_NUMERICS_VERSION 1 /* Model.numerics that this runtime computes */

#define QRT_ALIGNMENT    64 /* of the file in memory, of the arena, and of every buffer and tensor */
#define QRT_MAX_RANK     8
#define QRT_MESSAGE_SIZE 192
#define QRT_MAX_THREADS  64

typedef enum qrt_status {
#define QRT_STATUS(name, value, text) QRT_##name = value,
#include "qrt_status.inc"
#undef QRT_STATUS
} qrt_status;

typedef struct qrt_error {
  qrt_status status;
  char message[QRT_MESSAGE_SIZE]; /* ends in NUL; empty when built with QRT_MESSAGES=0 */
} qrt_error;

/* "QRT_ERROR_ARENA" and one sentence on what it means; for any number, known or not. */
const char *qrt_status_name(qrt_status status);
const char *qrt_status_text(qrt_status status);

/* Values of Tensor.dtype in the file. */
typedef enum qrt_dtype {
  QRT_FLOAT32 = 0,
  QRT_INT8 = 1,
  QRT_UINT8 = 2,
  QRT_INT32 = 3,
  QRT_INT64 = 4,
  QRT_INT4 = 5,
  QRT_BOOL = 6 /* a byte, 0 or 1 */
} qrt_dtype;

/* ---- model ---------------------------------------------------------------------------------------------------- */

/* A verified file. The fields are the runtime's own; use the functions. */
typedef struct qrt_model {
  const uint8_t *file;
  size_t file_size;
  const uint8_t *data; /* the data segment */
  uint32_t root;       /* position of the root table */
  uint32_t tensors;    /* positions of the vectors, and their lengths */
  uint32_t tensor_count;
  uint32_t operators;
  uint32_t operator_count;
  uint32_t inputs;
  uint32_t input_count;
  uint32_t outputs;
  uint32_t output_count;
  uint32_t buffers;
  uint32_t buffer_count;
  uint64_t activation_size; /* Region[0].size */
} qrt_model;

/* Verifies `size` bytes at `file`, which must be aligned to QRT_ALIGNMENT and stay unchanged while the model is used.
 * Fails with QRT_ERROR_ALIGNMENT, _FORMAT, _VERSION, _FIELD, _OPERATOR, _LIMIT or _UNSUPPORTED. */
qrt_status qrt_model_open(qrt_model *model, const void *file, size_t size, qrt_error *error);

/* Compares the file's CRC-32 with the one it carries. Reads every byte, so it is a call of its own. _CHECKSUM */
qrt_status qrt_model_checksum(const qrt_model *model, qrt_error *error);

typedef struct qrt_tensor_info {
  const char *name; /* "" when stripped */
  qrt_dtype dtype;
  uint32_t rank;
  int32_t shape[QRT_MAX_RANK];
  size_t size;        /* bytes */
  float scale;        /* 0 when the tensor is not quantized per tensor */
  int32_t zero_point; /* 0 likewise */
} qrt_tensor_info;

uint32_t qrt_model_input_count(const qrt_model *model);
uint32_t qrt_model_output_count(const qrt_model *model);
uint32_t qrt_model_operator_count(const qrt_model *model);
qrt_status qrt_model_input(const qrt_model *model, uint32_t index, qrt_tensor_info *info, qrt_error *error);
qrt_status qrt_model_output(const qrt_model *model, uint32_t index, qrt_tensor_info *info, qrt_error *error);

/* ---- session --------------------------------------------------------------------------------------------------- */

typedef struct qrt_session qrt_session;

/* What an operator just did; see qrt_config.on_operator. */
typedef struct qrt_event {
  uint32_t index;        /* position in the file */
  const char *operation; /* "conv2d" */
  const char *name;      /* the layer's name, "" when stripped */
  const char *kernel;    /* "qs8__avx2_6x16", or "" when the operator has no kernel (it moves bytes) */
  const void *output;    /* its first output, as it lies in the arena */
  size_t output_size;
} qrt_event;

/* Threads that run a session together. qrt_workers_open makes some; an application may bring its own. */
typedef struct qrt_workers {
  uint32_t count; /* the caller's thread among them */
  /* Calls part(context, index) once for each index below count, all at the same time, 0 on the caller's thread; returns
   * when all have returned. */
  void (*run)(void *user, void (*part)(void *context, uint32_t index), void *context);
  void (*yield)(void); /* called by a thread that has waited for long; may be NULL */
  void *user;
} qrt_workers;

/* All zero is a good configuration. `size` is sizeof(qrt_config), so that fields can be added. */
typedef struct qrt_config {
  size_t size;
  const char *isa;  /* use nothing above this instruction set; NULL: the best this CPU has. Unknown: QRT_ERROR_ISA */
  uint32_t threads; /* 0 and 1: none besides the caller's. More, up to QRT_MAX_THREADS: those of `workers`. Answers do
                     * not depend on their number. QRT_ERROR_UNSUPPORTED in a build without threads */
  const qrt_workers *workers; /* as many as threads, or more; may be NULL where only sizes are asked for. Must live as
                               * long as the session; runs one session at a time */
  void (*on_operator)(void *user, const qrt_event *event); /* called after each operator, on the running thread */
  void *user;
  int ignore_packed;     /* packs weights itself, whatever the file holds */
  const void *operators; /* registered custom operators; NULL in this version */
} qrt_config;

/* Bytes that qrt_session_open will need for this configuration, exactly; a multiple of QRT_ALIGNMENT. */
qrt_status qrt_arena_size(const qrt_model *model, const qrt_config *config, size_t *size, qrt_error *error);

/* The part of qrt_arena_size that is scratch memory of the chosen kernels, that of all threads. */
qrt_status qrt_scratch_size(const qrt_model *model, const qrt_config *config, size_t *size, qrt_error *error);

/* Builds a session in `arena` (aligned to QRT_ALIGNMENT). `config` may be NULL and is not kept.
 * Fails with QRT_ERROR_ARENA (the message says how many bytes are needed), _ALIGNMENT, _ISA or _UNSUPPORTED. */
qrt_status qrt_session_open(qrt_session **session, const qrt_model *model, const qrt_config *config, void *arena,
                            size_t arena_size, qrt_error *error);

/* Copies `size` bytes in. The size must be the tensor's (QRT_ERROR_SIZE). A run uses its inputs up: set them before
 * each run whose answer matters. */
qrt_status qrt_session_set_input(qrt_session *session, uint32_t index, const void *data, size_t size, qrt_error *error);

/* The tensor's own memory in the arena: write an input here instead of copying it; read an output until the next
 * run. NULL for an index out of range. */
void *qrt_session_input(qrt_session *session, uint32_t index);
const void *qrt_session_output(const qrt_session *session, uint32_t index);

/* Runs every operator once. The floating-point mode is set to round to nearest, no flushing, and restored after.
 * Fails with QRT_ERROR_INDEX where an input selects what is not there: a row of an embedding table, or the begin of a
 * bag. Then the outputs mean nothing; the next run is not affected. */
qrt_status qrt_session_run(qrt_session *session, qrt_error *error);

/* Name of the kernel that operator `index` runs, as in qrt_event; "" for an index out of range. */
const char *qrt_session_kernel(const qrt_session *session, uint32_t index);

/* Weights as a kernel of a session wants them: what a file may hold, so that its readers need not pack. */
typedef struct qrt_packed {
  uint32_t operator_index, tensor; /* positions in the file */
  const char *pack_id;             /* the kernel's name */
  uint32_t layout_version;
  const void *data; /* aligned to QRT_ALIGNMENT */
  size_t size;
  int in_file; /* else packed when the session was opened */
} qrt_packed;

/* The `index`-th packed weights of a session; QRT_ERROR_ARGUMENT past the last. Kernels that use weights as they lie in
 * the file, as the scalar ones do, have none. */
qrt_status qrt_session_packed(const qrt_session *session, uint32_t index, qrt_packed *packed, qrt_error *error);

/* Compares what two sessions of one model and configuration use, one of them opened with `ignore_packed`.
 * _MISMATCH, naming the operator, where the file holds something else than its weights packed. */
qrt_status qrt_session_check_packed(const qrt_session *session, const qrt_session *repacked, qrt_error *error);

/* ---- threads ---------------------------------------------------------------------------------------------------- */

/* Bytes of memory that qrt_workers_open needs. */
size_t qrt_workers_size(uint32_t count);

/* Starts count - 1 threads in `memory` (aligned to QRT_ALIGNMENT), which spin for a while after each run and then
 * sleep. QRT_ERROR_UNSUPPORTED in a build without threads, _ARENA if the memory is too small, _ARGUMENT, or _THREAD
 * where the system has no more of them. */
qrt_status qrt_workers_open(qrt_workers *workers, uint32_t count, void *memory, size_t size, qrt_error *error);

/* Ends them. No session may be running on them, nor run afterwards. */
void qrt_workers_close(qrt_workers *workers);

/* ---- instruction sets ------------------------------------------------------------------------------------------- */

/* Name of the `index`-th instruction set that this build and this CPU share, best first ("avx2", "scalar");
 * NULL past the end. */
const char *qrt_isa_name(uint32_t index);

/* ---- checking --------------------------------------------------------------------------------------------------- */

/* CRC-32 (IEEE 802.3, as zlib's) continued from `crc`; start with 0. */
uint32_t qrt_crc32(uint32_t crc, const void *data, size_t size);

/* Runs the test vectors in the file and compares every output, in the caller's session. _UNSUPPORTED when the file has
 * none, _MISMATCH (naming vector and output) on the first difference. `count` (may be NULL) gets the number that ran.
 */
qrt_status qrt_session_self_test(qrt_session *session, uint32_t *count, qrt_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
