/* test_core.c - the C core from outside (qrt.h, with wrong arguments, arenas and models) and from inside (damaged
 * fields, one by one). What kernels compute is tests/check and tests/parity; damage at random is mutate.c.
 *
 *   test_core FOLDER     the files of tests/c/fixture.py
 *
 * Ends with "N passed, M failed"; exit status 1 if any failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../runtime_c/src/node.h"
#include "qrt.h"

static unsigned passed, failed;

static void check(int good, int line, const char *what, const char *detail) {
  if (good) {
    ++passed;
  } else {
    ++failed;
    printf("line %d: %s %s\n", line, what, detail);
  }
}

#define CHECK(expression) check(!!(expression), __LINE__, #expression, "")

static void check_status(qrt_status status, qrt_status expected, const char *message, const char *text, int line) {
  char detail[512];
  snprintf(detail, sizeof detail, "%s instead of %s: '%s'", qrt_status_name(status), qrt_status_name(expected),
           message);
  check(status == expected, line, "status:", detail);
  if (QRT_MESSAGES && text && status == expected) {
    snprintf(detail, sizeof detail, "'%s' lacks '%s'", message, text);
    check(strstr(message, text) != NULL, line, "message:", detail);
  }
}

#define STATUS(call, expected, text)                                                  \
  do {                                                                                \
    qrt_status status_ = (call);                                                      \
    check_status(status_, QRT_##expected, error.message, text, __LINE__);             \
    check(error.status == status_, __LINE__, "error.status is the status of", #call); \
  } while (0)

static qrt_error error;

/* ---- files ---- */

typedef struct blob {
  uint8_t *bytes;
  size_t size;
} blob;

static void *allocate(size_t size) {
  void *memory = NULL;
  if (posix_memalign(&memory, QRT_ALIGNMENT, size ? size : 1)) {
    exit(1);
  }
  return memory;
}

static blob load(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *stream = fopen(path, "rb");
  if (!stream) {
    printf("%s cannot be opened\n", path);
    exit(2);
  }
  fseek(stream, 0, SEEK_END);
  blob b = {NULL, (size_t)ftell(stream)};
  rewind(stream);
  b.bytes = allocate(b.size);
  if (fread(b.bytes, 1, b.size, stream) != b.size) {
    exit(2);
  }
  fclose(stream);
  return b;
}

static blob copy(const blob *original, size_t size) {
  blob b = {allocate(size), size};
  memcpy(b.bytes, original->bytes, size);
  return b;
}

/* ---- small parts ---- */

static void test_crc(void) {
  CHECK(qrt_crc32(0, "123456789", 9) == 0xcbf43926u);
  CHECK(qrt_crc32(qrt_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926u);
  CHECK(qrt_crc32(0, NULL, 0) == 0);
}

static void test_status(void) {
  CHECK(strcmp(qrt_status_name(QRT_OK), "QRT_OK") == 0);
  CHECK(strcmp(qrt_status_name(QRT_ERROR_ARENA), "QRT_ERROR_ARENA") == 0);
  CHECK(strcmp(qrt_status_name((qrt_status)999), "QRT_ERROR_?") == 0);
  for (int i = 0; i <= QRT_ERROR_MISMATCH; ++i) {
    CHECK(strstr(qrt_status_name((qrt_status)i), "?") == NULL && *qrt_status_text((qrt_status)i));
  }
  CHECK(strcmp(qrt_status_text((qrt_status)-1), "unknown status") == 0);
}

static void test_formatter(void) {
#if QRT_MESSAGES
  QRT_FAIL(&error, QRT_ERROR_FIELD, "%u|%d|%d|%s|%zu|%llu", 4294967295u, -7, INT32_MIN, "text", (size_t)12,
           18446744073709551615ull);
  CHECK(error.status == QRT_ERROR_FIELD);
  CHECK(strcmp(error.message, "4294967295|-7|-2147483648|text|12|18446744073709551615") == 0);
  QRT_FAIL(&error, QRT_ERROR_FIELD, "%u", 0u);
  QRT_APPEND(&error, QRT_ERROR_LIMIT, "%s", "+");
  CHECK(error.status == QRT_ERROR_LIMIT && strcmp(error.message, "0+") == 0);
  char text[2 * QRT_MESSAGE_SIZE];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\0';
  QRT_FAIL(&error, QRT_ERROR_FIELD, "%s%u", text, 123456u);
  CHECK(strlen(error.message) == QRT_MESSAGE_SIZE - 1);
#endif
  CHECK(QRT_FAIL(NULL, QRT_ERROR_FIELD, "%u", 1u) == QRT_ERROR_FIELD);
}

static void test_isa_names(void) {
  uint32_t count = 0;
  while (qrt_isa_name(count)) {
    ++count;
  }
  CHECK(count >= 1 && strcmp(qrt_isa_name(count - 1), "scalar") == 0);
  CHECK(qrt_isa_name(UINT32_MAX) == NULL);
}

/* ---- qrt.h ---- */

static void test_model_arguments(const blob *file) {
  qrt_model model;
  qrt_tensor_info info;
  STATUS(qrt_model_open(NULL, file->bytes, file->size, &error), ERROR_ARGUMENT, "NULL");
  STATUS(qrt_model_open(&model, NULL, file->size, &error), ERROR_ARGUMENT, "NULL");
  CHECK(qrt_model_open(NULL, NULL, 0, NULL) == QRT_ERROR_ARGUMENT);
  uint8_t *moved = allocate(file->size + QRT_ALIGNMENT);
  for (size_t shift = 1; shift < QRT_ALIGNMENT; ++shift) {
    memcpy(moved + shift, file->bytes, file->size);
    STATUS(qrt_model_open(&model, moved + shift, file->size, &error), ERROR_ALIGNMENT, "64");
  }
  free(moved);
  CHECK(qrt_model_input_count(&model) == 0 && qrt_model_output_count(NULL) == 0);
  STATUS(qrt_model_checksum(&model, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_checksum(NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_input(&model, 0, &info, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_open(&model, file->bytes, file->size, &error), OK, NULL);
  STATUS(qrt_model_checksum(&model, &error), OK, NULL);
  CHECK(qrt_model_input_count(&model) == 1 && qrt_model_output_count(&model) == 1);
  CHECK(qrt_model_operator_count(&model) == 18);
  STATUS(qrt_model_input(&model, 0, &info, &error), OK, NULL);
  CHECK(info.dtype == QRT_FLOAT32 && info.rank == 4 && info.shape[3] == 8 && info.size == 768);
  STATUS(qrt_model_output(&model, 0, &info, &error), OK, NULL);
  CHECK(info.rank == 2 && info.size == 40);
  STATUS(qrt_model_input(&model, 1, &info, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_output(&model, 0, NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_model_output(NULL, 0, &info, &error), ERROR_ARGUMENT, NULL);
}

static void test_truncations(const blob *file) {
  unsigned opened = 0;
  for (size_t size = 0; size < file->size; ++size) {
    qrt_model model;
    blob cut = copy(file, size);
    opened += qrt_model_open(&model, cut.bytes, cut.size, &error) == QRT_OK;
    free(cut.bytes);
  }
  CHECK(opened == 0);
}

static void test_config(const qrt_model *model) {
  qrt_config config;
  size_t size;
  memset(&config, 0, sizeof config);
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  config.size = sizeof config;
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  config.isa = "pentium";
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_ISA, "pentium");
  config.isa = "";
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_ISA, NULL);
  config.isa = "scalar";
  STATUS(qrt_arena_size(model, &config, &size, &error), OK, NULL);
  config.threads = 2;
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_UNSUPPORTED, "threads");
  config.threads = 1;
  config.operators = &config;
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_UNSUPPORTED, "operators");
  config.operators = NULL;
  config.size = 8;
  STATUS(qrt_arena_size(model, &config, &size, &error), ERROR_ARGUMENT, "size");
  STATUS(qrt_arena_size(model, NULL, NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_arena_size(NULL, NULL, &size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_scratch_size(model, NULL, &size, &error), OK, NULL);
  CHECK(size > 0);
  STATUS(qrt_scratch_size(model, NULL, NULL, &error), ERROR_ARGUMENT, NULL);
}

static void test_arena(const qrt_model *model) {
  qrt_session *session;
  size_t size;
  STATUS(qrt_arena_size(model, NULL, &size, &error), OK, NULL);
  CHECK(size % QRT_ALIGNMENT == 0);
  uint8_t *arena = allocate(size + QRT_ALIGNMENT);
  unsigned accepted = 0;
  for (size_t less = 0; less < size; ++less) {
    accepted += qrt_session_open(&session, model, NULL, arena, less, &error) != QRT_ERROR_ARENA || session;
  }
  CHECK(accepted == 0);
  STATUS(qrt_session_open(&session, model, NULL, arena, size - 1, &error), ERROR_ARENA, "needed");
  for (size_t shift = 1; shift < QRT_ALIGNMENT; shift += 9) {
    STATUS(qrt_session_open(&session, model, NULL, arena + shift, size, &error), ERROR_ALIGNMENT, "64");
  }
  STATUS(qrt_session_open(NULL, model, NULL, arena, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_open(&session, model, NULL, NULL, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_open(&session, NULL, NULL, arena, size, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_open(&session, model, NULL, arena, size, &error), OK, NULL);
  free(arena);
}

typedef struct events {
  unsigned count;
  unsigned in_order;
  uint32_t crc; /* of all outputs */
} events;

static void on_operator(void *user, const qrt_event *event) {
  events *e = user;
  e->in_order += event->index == e->count && *event->operation && *event->name && event->output_size;
  e->crc = qrt_crc32(e->crc, event->output, event->output_size);
  ++e->count;
}

static void *open_session(const qrt_model *model, const qrt_config *config, qrt_session **session) {
  size_t size;
  STATUS(qrt_arena_size(model, config, &size, &error), OK, NULL);
  void *arena = allocate(size);
  memset(arena, 0xab, size);
  STATUS(qrt_session_open(session, model, config, arena, size, &error), OK, NULL);
  return arena;
}

/* Every instruction set gives the same bytes after every operator, and passes the file's own test. */
static void test_run(const qrt_model *model) {
  uint32_t first = 0;
  for (uint32_t i = 0; qrt_isa_name(i); ++i) {
    events e = {0, 0, 0};
    qrt_config config = {.size = sizeof config, .isa = qrt_isa_name(i), .on_operator = on_operator, .user = &e};
    qrt_session *session;
    uint32_t count;
    void *arena = open_session(model, &config, &session);
    STATUS(qrt_session_self_test(session, &count, &error), OK, NULL);
    CHECK(count == 2 && e.count == 36);
    e = (events){0, 0, 0};
    STATUS(qrt_session_self_test(session, NULL, &error), OK, NULL);
    CHECK(i == 0 || e.crc == first);
    first = e.crc;
    e = (events){0, 0, 0};
    STATUS(qrt_session_run(session, &error), OK, NULL);
    CHECK(e.count == 18 && e.in_order == 18);
    free(arena);
  }
}

static void test_session_arguments(const qrt_model *model) {
  float input[192] = {0};
  qrt_session *session;
  uint32_t count = 7;
  void *arena = open_session(model, NULL, &session);
  STATUS(qrt_session_set_input(session, 0, input, sizeof input, &error), OK, NULL);
  STATUS(qrt_session_set_input(session, 0, input, sizeof input - 1, &error), ERROR_SIZE, "767");
  STATUS(qrt_session_set_input(session, 1, input, sizeof input, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_set_input(session, 0, NULL, sizeof input, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_set_input(NULL, 0, input, sizeof input, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_run(NULL, &error), ERROR_ARGUMENT, NULL);
  STATUS(qrt_session_self_test(NULL, &count, &error), ERROR_ARGUMENT, NULL);
  CHECK(count == 0);
  CHECK(qrt_session_input(session, 0) && !qrt_session_input(session, 1) && !qrt_session_input(NULL, 0));
  CHECK(qrt_session_output(session, 0) && !qrt_session_output(session, 1) && !qrt_session_output(NULL, 0));
  CHECK(*qrt_session_kernel(session, 2) && !*qrt_session_kernel(session, 18) && !*qrt_session_kernel(NULL, 0));
  free(arena);
}

#if defined(__x86_64__)
#include <xmmintrin.h>
/* A run does not care for the application's floating-point mode, and leaves it alone. */
static void test_float_mode(const qrt_model *model) {
  qrt_session *session;
  void *arena = open_session(model, NULL, &session);
  unsigned hostile = 0x9fc0 | 0x6000; /* flush, denormals are zero, round toward zero */
  unsigned before = _mm_getcsr();
  _mm_setcsr(hostile);
  qrt_status status = qrt_session_self_test(session, NULL, &error);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  CHECK(status == QRT_OK);
  CHECK((after & ~0x3fu) == (hostile & ~0x3fu));
  free(arena);
}
#else
static void test_float_mode(const qrt_model *model) {
  (void)model;
}
#endif

/* ---- damage: every field of interest is set to what it must not be ---- */

/* A copy of the file under damage, and the model that was opened from it before. */
typedef struct patient {
  blob file;
  qrt_model model;
} patient;

static patient admit(const blob *file) {
  patient p;
  p.file = copy(file, file->size);
  qrt_model_open(&p.model, p.file.bytes, p.file.size, &error);
  return p;
}

static uint32_t position(const patient *p, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = qrt_flat_find(p->file.bytes, table, field);
  if (!at) {
    printf("the fixture does not store %s\n", field->name);
    exit(2);
  }
  return at;
}

/* Position of a vector's count; its elements follow. */
static uint32_t vector(const patient *p, uint32_t table, const qrt_fb_field *field) {
  uint32_t at = position(p, table, field);
  return at + qrt_load32(p->file.bytes + at);
}

static uint32_t operator_at(const patient *p, uint32_t index) {
  qrt_node node;
  qrt_node_read(&p->model, index, &node);
  return node.table;
}

static uint32_t options_at(const patient *p, uint32_t index) {
  qrt_node node;
  qrt_node_read(&p->model, index, &node);
  return node.options;
}

static uint32_t input_of(const patient *p, uint32_t operator_index, uint32_t i) {
  qrt_node node;
  qrt_node_read(&p->model, operator_index, &node);
  return qrt_node_input_index(&node, i);
}

static uint32_t output_of(const patient *p, uint32_t operator_index) {
  qrt_node node;
  qrt_node_read(&p->model, operator_index, &node);
  return qrt_node_output_index(&node, 0);
}

static uint32_t tensor_at(const patient *p, uint32_t index) {
  return qrt_tensor_table(&p->model, index);
}

/* Writes `size` bytes at `at`, opens, expects, and restores. */
static void damage(patient *p, uint32_t at, const void *value, size_t size, qrt_status expected, const char *text,
                   int line) {
  uint8_t before[8];
  qrt_model model;
  memcpy(before, p->file.bytes + at, size);
  memcpy(p->file.bytes + at, value, size);
  qrt_status status = qrt_model_open(&model, p->file.bytes, p->file.size, &error);
  check_status(status, expected, error.message, text, line);
  memcpy(p->file.bytes + at, before, size);
}

static void damage_int(patient *p, uint32_t at, int32_t value, qrt_status expected, const char *text, int line) {
  damage(p, at, &value, sizeof value, expected, text, line);
}

static void damage_long(patient *p, uint32_t at, uint64_t value, qrt_status expected, const char *text, int line) {
  damage(p, at, &value, sizeof value, expected, text, line);
}

static void damage_float(patient *p, uint32_t at, float value, qrt_status expected, const char *text, int line) {
  damage(p, at, &value, sizeof value, expected, text, line);
}

static void damage_byte(patient *p, uint32_t at, unsigned value, qrt_status expected, const char *text, int line) {
  uint8_t byte = (uint8_t)value;
  damage(p, at, &byte, 1, expected, text, line);
}

#define INT(at, value, expected, text)   damage_int(p, at, value, QRT_##expected, text, __LINE__)
#define LONG(at, value, expected, text)  damage_long(p, at, value, QRT_##expected, text, __LINE__)
#define FLOAT(at, value, expected, text) damage_float(p, at, value, QRT_##expected, text, __LINE__)
#define BYTE(at, value, expected, text)  damage_byte(p, at, value, QRT_##expected, text, __LINE__)

static const float bad_scales[] = {0.0f, -1.0f, 0x1p-61f, 0x1p61f, 1e-45f};

/* Infinity and NaN, without asking the compiler to think about them. */
static float special(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* 1, 9, 14, 21: the frame and the flatbuffer's structure. */
static void damage_structure(patient *p) {
  uint32_t root = p->model.root, op2 = operator_at(p, 2);
  INT(0, 0x7ffffff0, ERROR_FORMAT, "table");
  INT(0, 3, ERROR_FORMAT, "table");
  INT(0, -1, ERROR_FORMAT, "table");
  BYTE(4, 'X', ERROR_FORMAT, "does not begin");
  INT(root, 0x7fffffff, ERROR_FORMAT, "vtable");
  INT(root, INT32_MIN, ERROR_FORMAT, "vtable");
  INT(root, 1, ERROR_FORMAT, "vtable");
  INT(position(p, root, QRT_FIELD(Model, version)), 2, ERROR_VERSION, "version: format 2");
  INT(position(p, root, QRT_FIELD(Model, numerics)), 2, ERROR_VERSION, "numerics");
  LONG(position(p, root, QRT_FIELD(Model, data_offset)), 1, ERROR_FORMAT, "data_offset");
  LONG(position(p, root, QRT_FIELD(Model, data_offset)), 0, ERROR_FORMAT, NULL);
  LONG(position(p, root, QRT_FIELD(Model, data_offset)), UINT64_MAX - 63, ERROR_FORMAT, "data_offset");
  LONG(position(p, root, QRT_FIELD(Model, data_size)), 0, ERROR_FORMAT, "data_size");
  LONG(position(p, root, QRT_FIELD(Model, data_size)), UINT64_MAX, ERROR_FORMAT, "data_size");
  INT(vector(p, root, QRT_FIELD(Model, tensors)), -1, ERROR_FORMAT, "tensors: vector is longer");
  INT(vector(p, root, QRT_FIELD(Model, buffers)), 0x10000000, ERROR_FORMAT, "buffers");
  INT(position(p, root, QRT_FIELD(Model, tensors)), -1, ERROR_FORMAT, "tensors: offset");
  INT(position(p, root, QRT_FIELD(Model, tensors)), 0, ERROR_FORMAT, "tensors: offset");
  INT(vector(p, root, QRT_FIELD(Model, tensors)) + 4 + 4 * 3, 0x7fffffff, ERROR_FORMAT, "tensors[3]");
  INT(vector(p, root, QRT_FIELD(Model, inputs)), 0, ERROR_FIELD, NULL);
  INT(vector(p, root, QRT_FIELD(Model, outputs)), 0, ERROR_FIELD, "outputs");
  INT(vector(p, root, QRT_FIELD(Model, operators)), 0, ERROR_FIELD, "operators");
  INT(vector(p, op2, QRT_FIELD(Operator, name)), -1, ERROR_FORMAT, "operators[2].name: string is longer");
  INT(vector(p, op2, QRT_FIELD(Operator, name)), 1, ERROR_FORMAT, "NUL");
  INT(position(p, op2, QRT_FIELD(Operator, operation)), -1, ERROR_FORMAT, "operators[2].operation");
  INT(vector(p, root, QRT_FIELD(Model, regions)), 0, ERROR_FIELD, "regions");
}

/* A vtable entry set to 0 is an absent field; the fixture's tables of one kind share their vtables. */
static void damage_required(patient *p) {
  uint32_t root = p->model.root, vtable = (uint32_t)((int64_t)root - qrt_load_int(p->file.bytes + root));
  static const char *const names[] = {"tensors", "operators", "inputs", "outputs", "buffers"};
  for (uint32_t i = 0; i < 5; ++i) {
    uint16_t none = 0;
    damage(p, vtable + 4 + 2 * qrt_fb_Model_fields[QRT_FB_Model_tensors + i].slot, &none, 2, QRT_ERROR_FORMAT, names[i],
           __LINE__);
    uint16_t far = 0xfff0;
    damage(p, vtable + 4 + 2 * qrt_fb_Model_fields[QRT_FB_Model_tensors + i].slot, &far, 2, QRT_ERROR_FORMAT, NULL,
           __LINE__);
  }
}

/* 2, 3, 4, 5, 6, 16, 18: tensors and buffers. */
static void damage_tensors(patient *p) {
  uint32_t q = tensor_at(p, output_of(p, 0)), w = tensor_at(p, input_of(p, 2, 1));
  uint32_t shape = vector(p, q, QRT_FIELD(Tensor, shape)) + 4, scale = vector(p, q, QRT_FIELD(Tensor, scale)) + 4;
  BYTE(position(p, q, QRT_FIELD(Tensor, kind)), 3, ERROR_FIELD, "kind");
  BYTE(position(p, q, QRT_FIELD(Tensor, kind)), 2, ERROR_UNSUPPORTED, "state");
  BYTE(position(p, q, QRT_FIELD(Tensor, dtype)), 6, ERROR_FIELD, "dtype");
  for (unsigned dtype = QRT_FB_DType_uint8; dtype <= QRT_FB_DType_int4; ++dtype) {
    BYTE(position(p, q, QRT_FIELD(Tensor, dtype)), dtype, ERROR_UNSUPPORTED, "dtype");
  }
  BYTE(position(p, q, QRT_FIELD(Tensor, region)), 1, ERROR_UNSUPPORTED, "region");
  INT(position(p, q, QRT_FIELD(Tensor, dynamic_axis)), 0, ERROR_UNSUPPORTED, "dynamic_axis");
  INT(shape, 0, ERROR_FIELD, "shape[0]");
  INT(shape, -1, ERROR_FIELD, "shape[0]: extent -1");
  INT(shape, 1 << 20, ERROR_FIELD, NULL);
  INT(shape - 4, 9, ERROR_LIMIT, "rank 9");
  INT(shape - 4, 3, ERROR_FIELD, NULL);
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(scale, bad_scales[i], ERROR_FIELD, "scale[0]");
  }
  FLOAT(scale, special(0x7f800000), ERROR_FIELD, "scale[0]");
  FLOAT(scale, special(0x7fc00000), ERROR_FIELD, "scale[0]");
  INT(scale - 4, 0, ERROR_FIELD, NULL);
  INT(vector(p, q, QRT_FIELD(Tensor, zero_point)) + 4, 128, ERROR_FIELD, "zero_point[0]: 128");
  INT(vector(p, q, QRT_FIELD(Tensor, zero_point)) + 4, -129, ERROR_FIELD, "zero_point[0]: -129");
  INT(position(p, q, QRT_FIELD(Tensor, channel_axis)), 4, ERROR_FIELD, "channel_axis");
  INT(position(p, q, QRT_FIELD(Tensor, channel_axis)), -2, ERROR_FIELD, "channel_axis");
  INT(position(p, q, QRT_FIELD(Tensor, buffer)), 0, ERROR_FIELD, "buffer");
  LONG(position(p, q, QRT_FIELD(Tensor, offset)), 32, ERROR_FIELD, "offset: 32");
  LONG(position(p, q, QRT_FIELD(Tensor, offset)), UINT64_MAX - 63, ERROR_FIELD, "offset");
  LONG(position(p, q, QRT_FIELD(Tensor, offset)), UINT64_C(1) << 32, ERROR_FIELD, "offset");
  INT(position(p, w, QRT_FIELD(Tensor, buffer)), -1, ERROR_FIELD, "buffer");
  INT(position(p, w, QRT_FIELD(Tensor, buffer)), 99, ERROR_FIELD, "buffer: index 99");
  uint32_t w_shape = vector(p, w, QRT_FIELD(Tensor, shape)) + 4;
  INT(w_shape, 9, ERROR_FIELD, "buffer");
  INT(w_shape, 1 << 20, ERROR_FIELD, NULL);
  BYTE(position(p, w, QRT_FIELD(Tensor, dtype)), QRT_FB_DType_float32, ERROR_FIELD, NULL);
  uint32_t buffer = p->model.buffers;
  LONG(buffer + QRT_FB_Buffer_offset, 4, ERROR_FIELD, "buffers[0].offset");
  LONG(buffer + QRT_FB_Buffer_offset, UINT64_MAX - 63, ERROR_FIELD, "buffers[0]");
  LONG(buffer + QRT_FB_Buffer_size, UINT64_MAX, ERROR_FIELD, "buffers[0]");
  LONG(buffer + QRT_FB_Buffer_size, 1, ERROR_FIELD, "buffer");
}

/* Four extents of 2^31 - 1 do not overflow into something small. */
static void damage_product(patient *p) {
  uint32_t q = tensor_at(p, output_of(p, 0)), shape = vector(p, q, QRT_FIELD(Tensor, shape)) + 4;
  uint8_t before[16];
  memcpy(before, p->file.bytes + shape, sizeof before);
  int32_t large[4] = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
  int32_t wraps[4] = {1 << 30, 1 << 30, 16, 1}; /* 2^64 */
  qrt_model model;
  memcpy(p->file.bytes + shape, large, sizeof large);
  STATUS(qrt_model_open(&model, p->file.bytes, p->file.size, &error), ERROR_LIMIT, "shape");
  memcpy(p->file.bytes + shape, wraps, sizeof wraps);
  STATUS(qrt_model_open(&model, p->file.bytes, p->file.size, &error), ERROR_LIMIT, "shape");
  memcpy(p->file.bytes + shape, before, sizeof before);
}

/* 2, 9, 12, 13: operands, order, live ranges. */
static void damage_graph(patient *p) {
  uint32_t root = p->model.root, conv = operator_at(p, 2), add = operator_at(p, 5);
  uint32_t inputs = vector(p, conv, QRT_FIELD(Operator, inputs)), live = vector(p, conv, QRT_FIELD(Operator, live));
  INT(inputs + 4, 99, ERROR_FIELD, "operators[2] conv2d: inputs[0] is tensor 99");
  INT(inputs + 4, -1, ERROR_FIELD, "inputs[0]");
  INT(inputs + 4, (int32_t)output_of(p, 2), ERROR_FIELD, "not live");
  INT(inputs + 4, (int32_t)output_of(p, 5), ERROR_FIELD, "not live");
  INT(inputs + 4, 0, ERROR_FIELD, NULL);
  INT(inputs, 3, ERROR_FIELD, "3 inputs");
  INT(inputs, 0, ERROR_FIELD, "0 inputs");
  INT(inputs + 8, (int32_t)input_of(p, 2, 0), ERROR_FIELD, NULL);
  INT(vector(p, conv, QRT_FIELD(Operator, outputs)), 0, ERROR_FIELD, "0 outputs");
  INT(vector(p, conv, QRT_FIELD(Operator, outputs)) + 4, 99, ERROR_FIELD, "outputs[0] is tensor 99");
  INT(vector(p, conv, QRT_FIELD(Operator, outputs)) + 4, (int32_t)input_of(p, 2, 0), ERROR_FIELD, "outputs[0]");
  INT(vector(p, conv, QRT_FIELD(Operator, outputs)) + 4, (int32_t)input_of(p, 2, 1), ERROR_FIELD, "outputs[0]");
  INT(live, 0, ERROR_FIELD, "live");
  INT(live + 4, 99, ERROR_FIELD, "live[0] is 99");
  INT(live + 4, (int32_t)input_of(p, 2, 1), ERROR_FIELD, "live[0]");
  INT(live + 4, (int32_t)output_of(p, 5), ERROR_FIELD, "live[0]");
  INT(vector(p, add, QRT_FIELD(Operator, live)) + 4, 0, ERROR_FIELD, "live");
  INT(vector(p, root, QRT_FIELD(Model, inputs)) + 4, 99, ERROR_FIELD, "inputs[0]");
  INT(vector(p, root, QRT_FIELD(Model, inputs)) + 4, 1, ERROR_FIELD, "inputs[0]");
  INT(vector(p, root, QRT_FIELD(Model, outputs)) + 4, 99, ERROR_FIELD, "outputs[0]");
  INT(vector(p, root, QRT_FIELD(Model, outputs)) + 4, 0, ERROR_FIELD, "outputs[0]");
  INT(vector(p, root, QRT_FIELD(Model, outputs)) + 4, (int32_t)output_of(p, 2), ERROR_FIELD, "outputs[0]");
  INT(vector(p, root, QRT_FIELD(Model, outputs)) + 4, (int32_t)input_of(p, 2, 1), ERROR_FIELD, "outputs[0]");
  uint32_t region = qrt_flat_element(p->file.bytes, vector(p, root, QRT_FIELD(Model, regions)) + 4, 0);
  LONG(position(p, region, QRT_FIELD(Region, size)), 0, ERROR_FIELD, NULL);
  LONG(position(p, region, QRT_FIELD(Region, size)), UINT64_MAX, ERROR_LIMIT, "regions[0].size");
  LONG(position(p, region, QRT_FIELD(Region, size)), p->model.activation_size + 64, ERROR_FIELD, "regions[0].size");
  LONG(position(p, region, QRT_FIELD(Region, peak_live)), UINT64_MAX, ERROR_FIELD, "peak_live");
}

/* 12: each activation moved onto each other offset. What still opens must not let a tensor overwrite a live one; that
 * is what the self test would see. */
static void damage_offsets(patient *p) {
  qrt_model model;
  unsigned opened = 0, wrong = 0;
  for (uint32_t i = 0; i < p->model.tensor_count; ++i) {
    uint32_t table = tensor_at(p, i);
    if (qrt_flat_byte(p->file.bytes, table, QRT_FIELD(Tensor, kind))) {
      continue;
    }
    uint32_t at = position(p, table, QRT_FIELD(Tensor, offset));
    uint64_t before = qrt_load64(p->file.bytes + at);
    for (uint64_t offset = 0; offset < p->model.activation_size; offset += 64) {
      memcpy(p->file.bytes + at, &offset, sizeof offset);
      if (qrt_model_open(&model, p->file.bytes, p->file.size, &error) == QRT_OK) {
        qrt_session *session;
        void *arena = open_session(&model, NULL, &session);
        ++opened;
        wrong += qrt_session_self_test(session, NULL, &error) != QRT_OK;
        free(arena);
      }
    }
    memcpy(p->file.bytes + at, &before, sizeof before);
  }
  CHECK(opened > 0 && wrong == 0);
}

/* 7, 10, 11, 17, 18, 19: options. */
static void damage_conv(patient *p) {
  uint32_t conv = options_at(p, 2), grouped = options_at(p, 6);
  for (uint32_t i = 0; i < 2; ++i) {
    INT(vector(p, conv, QRT_FIELD(conv2d, stride)) + 4 + 4 * i, 0, ERROR_FIELD, "stride[");
    INT(vector(p, conv, QRT_FIELD(conv2d, stride)) + 4 + 4 * i, -1, ERROR_FIELD, "stride[");
    INT(vector(p, conv, QRT_FIELD(conv2d, stride)) + 4 + 4 * i, INT32_MIN, ERROR_FIELD, "stride[");
    INT(vector(p, conv, QRT_FIELD(conv2d, stride)) + 4 + 4 * i, 2, ERROR_FIELD, "shape");
    INT(vector(p, conv, QRT_FIELD(conv2d, dilation)) + 4 + 4 * i, 0, ERROR_FIELD, "dilation[");
    INT(vector(p, conv, QRT_FIELD(conv2d, dilation)) + 4 + 4 * i, INT32_MAX, ERROR_FIELD, "dilation[");
    INT(vector(p, conv, QRT_FIELD(conv2d, padding)) + 4 + 4 * i, -1, ERROR_FIELD, "padding[");
    INT(vector(p, conv, QRT_FIELD(conv2d, padding)) + 4 + 4 * i, INT32_MAX, ERROR_FIELD, "padding[");
  }
  INT(vector(p, conv, QRT_FIELD(conv2d, stride)), 1, ERROR_FIELD, "stride has 1");
  INT(vector(p, conv, QRT_FIELD(conv2d, padding)), 3, ERROR_FIELD, "padding has 3");
  INT(position(p, conv, QRT_FIELD(conv2d, groups)), 0, ERROR_FIELD, "groups");
  INT(position(p, conv, QRT_FIELD(conv2d, groups)), -1, ERROR_FIELD, "groups");
  INT(position(p, conv, QRT_FIELD(conv2d, groups)), 3, ERROR_FIELD, "groups");
  INT(position(p, grouped, QRT_FIELD(conv2d, groups)), 4, ERROR_FIELD, "groups");
  INT(position(p, conv, QRT_FIELD(conv2d, output_min)), -129, ERROR_FIELD, "-129..127");
  INT(position(p, conv, QRT_FIELD(conv2d, output_max)), 128, ERROR_FIELD, "-128..128");
  INT(position(p, conv, QRT_FIELD(conv2d, output_max)), -129, ERROR_FIELD, "output_min");
  qrt_tensor multiplier;
  qrt_tensor_read(&p->model, input_of(p, 2, 3), &multiplier);
  uint32_t at = (uint32_t)(p->model.data - p->model.file) + (uint32_t)multiplier.offset;
  for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; ++i) {
    FLOAT(at + 4, bad_scales[i], ERROR_FIELD, "multiplier[1]");
  }
  FLOAT(at, special(0x7fc00000), ERROR_FIELD, "multiplier[0]");
}

static void damage_options(patient *p) {
  uint32_t q = options_at(p, 0), permute = options_at(p, 1), clamp = options_at(p, 4), add = options_at(p, 5);
  uint32_t cat = options_at(p, 7), max = options_at(p, 8), avg = options_at(p, 9), mean = options_at(p, 11);
  uint32_t mul = options_at(p, 13), adaptive = options_at(p, 14);
  FLOAT(position(p, q, QRT_FIELD(quantize_per_tensor, inverse_scale)), special(0x7fc00000), ERROR_FIELD,
        "inverse_scale");
  INT(vector(p, permute, QRT_FIELD(permute, dims)) + 4, 2, ERROR_FIELD, "dims");
  INT(vector(p, permute, QRT_FIELD(permute, dims)) + 4, -1, ERROR_FIELD, "dims[0]");
  INT(vector(p, permute, QRT_FIELD(permute, dims)) + 4, 32, ERROR_FIELD, "dims[0]");
  INT(vector(p, permute, QRT_FIELD(permute, dims)), 3, ERROR_FIELD, "dims");
  INT(position(p, clamp, QRT_FIELD(clamp, output_min)), 101, ERROR_FIELD, "101..100");
  FLOAT(position(p, add, QRT_FIELD(add, input_multiplier)), 0x1p61f, ERROR_FIELD, "input_multiplier");
  FLOAT(position(p, add, QRT_FIELD(add, other_multiplier)), 0, ERROR_FIELD, "other_multiplier");
  FLOAT(position(p, mul, QRT_FIELD(mul, multiplier)), -1, ERROR_FIELD, "multiplier");
  INT(position(p, cat, QRT_FIELD(cat, dim)), -1, ERROR_FIELD, "dim");
  INT(position(p, cat, QRT_FIELD(cat, dim)), 4, ERROR_FIELD, "dim");
  INT(position(p, cat, QRT_FIELD(cat, dim)), 0, ERROR_FIELD, NULL);
  INT(vector(p, max, QRT_FIELD(max_pool2d, kernel_size)) + 4, 0, ERROR_FIELD, "kernel_size[0]");
  INT(vector(p, max, QRT_FIELD(max_pool2d, stride)) + 4, 0, ERROR_FIELD, "stride[0]");
  INT(vector(p, max, QRT_FIELD(max_pool2d, dilation)) + 4, 0, ERROR_FIELD, "dilation[0]");
  INT(vector(p, max, QRT_FIELD(max_pool2d, dilation)) + 4, 9, ERROR_UNSUPPORTED, "dilation");
  INT(vector(p, max, QRT_FIELD(max_pool2d, padding)) + 4, 2, ERROR_FIELD, "padding");
  BYTE(position(p, max, QRT_FIELD(max_pool2d, ceil_mode)), 2, ERROR_FIELD, "operators[8].operation.ceil_mode");
  INT(vector(p, avg, QRT_FIELD(avg_pool2d, kernel_size)) + 4, 1 << 20, ERROR_FIELD, NULL);
  INT(vector(p, avg, QRT_FIELD(avg_pool2d, padding)) + 4, -1, ERROR_FIELD, "padding[0]");
  INT(position(p, avg, QRT_FIELD(avg_pool2d, divisor_override)), -1, ERROR_FIELD, "divisor_override");
  FLOAT(position(p, avg, QRT_FIELD(avg_pool2d, rescale)), 0, ERROR_FIELD, "rescale");
  INT(vector(p, mean, QRT_FIELD(mean, dim)) + 4, 2, ERROR_FIELD, "dim");
  INT(vector(p, mean, QRT_FIELD(mean, dim)) + 4, 4, ERROR_FIELD, "dim[0]");
  INT(vector(p, mean, QRT_FIELD(mean, dim)), 0, ERROR_FIELD, "dim: 0 axes");
  INT(vector(p, mean, QRT_FIELD(mean, dim)), 5, ERROR_FIELD, "dim: 5 axes");
  BYTE(position(p, mean, QRT_FIELD(mean, keepdim)), 1, ERROR_FIELD, "rank");
  INT(vector(p, adaptive, QRT_FIELD(adaptive_avg_pool2d, output_size)) + 4, 0, ERROR_FIELD, "output_size[0]");
  INT(vector(p, adaptive, QRT_FIELD(adaptive_avg_pool2d, output_size)) + 4, 3, ERROR_FIELD, "shape");
}

/* 18: every operator read as every other. None of the tags fits a table of another kind by accident and goes wrong. */
static void damage_tags(patient *p) {
  qrt_fb_field tag = *QRT_FIELD(Operator, operation);
  --tag.slot;
  for (uint32_t i = 0; i < p->model.operator_count; ++i) {
    uint32_t at = position(p, operator_at(p, i), &tag);
    unsigned before = p->file.bytes[at], opened = 0;
    for (unsigned code = 0; code < 256; ++code) {
      qrt_model model;
      p->file.bytes[at] = (uint8_t)code;
      if (code != before && qrt_model_open(&model, p->file.bytes, p->file.size, &error) == QRT_OK) {
        qrt_session *session;
        void *arena = open_session(&model, NULL, &session);
        qrt_session_run(session, &error);
        free(arena);
        ++opened;
      }
    }
    p->file.bytes[at] = (uint8_t)before;
    CHECK(opened <= 2); /* clamp and its like look alike */
  }
  uint32_t at = position(p, operator_at(p, 2), &tag);
  BYTE(at, 0, ERROR_FORMAT, "operators[2].operation");
  BYTE(at, 16, ERROR_UNSUPPORTED, "operators[2] custom");
  BYTE(at, 99, ERROR_OPERATOR, "operators[2].operation: code 99");
}

static void damage_vectors(patient *p) {
  uint32_t vectors = vector(p, p->model.root, QRT_FIELD(Model, test_vectors)) + 4;
  uint32_t first = qrt_flat_element(p->file.bytes, vectors, 0), second = qrt_flat_element(p->file.bytes, vectors, 1);
  uint32_t seeded = qrt_flat_element(p->file.bytes, vector(p, first, QRT_FIELD(TestVector, seeded)) + 4, 0);
  FLOAT(position(p, seeded, QRT_FIELD(SeededInput, step)), special(0x7fc00000), ERROR_FIELD, "seeded[0]");
  FLOAT(position(p, seeded, QRT_FIELD(SeededInput, minimum)), special(0xff800000), ERROR_FIELD, "seeded[0]");
  INT(vector(p, first, QRT_FIELD(TestVector, seeded)), 0, ERROR_FIELD, "seeded");
  INT(vector(p, first, QRT_FIELD(TestVector, output_crc)), 0, ERROR_FIELD, "output_crc");
  INT(vector(p, second, QRT_FIELD(TestVector, inputs)) + 4, 99, ERROR_FIELD, "inputs[0]: buffer 99");
  INT(vector(p, second, QRT_FIELD(TestVector, inputs)) + 4, -1, ERROR_FIELD, "inputs[0]");
  INT(vector(p, second, QRT_FIELD(TestVector, inputs)) + 4, 0, ERROR_FIELD, "inputs[0]");
  INT(vector(p, second, QRT_FIELD(TestVector, outputs)), 0, ERROR_FIELD, "outputs");
}

/* A damaged weight or vector is seen by checksum and self test, and by nothing else. */
static void test_mismatch(patient *p) {
  uint32_t vectors = vector(p, p->model.root, QRT_FIELD(Model, test_vectors)) + 4;
  uint32_t first = qrt_flat_element(p->file.bytes, vectors, 0);
  uint32_t crc = vector(p, first, QRT_FIELD(TestVector, output_crc)) + 4;
  qrt_tensor weight;
  qrt_tensor_read(&p->model, input_of(p, 16, 1), &weight);
  uint32_t places[] = {crc, (uint32_t)(p->model.data - p->model.file) + (uint32_t)weight.offset};
  for (size_t i = 0; i < 2; ++i) {
    qrt_model model;
    qrt_session *session;
    uint32_t count = 9;
    p->file.bytes[places[i]] ^= 0x40;
    STATUS(qrt_model_open(&model, p->file.bytes, p->file.size, &error), OK, NULL);
    STATUS(qrt_model_checksum(&model, &error), ERROR_CHECKSUM, "crc32");
    void *arena = open_session(&model, NULL, &session);
    STATUS(qrt_session_self_test(session, &count, &error), ERROR_MISMATCH, "test_vectors[0]: outputs[0]");
    CHECK(count == 0);
    free(arena);
    p->file.bytes[places[i]] ^= 0x40;
  }
}

/* 14: sharing must not turn a small file into long work. */
static void test_shared(const blob *file) {
  qrt_model model;
  clock_t begin = clock();
  STATUS(qrt_model_open(&model, file->bytes, file->size, &error), ERROR_LIMIT, "shares");
  CHECK((double)(clock() - begin) / CLOCKS_PER_SEC < 1);
}

static void test_damage(const blob *file) {
  patient p = admit(file);
  damage_structure(&p);
  damage_required(&p);
  damage_tensors(&p);
  damage_product(&p);
  damage_graph(&p);
  damage_offsets(&p);
  damage_conv(&p);
  damage_options(&p);
  damage_tags(&p);
  damage_vectors(&p);
  test_mismatch(&p);
  CHECK(memcmp(p.file.bytes, file->bytes, file->size) == 0);
  free(p.file.bytes);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: test_core FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "every_operator.qsdk"), shared = load(argv[1], "shared.qsdk");
  qrt_model model;
  test_crc();
  test_status();
  test_formatter();
  test_isa_names();
  test_model_arguments(&file);
  test_truncations(&file);
  if (qrt_model_open(&model, file.bytes, file.size, &error) == QRT_OK) {
    test_config(&model);
    test_arena(&model);
    test_run(&model);
    test_session_arguments(&model);
    test_float_mode(&model);
    test_damage(&file);
  }
  test_shared(&shared);
  free(file.bytes);
  free(shared.bytes);
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
