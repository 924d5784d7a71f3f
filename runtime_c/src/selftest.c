/* selftest.c - the runs with known results that a file may carry: their check at load, and their execution. */
#include "fpenv.h"
#include "session.h"

/* Positions and lengths of a TestVector's parts. With `inputs`, inputs and outputs are buffers; else seeded. */
typedef struct test_vector {
  uint64_t state; /* of the generator */
  uint32_t seeded, seeded_count;
  uint32_t crc, crc_count;
  uint32_t inputs, input_count;
  uint32_t outputs, output_count;
} test_vector;

static uint32_t vectors(const qrt_model *model, uint32_t *count) {
  return qrt_flat_vector(model->file, model->root, QRT_FIELD(Model, test_vectors), count);
}

static void read_vector(const qrt_model *model, uint32_t index, test_vector *vector) {
  const uint8_t *fb = model->file;
  uint32_t count, table = qrt_flat_element(fb, vectors(model, &count), index);
  vector->state = qrt_flat_ulong(fb, table, QRT_FIELD(TestVector, seed));
  vector->seeded = qrt_flat_vector(fb, table, QRT_FIELD(TestVector, seeded), &vector->seeded_count);
  vector->crc = qrt_flat_vector(fb, table, QRT_FIELD(TestVector, output_crc), &vector->crc_count);
  vector->inputs = qrt_flat_vector(fb, table, QRT_FIELD(TestVector, inputs), &vector->input_count);
  vector->outputs = qrt_flat_vector(fb, table, QRT_FIELD(TestVector, outputs), &vector->output_count);
}

static void read_io(const qrt_model *model, uint32_t position, uint32_t i, qrt_tensor *tensor) {
  qrt_tensor_read(model, qrt_load32(model->file + position + 4 * i), tensor);
}

/* ---- check at load ---- */

static qrt_status verify_count(const qrt_verify *v, uint32_t vector, const char *field, uint32_t count,
                               uint32_t expected) {
  if (count != expected) {
    return QRT_FAIL(v->error, QRT_ERROR_FIELD, "test_vectors[%u].%s: %u elements instead of %u", vector, field, count,
                    expected);
  }
  return QRT_OK;
}

/* `buffers`: a list of buffers for the tensors listed at `tensors`. */
static qrt_status verify_buffers(const qrt_verify *v, uint32_t vector, const char *field, uint32_t buffers,
                                 uint32_t tensors, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t buffer = qrt_load32(v->model->file + buffers + 4 * i);
    qrt_tensor tensor;
    uint64_t offset, size;
    if (buffer >= v->model->buffer_count) {
      return QRT_FAIL(v->error, QRT_ERROR_FIELD, "test_vectors[%u].%s[%u]: buffer %u of %u", vector, field, i, buffer,
                      v->model->buffer_count);
    }
    read_io(v->model, tensors, i, &tensor);
    qrt_buffer_read(v->model, buffer, &offset, &size);
    if (size != tensor.size) {
      return QRT_FAIL(v->error, QRT_ERROR_FIELD, "test_vectors[%u].%s[%u]: %llu bytes, the tensor has %llu", vector,
                      field, i, (unsigned long long)size, (unsigned long long)tensor.size);
    }
  }
  return QRT_OK;
}

static qrt_status verify_seeded(const qrt_verify *v, uint32_t index, const test_vector *vector) {
  const uint8_t *fb = v->model->file;
  QRT_TRY(verify_count(v, index, "seeded", vector->seeded_count, v->model->input_count));
  QRT_TRY(verify_count(v, index, "outputs", vector->output_count, 0));
  QRT_TRY(verify_count(v, index, "output_crc", vector->crc_count, v->model->output_count));
  for (uint32_t i = 0; i < vector->seeded_count; ++i) {
    uint32_t seeded = qrt_flat_element(fb, vector->seeded, i);
    float lowest = qrt_flat_float(fb, seeded, QRT_FIELD(SeededInput, lowest));
    float step = qrt_flat_float(fb, seeded, QRT_FIELD(SeededInput, step));
    if (!(lowest >= -0x1p100f && lowest <= 0x1p100f && step >= 0 && step <= 0x1p100f)) {
      return QRT_FAIL(v->error, QRT_ERROR_FIELD, "test_vectors[%u].seeded[%u]: lowest or step out of range", index, i);
    }
    if (qrt_flat_int(fb, seeded, QRT_FIELD(SeededInput, least)) >
        qrt_flat_int(fb, seeded, QRT_FIELD(SeededInput, most))) {
      return QRT_FAIL(v->error, QRT_ERROR_FIELD, "test_vectors[%u].seeded[%u]: least is above most", index, i);
    }
  }
  return QRT_OK;
}

qrt_status qrt_verify_vectors(qrt_verify *v) {
  uint32_t count;
  vectors(v->model, &count);
  for (uint32_t i = 0; i < count; ++i) {
    test_vector vector;
    read_vector(v->model, i, &vector);
    if (!vector.input_count) {
      QRT_TRY(verify_seeded(v, i, &vector));
      continue;
    }
    QRT_TRY(verify_count(v, i, "inputs", vector.input_count, v->model->input_count));
    QRT_TRY(verify_count(v, i, "outputs", vector.output_count, v->model->output_count));
    QRT_TRY(verify_buffers(v, i, "inputs", vector.inputs, v->model->inputs, vector.input_count));
    QRT_TRY(verify_buffers(v, i, "outputs", vector.outputs, v->model->outputs, vector.output_count));
  }
  return QRT_OK;
}

/* ---- execution ---- */

/* splitmix64. */
static uint64_t draw(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* Integers as qsdk.fbs describes them; `count` elements of `size` bytes. */
static void seed_integers(uint64_t *state, const uint8_t *fb, uint32_t seeded, uint64_t count, uint32_t size,
                          uint8_t *bytes) {
  int64_t least = qrt_flat_int(fb, seeded, QRT_FIELD(SeededInput, least));
  uint64_t range = (uint64_t)(qrt_flat_int(fb, seeded, QRT_FIELD(SeededInput, most)) - least);
  int ascending = qrt_flat_byte(fb, seeded, QRT_FIELD(SeededInput, ascending));
  uint64_t step = (size_t)range / (size_t)count; /* of 32 bits both, where a size is */
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t random = draw(state) >> 32;
    uint64_t up = !ascending ? random * (range + 1) >> 32 : i ? i * step + (random * (step + 1) >> 32) : 0;
    int64_t value = least + (int64_t)up;
    memcpy(bytes + size * i, &value, size); /* little-endian */
  }
}

static void seed_input(qrt_session *session, test_vector *vector, uint32_t index) {
  const uint8_t *fb = session->model->file;
  qrt_tensor tensor;
  read_io(session->model, session->model->inputs, index, &tensor);
  uint8_t *bytes = session->activations + tensor.offset;
  uint32_t seeded = qrt_flat_element(fb, vector->seeded, index);
  float lowest = qrt_flat_float(fb, seeded, QRT_FIELD(SeededInput, lowest));
  float step = qrt_flat_float(fb, seeded, QRT_FIELD(SeededInput, step));
  if (tensor.dtype == QRT_FB_DType_int32 || tensor.dtype == QRT_FB_DType_int64 || tensor.dtype == QRT_FB_DType_bool) {
    seed_integers(&vector->state, fb, seeded, tensor.count, qrt_dtype_size(tensor.dtype), bytes);
    return;
  }
  for (uint64_t i = 0; i < tensor.count; ++i) {
    uint64_t random = draw(&vector->state);
    if (tensor.dtype == QRT_FB_DType_int8) {
      bytes[i] = (uint8_t)(random >> 56);
    } else {
      float value = (float)(uint32_t)(random >> 40) * step;
      value = value + lowest;
      memcpy(bytes + 4 * i, &value, sizeof value);
    }
  }
}

static void set_inputs(qrt_session *session, test_vector *vector) {
  const qrt_model *model = session->model;
  uint64_t mode = qrt_fpenv_enter();
  for (uint32_t i = 0; i < model->input_count; ++i) {
    if (!vector->input_count) {
      seed_input(session, vector, i);
      continue;
    }
    qrt_tensor tensor;
    uint64_t offset, size;
    read_io(model, model->inputs, i, &tensor);
    qrt_buffer_read(model, qrt_load32(model->file + vector->inputs + 4 * i), &offset, &size);
    memcpy(session->activations + tensor.offset, model->data + offset, (size_t)size);
  }
  qrt_fpenv_leave(mode);
}

static qrt_status compare_output(const qrt_session *session, const test_vector *vector, uint32_t number, uint32_t i,
                                 qrt_error *error) {
  const qrt_model *model = session->model;
  qrt_tensor tensor;
  read_io(model, model->outputs, i, &tensor);
  const uint8_t *bytes = session->activations + tensor.offset;
  if (vector->input_count) {
    uint64_t offset, size;
    qrt_buffer_read(model, qrt_load32(model->file + vector->outputs + 4 * i), &offset, &size);
    if (memcmp(bytes, model->data + offset, (size_t)size) != 0) {
      return QRT_FAIL(error, QRT_ERROR_MISMATCH, "test_vectors[%u]: outputs[%u] differs", number, i);
    }
    return QRT_OK;
  }
  uint32_t crc = qrt_crc32(0, bytes, (size_t)tensor.size), expected = qrt_load32(model->file + vector->crc + 4 * i);
  if (crc != expected) {
    return QRT_FAIL(error, QRT_ERROR_MISMATCH, "test_vectors[%u]: outputs[%u] has CRC-32 %u instead of %u", number, i,
                    crc, expected);
  }
  return QRT_OK;
}

qrt_status qrt_session_self_test(qrt_session *session, uint32_t *count, qrt_error *error) {
  uint32_t total;
  qrt_error_clear(error);
  if (count) {
    *count = 0;
  }
  if (!session) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_session_self_test: session is NULL");
  }
  vectors(session->model, &total);
  if (!total) {
    return QRT_FAIL(error, QRT_ERROR_UNSUPPORTED, "test_vectors: the file carries none; export it with some");
  }
  for (uint32_t i = 0; i < total; ++i) {
    test_vector vector;
    read_vector(session->model, i, &vector);
    set_inputs(session, &vector);
    QRT_TRY(qrt_session_run(session, error));
    for (uint32_t j = 0; j < session->model->output_count; ++j) {
      QRT_TRY(compare_output(session, &vector, i, j, error));
    }
    if (count) {
      *count = i + 1;
    }
  }
  return QRT_OK;
}
