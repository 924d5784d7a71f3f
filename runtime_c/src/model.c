/* model.c - opens a file: all distrust begins here. The file's frame is checked first (identifier, structure, versions,
 * data segment), then verify.h's passes look at what the values mean. Nothing is copied and nothing is kept but
 * positions. Also the questions that qrt.h answers about a model. */
#include "verify.h"

/* The flatbuffer part; positions in it are 32-bit. The data segment may be larger. */
#define MAX_FLATBUFFER 0x7fffffffu
#define HEADER_SIZE    8u /* offset of the root table, identifier */

static qrt_status fail_format(qrt_error *error, const char *problem) {
  return QRT_FAIL(error, QRT_ERROR_FORMAT, "%s", problem);
}

static qrt_status open_frame(qrt_model *model, const uint8_t *file, size_t size, qrt_error *error) {
  if ((uintptr_t)file % QRT_ALIGNMENT) {
    return QRT_FAIL(error, QRT_ERROR_ALIGNMENT, "the file's address in memory is not a multiple of %d", QRT_ALIGNMENT);
  }
  if (size < HEADER_SIZE) {
    return fail_format(error, "the file is too short");
  }
  if (memcmp(file + 4, QRT_FB_IDENTIFIER, 4) != 0) {
    return fail_format(error, "the file does not begin like a .qsdk file");
  }
  uint32_t limit = size < MAX_FLATBUFFER ? (uint32_t)size : MAX_FLATBUFFER;
  uint32_t root = qrt_load32(file);
  QRT_TRY(qrt_flat_verify_root(file, limit, root, error));
  uint32_t version = qrt_flat_uint(file, root, QRT_FIELD(Model, version));
  uint32_t numerics = qrt_flat_uint(file, root, QRT_FIELD(Model, numerics));
  if (version != QRT_FORMAT_VERSION) {
    return QRT_FAIL(error, QRT_ERROR_VERSION, "version: format %u; this runtime reads %d", version, QRT_FORMAT_VERSION);
  }
  if (numerics != QRT_NUMERICS_VERSION) {
    return QRT_FAIL(error, QRT_ERROR_VERSION, "numerics: contract %u; this runtime computes %d", numerics,
                    QRT_NUMERICS_VERSION);
  }
  uint64_t data_offset = qrt_flat_ulong(file, root, QRT_FIELD(Model, data_offset));
  uint64_t data_size = qrt_flat_ulong(file, root, QRT_FIELD(Model, data_size));
  if (data_offset % QRT_ALIGNMENT || data_offset > limit) {
    return fail_format(error, "data_offset: outside of the file or not a multiple of 64");
  }
  if (data_size != size - data_offset) {
    return fail_format(error, "data_size: the data segment does not end where the file does");
  }
  QRT_TRY(qrt_flat_verify(file, (uint32_t)data_offset, root, error));
  model->file = file;
  model->file_size = size;
  model->data = file + data_offset;
  model->root = root;
  return QRT_OK;
}

static qrt_status limit_count(qrt_error *error, const qrt_fb_field *field, uint32_t count, uint32_t least,
                              uint32_t most) {
  if (count < least || count > most) {
    return QRT_FAIL(error, count > most ? QRT_ERROR_LIMIT : QRT_ERROR_FIELD,
                    "%s: %u of them; this runtime takes %u..%u", qrt_fb_name(field), count, least, most);
  }
  return QRT_OK;
}

static qrt_status open_vectors(qrt_model *model, qrt_error *error) {
  const struct {
    const qrt_fb_field *field;
    uint32_t *position, *count, least, most;
  } vectors[] = {
      {QRT_FIELD(Model, tensors), &model->tensors, &model->tensor_count, 1, QRT_LIMIT_TENSORS},
      {QRT_FIELD(Model, operators), &model->operators, &model->operator_count, 1, QRT_LIMIT_OPERATORS},
      {QRT_FIELD(Model, inputs), &model->inputs, &model->input_count, 0, QRT_LIMIT_IO},
      {QRT_FIELD(Model, outputs), &model->outputs, &model->output_count, 1, QRT_LIMIT_IO},
      {QRT_FIELD(Model, buffers), &model->buffers, &model->buffer_count, 0, UINT32_MAX},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; ++i) {
    *vectors[i].position = qrt_flat_vector(model->file, model->root, vectors[i].field, vectors[i].count);
    QRT_TRY(limit_count(error, vectors[i].field, *vectors[i].count, vectors[i].least, vectors[i].most));
  }
  return QRT_OK;
}

static qrt_status open_region(qrt_model *model, qrt_error *error) {
  uint32_t count, regions = qrt_flat_vector(model->file, model->root, QRT_FIELD(Model, regions), &count);
  if (count != 1) {
    return QRT_FAIL(error, count ? QRT_ERROR_UNSUPPORTED : QRT_ERROR_FIELD,
                    "regions: %u of them; this version has exactly one", count);
  }
  uint32_t region = qrt_flat_element(model->file, regions, 0);
  model->activation_size = qrt_flat_ulong(model->file, region, QRT_FIELD(Region, size));
  if (model->activation_size > QRT_MAX_BYTES) {
    return QRT_FAIL(error, QRT_ERROR_LIMIT, "regions[0].size: more than %llu bytes", (unsigned long long)QRT_MAX_BYTES);
  }
  if (qrt_flat_ulong(model->file, region, QRT_FIELD(Region, peak_live)) > model->activation_size) {
    return QRT_FAIL(error, QRT_ERROR_FIELD, "regions[0].peak_live: more than the region's size");
  }
  return QRT_OK;
}

static qrt_status verify_buffers(const qrt_model *model, qrt_error *error) {
  uint64_t data_size = model->file_size - (size_t)(model->data - model->file);
  for (uint32_t i = 0; i < model->buffer_count; ++i) {
    uint64_t offset, size;
    qrt_buffer_read(model, i, &offset, &size);
    if (offset % QRT_ALIGNMENT) {
      return QRT_FAIL(error, QRT_ERROR_FIELD, "buffers[%u].offset: not a multiple of %d", i, QRT_ALIGNMENT);
    }
    if (offset > data_size || size > data_size - offset) {
      return QRT_FAIL(error, QRT_ERROR_FIELD, "buffers[%u]: ends after the data segment's %llu bytes", i,
                      (unsigned long long)data_size);
    }
  }
  return QRT_OK;
}

/* What sections refer to; whether they fit is found out when a session is bound. */
static qrt_status verify_packed(const qrt_model *model, qrt_error *error) {
  uint32_t count, packed = qrt_flat_vector(model->file, model->root, QRT_FIELD(Model, packed), &count);
  int32_t least = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t section = qrt_flat_element(model->file, packed, i);
    int32_t operator_index = qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, operator));
    if (operator_index < least || (uint32_t)operator_index >= model->operator_count) {
      return QRT_FAIL(error, QRT_ERROR_FIELD, "packed[%u].operator: index %d, not in %d..%u", i, operator_index, least,
                      model->operator_count - 1);
    }
    least = operator_index;
    int32_t tensor = qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, tensor));
    int32_t buffer = qrt_flat_int(model->file, section, QRT_FIELD(PackedSection, buffer));
    if (tensor < 0 || (uint32_t)tensor >= model->tensor_count) {
      return QRT_FAIL(error, QRT_ERROR_FIELD, "packed[%u].tensor: index %d of %u", i, tensor, model->tensor_count);
    }
    if (buffer < 0 || (uint32_t)buffer >= model->buffer_count) {
      return QRT_FAIL(error, QRT_ERROR_FIELD, "packed[%u].buffer: index %d of %u", i, buffer, model->buffer_count);
    }
  }
  return QRT_OK;
}

static qrt_status open_model(qrt_model *model, const uint8_t *file, size_t size, qrt_error *error) {
  QRT_TRY(open_frame(model, file, size, error));
  QRT_TRY(open_vectors(model, error));
  QRT_TRY(open_region(model, error));
  QRT_TRY(verify_buffers(model, error));
  qrt_verify v = {model, error, (uint64_t)size * QRT_CONSTANT_AMPLIFICATION};
  QRT_TRY(qrt_verify_tensors(&v));
  QRT_TRY(qrt_verify_graph(&v));
  QRT_TRY(qrt_verify_vectors(&v));
  return verify_packed(model, error);
}

qrt_status qrt_model_open(qrt_model *model, const void *file, size_t size, qrt_error *error) {
  qrt_error_clear(error);
  if (!model || !file) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_model_open: model or file is NULL");
  }
  memset(model, 0, sizeof *model);
  qrt_status status = open_model(model, file, size, error);
  if (status != QRT_OK) {
    memset(model, 0, sizeof *model); /* a model that failed to open has no inputs, outputs or operators */
  }
  return status;
}

qrt_status qrt_model_checksum(const qrt_model *model, qrt_error *error) {
  static const uint8_t zeros[4];
  qrt_error_clear(error);
  if (!model || !model->file) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "qrt_model_checksum: no model");
  }
  uint32_t at = qrt_flat_find(model->file, model->root, QRT_FIELD(Model, crc32));
  if (!at) {
    return QRT_FAIL(error, QRT_ERROR_CHECKSUM, "crc32: the file carries none");
  }
  uint32_t crc = qrt_crc32(0, model->file, at);
  crc = qrt_crc32(crc, zeros, sizeof zeros);
  crc = qrt_crc32(crc, model->file + at + 4, model->file_size - at - 4);
  uint32_t expected = qrt_load32(model->file + at);
  if (crc != expected) {
    return QRT_FAIL(error, QRT_ERROR_CHECKSUM, "crc32: the file says %u, its content has %u", expected, crc);
  }
  return QRT_OK;
}

uint32_t qrt_model_input_count(const qrt_model *model) {
  return model ? model->input_count : 0;
}

uint32_t qrt_model_output_count(const qrt_model *model) {
  return model ? model->output_count : 0;
}

uint32_t qrt_model_operator_count(const qrt_model *model) {
  return model ? model->operator_count : 0;
}

static qrt_status tensor_info(const qrt_model *model, uint32_t position, uint32_t count, uint32_t index,
                              qrt_tensor_info *info, qrt_error *error) {
  qrt_tensor tensor;
  qrt_error_clear(error);
  if (!info || index >= count) {
    return QRT_FAIL(error, QRT_ERROR_ARGUMENT, "no tensor %u: there are %u", index, count);
  }
  qrt_tensor_read(model, qrt_load32(model->file + position + 4 * index), &tensor);
  info->name = qrt_flat_string(model->file, qrt_tensor_table(model, tensor.index), QRT_FIELD(Tensor, name));
  info->dtype = (qrt_dtype)tensor.dtype;
  info->rank = tensor.rank;
  memcpy(info->shape, tensor.shape, sizeof info->shape);
  info->size = (size_t)tensor.size;
  info->scale = tensor.scale_count == 1 ? tensor.scale : 0;
  info->zero_point = tensor.scale_count == 1 ? tensor.zero_point : 0;
  return QRT_OK;
}

qrt_status qrt_model_input(const qrt_model *model, uint32_t index, qrt_tensor_info *info, qrt_error *error) {
  return tensor_info(model, model ? model->inputs : 0, qrt_model_input_count(model), index, info, error);
}

qrt_status qrt_model_output(const qrt_model *model, uint32_t index, qrt_tensor_info *info, qrt_error *error) {
  return tensor_info(model, model ? model->outputs : 0, qrt_model_output_count(model), index, info, error);
}
