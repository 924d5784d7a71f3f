/* tensors.c - every tensor on its own: type, shape, size, quantization parameters, and where its bytes are. */
#include "verify.h"

#define FAIL(status, ...) QRT_FAIL(v->error, status, "tensors[%u]." __VA_ARGS__)

static qrt_status verify_kind(const qrt_verify *v, uint32_t index, uint32_t table) {
  const uint8_t *fb = v->model->file;
  uint32_t kind = qrt_flat_byte(fb, table, QRT_FIELD(Tensor, kind));
  uint32_t dtype = qrt_flat_byte(fb, table, QRT_FIELD(Tensor, dtype));
  if (kind >= QRT_FB_TensorKind_END) {
    return FAIL(QRT_ERROR_FIELD, "kind: %u is unknown", index, kind);
  }
  if (kind == QRT_FB_TensorKind_state) {
    return FAIL(QRT_ERROR_UNSUPPORTED, "kind: state tensors are not supported by this version", index);
  }
  if (dtype >= QRT_FB_DType_END) {
    return FAIL(QRT_ERROR_FIELD, "dtype: %u is unknown", index, dtype);
  }
  if (dtype == QRT_FB_DType_int4 || (dtype == QRT_FB_DType_uint8 && kind != QRT_FB_TensorKind_constant)) {
    return FAIL(QRT_ERROR_UNSUPPORTED, "dtype: %s is not supported by this version for %s", index,
                qrt_dtype_name(dtype), kind == QRT_FB_TensorKind_constant ? "constants" : "activations");
  }
  if (qrt_flat_byte(fb, table, QRT_FIELD(Tensor, region))) {
    return FAIL(QRT_ERROR_UNSUPPORTED, "region: this version has one region only", index);
  }
  if (qrt_flat_int(fb, table, QRT_FIELD(Tensor, dynamic_axis)) != -1) {
    return FAIL(QRT_ERROR_UNSUPPORTED, "dynamic_axis: not supported by this version", index);
  }
  return QRT_OK;
}

static qrt_status verify_shape(const qrt_verify *v, uint32_t index, uint32_t table, uint64_t *size) {
  const uint8_t *fb = v->model->file;
  uint32_t rank, shape = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, shape), &rank);
  *size = qrt_dtype_size(qrt_flat_byte(fb, table, QRT_FIELD(Tensor, dtype)));
  if (rank > QRT_MAX_RANK) {
    return FAIL(QRT_ERROR_LIMIT, "shape: rank %u is above %d", index, rank, QRT_MAX_RANK);
  }
  for (uint32_t i = 0; i < rank; ++i) {
    int32_t extent = qrt_load_int(fb + shape + 4 * i);
    if (extent < 1) {
      return FAIL(QRT_ERROR_FIELD, "shape[%u]: extent %d is not positive", index, i, extent);
    }
    if ((uint32_t)extent > (size_t)QRT_MAX_BYTES / (size_t)*size) { /* small machines divide 32 bits, not 64 */
      return FAIL(QRT_ERROR_LIMIT, "shape: more than %llu bytes", index, (unsigned long long)QRT_MAX_BYTES);
    }
    *size *= (uint32_t)extent;
  }
  return QRT_OK;
}

static qrt_status verify_qparams(const qrt_verify *v, uint32_t index, uint32_t table) {
  const uint8_t *fb = v->model->file;
  uint32_t kind = qrt_flat_byte(fb, table, QRT_FIELD(Tensor, kind));
  uint32_t dtype = qrt_flat_byte(fb, table, QRT_FIELD(Tensor, dtype));
  uint32_t rank, shape = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, shape), &rank);
  uint32_t scales, scale = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, scale), &scales);
  uint32_t zero_points, zero_point = qrt_flat_vector(fb, table, QRT_FIELD(Tensor, zero_point), &zero_points);
  int32_t axis = qrt_flat_int(fb, table, QRT_FIELD(Tensor, channel_axis));
  if (axis < -1 || axis >= (int32_t)rank) {
    return FAIL(QRT_ERROR_FIELD, "channel_axis: %d is not an axis", index, axis);
  }
  if (scales != zero_points) {
    return FAIL(QRT_ERROR_FIELD, "zero_point: %u of them, but %u scales", index, zero_points, scales);
  }
  uint32_t channels = axis < 0 ? 1 : (uint32_t)qrt_load_int(fb + shape + 4 * (uint32_t)axis);
  if (scales > 1 && scales != channels) {
    return FAIL(QRT_ERROR_FIELD, "scale: %u of them, but %u channels", index, scales, channels);
  }
  int integer = dtype == QRT_FB_DType_int32 && kind == QRT_FB_TensorKind_constant; /* a bias may say its scale */
  if (dtype != QRT_FB_DType_int8 && !integer && scales) {
    return FAIL(QRT_ERROR_FIELD, "scale: a tensor of %s has none", index, qrt_dtype_name(dtype));
  }
  if (kind == QRT_FB_TensorKind_activation && dtype == QRT_FB_DType_int8 && scales != 1) {
    return FAIL(QRT_ERROR_FIELD, "scale: an int8 activation has exactly one, not %u", index, scales);
  }
  int32_t least = dtype == QRT_FB_DType_int8 ? -128 : 0, most = dtype == QRT_FB_DType_int8 ? 127 : 0;
  for (uint32_t i = 0; i < scales; ++i) {
    int32_t z = qrt_load_int(fb + zero_point + 4 * i);
    if (!qrt_multiplier_ok(qrt_load_float(fb + scale + 4 * i))) {
      return FAIL(QRT_ERROR_FIELD, "scale[%u]: not within 2^-60 and 2^60", index, i);
    }
    if (z < least || z > most) {
      return FAIL(QRT_ERROR_FIELD, "zero_point[%u]: %d is not in %d..%d", index, i, z, least, most);
    }
  }
  return QRT_OK;
}

static qrt_status verify_place(const qrt_verify *v, uint32_t index, uint32_t table, uint64_t size) {
  const uint8_t *fb = v->model->file;
  int32_t buffer = qrt_flat_int(fb, table, QRT_FIELD(Tensor, buffer));
  uint64_t offset = qrt_flat_ulong(fb, table, QRT_FIELD(Tensor, offset));
  if (qrt_flat_byte(fb, table, QRT_FIELD(Tensor, kind)) == QRT_FB_TensorKind_constant) {
    uint64_t begin, bytes;
    if (buffer < 0 || (uint32_t)buffer >= v->model->buffer_count) {
      return FAIL(QRT_ERROR_FIELD, "buffer: index %d of %u", index, buffer, v->model->buffer_count);
    }
    qrt_buffer_read(v->model, (uint32_t)buffer, &begin, &bytes);
    if (bytes != size) {
      return FAIL(QRT_ERROR_FIELD, "buffer: has %llu bytes, the shape needs %llu", index, (unsigned long long)bytes,
                  (unsigned long long)size);
    }
    return QRT_OK;
  }
  if (buffer != -1) {
    return FAIL(QRT_ERROR_FIELD, "buffer: an activation has none", index);
  }
  if (offset % QRT_ALIGNMENT) {
    return FAIL(QRT_ERROR_FIELD, "offset: %llu is not a multiple of %d", index, (unsigned long long)offset,
                QRT_ALIGNMENT);
  }
  if (offset > v->model->activation_size || size > v->model->activation_size - offset) {
    return FAIL(QRT_ERROR_FIELD, "offset: ends after the region's %llu bytes", index,
                (unsigned long long)v->model->activation_size);
  }
  return QRT_OK;
}

qrt_status qrt_verify_tensors(qrt_verify *v) {
  for (uint32_t i = 0; i < v->model->tensor_count; ++i) {
    uint32_t table = qrt_tensor_table(v->model, i);
    uint64_t size;
    QRT_TRY(verify_kind(v, i, table));
    QRT_TRY(verify_shape(v, i, table, &size));
    QRT_TRY(verify_qparams(v, i, table));
    QRT_TRY(verify_place(v, i, table, size));
  }
  return QRT_OK;
}
