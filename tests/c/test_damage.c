/* test_damage.c - the verifier from inside: every field of interest is set to what it must not be, one by one, and the
 * refusal must name it. The numbers are the classes of the safety table. Damage at random is mutate.c's.
 *
 *   test_damage FOLDER   the files of tests/c/fixture.py
 *
 * Ends with "N passed, M failed"; exit status 1 if any failed.
 */
#include "damage.h"

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
  BYTE(position(p, q, QRT_FIELD(Tensor, dtype)), QRT_FB_DType_END, ERROR_FIELD, "dtype: 7");
  BYTE(position(p, q, QRT_FIELD(Tensor, dtype)), QRT_FB_DType_uint8, ERROR_UNSUPPORTED, "dtype");
  BYTE(position(p, q, QRT_FIELD(Tensor, dtype)), QRT_FB_DType_int4, ERROR_UNSUPPORTED, "dtype");
  for (unsigned dtype = QRT_FB_DType_int32; dtype <= QRT_FB_DType_int64; ++dtype) {
    BYTE(position(p, q, QRT_FIELD(Tensor, dtype)), dtype, ERROR_FIELD, "scale: a tensor of int");
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
    CHECK(opened <= 4); /* clamp and its like look alike, and so do add, maximum and minimum */
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
  FLOAT(position(p, seeded, QRT_FIELD(SeededInput, lowest)), special(0xff800000), ERROR_FIELD, "seeded[0]");
  INT(vector(p, first, QRT_FIELD(TestVector, seeded)), 0, ERROR_FIELD, "seeded");
  INT(vector(p, first, QRT_FIELD(TestVector, output_crc)), 0, ERROR_FIELD, "output_crc");
  INT(vector(p, second, QRT_FIELD(TestVector, inputs)) + 4, 99, ERROR_FIELD, "inputs[0]: buffer 99");
  INT(vector(p, second, QRT_FIELD(TestVector, inputs)) + 4, -1, ERROR_FIELD, "inputs[0]");
  INT(vector(p, second, QRT_FIELD(TestVector, inputs)) + 4, 0, ERROR_FIELD, "inputs[0]");
  INT(vector(p, second, QRT_FIELD(TestVector, outputs)), 0, ERROR_FIELD, "outputs");
}

/* A damaged constant or vector is seen by checksum and self test, and by nothing else. */
static void test_mismatch(patient *p) {
  uint32_t vectors = vector(p, p->model.root, QRT_FIELD(Model, test_vectors)) + 4;
  uint32_t first = qrt_flat_element(p->file.bytes, vectors, 0);
  uint32_t crc = vector(p, first, QRT_FIELD(TestVector, output_crc)) + 4;
  uint32_t bias = data_of(p, input_of(p, find(p, QRT_FB_Operation_linear), 2));
  uint32_t places[] = {crc, bias + 2};
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
  STATUS(qrt_model_open(&model, file->bytes, file->size, &error), ERROR_LIMIT, "shares");
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
    fprintf(stderr, "usage: test_damage FOLDER\n");
    return 2;
  }
  blob file = load(argv[1], "every_operator.qsdk"), shared = load(argv[1], "shared.qsdk");
  test_damage(&file);
  test_shared(&shared);
  free(file.bytes);
  free(shared.bytes);
  return finish();
}
