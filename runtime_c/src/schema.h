/* schema.h - the tables of qsdk.fbs as data, for flat.c.
 * Made by schema/generate.py from schema/qsdk.fbs; edit those. */
/* clang-format off */
#ifndef QRT_SCHEMA_H
#define QRT_SCHEMA_H

#include "flat_types.h"

#define QRT_FB_IDENTIFIER "QSDK"
#define QRT_FB_DEPTH 3 /* longest chain of tables */
#define QRT_FB_ROOT QRT_FB_TABLE_Model

enum { /* BagMode */
  QRT_FB_BagMode_sum = 0,
  QRT_FB_BagMode_mean = 1,
  QRT_FB_BagMode_max = 2,
  QRT_FB_BagMode_END = 3
};

enum { /* DType */
  QRT_FB_DType_float32 = 0,
  QRT_FB_DType_int8 = 1,
  QRT_FB_DType_uint8 = 2,
  QRT_FB_DType_int32 = 3,
  QRT_FB_DType_int64 = 4,
  QRT_FB_DType_int4 = 5,
  QRT_FB_DType_bool = 6,
  QRT_FB_DType_END = 7
};

enum { /* TensorKind */
  QRT_FB_TensorKind_activation = 0,
  QRT_FB_TensorKind_constant = 1,
  QRT_FB_TensorKind_state = 2,
  QRT_FB_TensorKind_END = 3
};

enum { /* tags of union Operation */
  QRT_FB_Operation_quantize_per_tensor = 1,
  QRT_FB_Operation_dequantize = 2,
  QRT_FB_Operation_conv2d = 3,
  QRT_FB_Operation_linear = 4,
  QRT_FB_Operation_clamp = 5,
  QRT_FB_Operation_add = 6,
  QRT_FB_Operation_mul = 7,
  QRT_FB_Operation_lookup_table = 8,
  QRT_FB_Operation_cat = 9,
  QRT_FB_Operation_max_pool2d = 10,
  QRT_FB_Operation_avg_pool2d = 11,
  QRT_FB_Operation_adaptive_avg_pool2d = 12,
  QRT_FB_Operation_mean = 13,
  QRT_FB_Operation_reshape = 14,
  QRT_FB_Operation_permute = 15,
  QRT_FB_Operation_custom = 16,
  QRT_FB_Operation_matmul = 17,
  QRT_FB_Operation_softmax = 18,
  QRT_FB_Operation_layer_norm = 19,
  QRT_FB_Operation_batch_norm = 20,
  QRT_FB_Operation_group_norm = 21,
  QRT_FB_Operation_prelu = 22,
  QRT_FB_Operation_conv_transpose2d = 23,
  QRT_FB_Operation_conv3d = 24,
  QRT_FB_Operation_conv_transpose3d = 25,
  QRT_FB_Operation_linear_dynamic = 26,
  QRT_FB_Operation_relu = 27,
  QRT_FB_Operation_div = 28,
  QRT_FB_Operation_slice = 29,
  QRT_FB_Operation_sub = 30,
  QRT_FB_Operation_pad = 31,
  QRT_FB_Operation_upsample_nearest2d = 32,
  QRT_FB_Operation_upsample_bilinear2d = 33,
  QRT_FB_Operation_embedding = 34,
  QRT_FB_Operation_embedding_bag = 35,
  QRT_FB_Operation_sigmoid = 36,
  QRT_FB_Operation_tanh = 37,
  QRT_FB_Operation_lstm_dynamic = 38,
  QRT_FB_Operation_gru_dynamic = 39,
  QRT_FB_Operation_rnn_dynamic = 40,
  QRT_FB_Operation_conv2d_dynamic = 41,
  QRT_FB_Operation_conv3d_dynamic = 42,
  QRT_FB_Operation_conv_transpose2d_dynamic = 43,
  QRT_FB_Operation_conv_transpose3d_dynamic = 44,
  QRT_FB_Operation_linear_weight_only = 45,
  QRT_FB_Operation_conv2d_weight_only = 46,
  QRT_FB_Operation_exp = 47,
  QRT_FB_Operation_neg = 48,
  QRT_FB_Operation_abs = 49,
  QRT_FB_Operation_sqrt = 50,
  QRT_FB_Operation_rsqrt = 51,
  QRT_FB_Operation_silu = 52,
  QRT_FB_Operation_hardsigmoid = 53,
  QRT_FB_Operation_hardswish = 54,
  QRT_FB_Operation_gelu = 55,
  QRT_FB_Operation_elu = 56,
  QRT_FB_Operation_leaky_relu = 57,
  QRT_FB_Operation_lstm = 58,
  QRT_FB_Operation_maximum = 59,
  QRT_FB_Operation_minimum = 60,
  QRT_FB_Operation_eq = 61,
  QRT_FB_Operation_ne = 62,
  QRT_FB_Operation_lt = 63,
  QRT_FB_Operation_le = 64,
  QRT_FB_Operation_where = 65,
  QRT_FB_Operation_topk = 66,
  QRT_FB_Operation_index_select = 67,
  QRT_FB_Operation_gather = 68,
  QRT_FB_Operation_normalize = 69,
  QRT_FB_Operation_gru = 70,
  QRT_FB_Operation_inverted_residual = 71,
  QRT_FB_Operation_END = 72
};

enum { /* struct Buffer: offsets */
  QRT_FB_Buffer_offset = 0,
  QRT_FB_Buffer_size = 8,
  QRT_FB_Buffer_SIZE = 16
};

enum { /* fields of Model */
  QRT_FB_Model_version,
  QRT_FB_Model_numerics,
  QRT_FB_Model_crc32,
  QRT_FB_Model_producer,
  QRT_FB_Model_name,
  QRT_FB_Model_tensors,
  QRT_FB_Model_operators,
  QRT_FB_Model_inputs,
  QRT_FB_Model_outputs,
  QRT_FB_Model_buffers,
  QRT_FB_Model_data_offset,
  QRT_FB_Model_data_size,
  QRT_FB_Model_regions,
  QRT_FB_Model_packed,
  QRT_FB_Model_test_vectors,
  QRT_FB_Model_FIELDS
};
extern const qrt_fb_field qrt_fb_Model_fields[];

enum { /* fields of Operator */
  QRT_FB_Operator_name,
  QRT_FB_Operator_inputs,
  QRT_FB_Operator_outputs,
  QRT_FB_Operator_operation,
  QRT_FB_Operator_live,
  QRT_FB_Operator_FIELDS
};
extern const qrt_fb_field qrt_fb_Operator_fields[];

enum { /* fields of PackedSection */
  QRT_FB_PackedSection_tensor,
  QRT_FB_PackedSection_pack_id,
  QRT_FB_PackedSection_layout_version,
  QRT_FB_PackedSection_buffer,
  QRT_FB_PackedSection_operator,
  QRT_FB_PackedSection_FIELDS
};
extern const qrt_fb_field qrt_fb_PackedSection_fields[];

enum { /* fields of Region */
  QRT_FB_Region_name,
  QRT_FB_Region_size,
  QRT_FB_Region_peak_live,
  QRT_FB_Region_FIELDS
};
extern const qrt_fb_field qrt_fb_Region_fields[];

enum { /* fields of SeededInput */
  QRT_FB_SeededInput_lowest,
  QRT_FB_SeededInput_step,
  QRT_FB_SeededInput_least,
  QRT_FB_SeededInput_most,
  QRT_FB_SeededInput_ascending,
  QRT_FB_SeededInput_FIELDS
};
extern const qrt_fb_field qrt_fb_SeededInput_fields[];

enum { /* fields of Tensor */
  QRT_FB_Tensor_name,
  QRT_FB_Tensor_kind,
  QRT_FB_Tensor_dtype,
  QRT_FB_Tensor_shape,
  QRT_FB_Tensor_scale,
  QRT_FB_Tensor_zero_point,
  QRT_FB_Tensor_channel_axis,
  QRT_FB_Tensor_buffer,
  QRT_FB_Tensor_offset,
  QRT_FB_Tensor_region,
  QRT_FB_Tensor_dynamic_axis,
  QRT_FB_Tensor_FIELDS
};
extern const qrt_fb_field qrt_fb_Tensor_fields[];

enum { /* fields of TestVector */
  QRT_FB_TestVector_seed,
  QRT_FB_TestVector_seeded,
  QRT_FB_TestVector_output_crc,
  QRT_FB_TestVector_inputs,
  QRT_FB_TestVector_outputs,
  QRT_FB_TestVector_FIELDS
};
extern const qrt_fb_field qrt_fb_TestVector_fields[];

enum { /* fields of abs */
  QRT_FB_abs_FIELDS
};
#define qrt_fb_abs_fields NULL

enum { /* fields of adaptive_avg_pool2d */
  QRT_FB_adaptive_avg_pool2d_output_size,
  QRT_FB_adaptive_avg_pool2d_rescale,
  QRT_FB_adaptive_avg_pool2d_output_min,
  QRT_FB_adaptive_avg_pool2d_output_max,
  QRT_FB_adaptive_avg_pool2d_FIELDS
};
extern const qrt_fb_field qrt_fb_adaptive_avg_pool2d_fields[];

enum { /* fields of add */
  QRT_FB_add_input_multiplier,
  QRT_FB_add_other_multiplier,
  QRT_FB_add_output_min,
  QRT_FB_add_output_max,
  QRT_FB_add_FIELDS
};
extern const qrt_fb_field qrt_fb_add_fields[];

enum { /* fields of avg_pool2d */
  QRT_FB_avg_pool2d_kernel_size,
  QRT_FB_avg_pool2d_stride,
  QRT_FB_avg_pool2d_padding,
  QRT_FB_avg_pool2d_ceil_mode,
  QRT_FB_avg_pool2d_count_include_pad,
  QRT_FB_avg_pool2d_divisor_override,
  QRT_FB_avg_pool2d_rescale,
  QRT_FB_avg_pool2d_output_min,
  QRT_FB_avg_pool2d_output_max,
  QRT_FB_avg_pool2d_FIELDS
};
extern const qrt_fb_field qrt_fb_avg_pool2d_fields[];

enum { /* fields of batch_norm */
  QRT_FB_batch_norm_output_min,
  QRT_FB_batch_norm_output_max,
  QRT_FB_batch_norm_FIELDS
};
extern const qrt_fb_field qrt_fb_batch_norm_fields[];

enum { /* fields of cat */
  QRT_FB_cat_dim,
  QRT_FB_cat_FIELDS
};
extern const qrt_fb_field qrt_fb_cat_fields[];

enum { /* fields of clamp */
  QRT_FB_clamp_output_min,
  QRT_FB_clamp_output_max,
  QRT_FB_clamp_min,
  QRT_FB_clamp_max,
  QRT_FB_clamp_FIELDS
};
extern const qrt_fb_field qrt_fb_clamp_fields[];

enum { /* fields of conv2d */
  QRT_FB_conv2d_stride,
  QRT_FB_conv2d_padding,
  QRT_FB_conv2d_dilation,
  QRT_FB_conv2d_groups,
  QRT_FB_conv2d_output_min,
  QRT_FB_conv2d_output_max,
  QRT_FB_conv2d_FIELDS
};
extern const qrt_fb_field qrt_fb_conv2d_fields[];

enum { /* fields of conv2d_dynamic */
  QRT_FB_conv2d_dynamic_stride,
  QRT_FB_conv2d_dynamic_padding,
  QRT_FB_conv2d_dynamic_dilation,
  QRT_FB_conv2d_dynamic_groups,
  QRT_FB_conv2d_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_conv2d_dynamic_fields[];

enum { /* fields of conv2d_weight_only */
  QRT_FB_conv2d_weight_only_kernel_size,
  QRT_FB_conv2d_weight_only_stride,
  QRT_FB_conv2d_weight_only_padding,
  QRT_FB_conv2d_weight_only_dilation,
  QRT_FB_conv2d_weight_only_groups,
  QRT_FB_conv2d_weight_only_bits,
  QRT_FB_conv2d_weight_only_group_size,
  QRT_FB_conv2d_weight_only_relu,
  QRT_FB_conv2d_weight_only_FIELDS
};
extern const qrt_fb_field qrt_fb_conv2d_weight_only_fields[];

enum { /* fields of conv3d */
  QRT_FB_conv3d_stride,
  QRT_FB_conv3d_padding,
  QRT_FB_conv3d_dilation,
  QRT_FB_conv3d_groups,
  QRT_FB_conv3d_output_min,
  QRT_FB_conv3d_output_max,
  QRT_FB_conv3d_FIELDS
};
extern const qrt_fb_field qrt_fb_conv3d_fields[];

enum { /* fields of conv3d_dynamic */
  QRT_FB_conv3d_dynamic_stride,
  QRT_FB_conv3d_dynamic_padding,
  QRT_FB_conv3d_dynamic_dilation,
  QRT_FB_conv3d_dynamic_groups,
  QRT_FB_conv3d_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_conv3d_dynamic_fields[];

enum { /* fields of conv_transpose2d */
  QRT_FB_conv_transpose2d_stride,
  QRT_FB_conv_transpose2d_padding,
  QRT_FB_conv_transpose2d_output_padding,
  QRT_FB_conv_transpose2d_dilation,
  QRT_FB_conv_transpose2d_groups,
  QRT_FB_conv_transpose2d_output_min,
  QRT_FB_conv_transpose2d_output_max,
  QRT_FB_conv_transpose2d_FIELDS
};
extern const qrt_fb_field qrt_fb_conv_transpose2d_fields[];

enum { /* fields of conv_transpose2d_dynamic */
  QRT_FB_conv_transpose2d_dynamic_stride,
  QRT_FB_conv_transpose2d_dynamic_padding,
  QRT_FB_conv_transpose2d_dynamic_output_padding,
  QRT_FB_conv_transpose2d_dynamic_dilation,
  QRT_FB_conv_transpose2d_dynamic_groups,
  QRT_FB_conv_transpose2d_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_conv_transpose2d_dynamic_fields[];

enum { /* fields of conv_transpose3d */
  QRT_FB_conv_transpose3d_stride,
  QRT_FB_conv_transpose3d_padding,
  QRT_FB_conv_transpose3d_output_padding,
  QRT_FB_conv_transpose3d_dilation,
  QRT_FB_conv_transpose3d_groups,
  QRT_FB_conv_transpose3d_output_min,
  QRT_FB_conv_transpose3d_output_max,
  QRT_FB_conv_transpose3d_FIELDS
};
extern const qrt_fb_field qrt_fb_conv_transpose3d_fields[];

enum { /* fields of conv_transpose3d_dynamic */
  QRT_FB_conv_transpose3d_dynamic_stride,
  QRT_FB_conv_transpose3d_dynamic_padding,
  QRT_FB_conv_transpose3d_dynamic_output_padding,
  QRT_FB_conv_transpose3d_dynamic_dilation,
  QRT_FB_conv_transpose3d_dynamic_groups,
  QRT_FB_conv_transpose3d_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_conv_transpose3d_dynamic_fields[];

enum { /* fields of custom */
  QRT_FB_custom_name,
  QRT_FB_custom_options,
  QRT_FB_custom_FIELDS
};
extern const qrt_fb_field qrt_fb_custom_fields[];

enum { /* fields of dequantize */
  QRT_FB_dequantize_FIELDS
};
#define qrt_fb_dequantize_fields NULL

enum { /* fields of div */
  QRT_FB_div_FIELDS
};
#define qrt_fb_div_fields NULL

enum { /* fields of elu */
  QRT_FB_elu_alpha,
  QRT_FB_elu_FIELDS
};
extern const qrt_fb_field qrt_fb_elu_fields[];

enum { /* fields of embedding */
  QRT_FB_embedding_embedding_dim,
  QRT_FB_embedding_bits,
  QRT_FB_embedding_FIELDS
};
extern const qrt_fb_field qrt_fb_embedding_fields[];

enum { /* fields of embedding_bag */
  QRT_FB_embedding_bag_mode,
  QRT_FB_embedding_bag_include_last_offset,
  QRT_FB_embedding_bag_padding_idx,
  QRT_FB_embedding_bag_embedding_dim,
  QRT_FB_embedding_bag_bits,
  QRT_FB_embedding_bag_FIELDS
};
extern const qrt_fb_field qrt_fb_embedding_bag_fields[];

enum { /* fields of eq */
  QRT_FB_eq_FIELDS
};
#define qrt_fb_eq_fields NULL

enum { /* fields of exp */
  QRT_FB_exp_FIELDS
};
#define qrt_fb_exp_fields NULL

enum { /* fields of gather */
  QRT_FB_gather_dim,
  QRT_FB_gather_FIELDS
};
extern const qrt_fb_field qrt_fb_gather_fields[];

enum { /* fields of gelu */
  QRT_FB_gelu_approximate,
  QRT_FB_gelu_FIELDS
};
extern const qrt_fb_field qrt_fb_gelu_fields[];

enum { /* fields of group_norm */
  QRT_FB_group_norm_num_groups,
  QRT_FB_group_norm_eps,
  QRT_FB_group_norm_output_min,
  QRT_FB_group_norm_output_max,
  QRT_FB_group_norm_FIELDS
};
extern const qrt_fb_field qrt_fb_group_norm_fields[];

enum { /* fields of gru */
  QRT_FB_gru_reverse,
  QRT_FB_gru_zero_point,
  QRT_FB_gru_output_min,
  QRT_FB_gru_output_max,
  QRT_FB_gru_multiplier,
  QRT_FB_gru_FIELDS
};
extern const qrt_fb_field qrt_fb_gru_fields[];

enum { /* fields of gru_dynamic */
  QRT_FB_gru_dynamic_reverse,
  QRT_FB_gru_dynamic_per_step,
  QRT_FB_gru_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_gru_dynamic_fields[];

enum { /* fields of hardsigmoid */
  QRT_FB_hardsigmoid_FIELDS
};
#define qrt_fb_hardsigmoid_fields NULL

enum { /* fields of hardswish */
  QRT_FB_hardswish_FIELDS
};
#define qrt_fb_hardswish_fields NULL

enum { /* fields of index_select */
  QRT_FB_index_select_dim,
  QRT_FB_index_select_FIELDS
};
extern const qrt_fb_field qrt_fb_index_select_fields[];

enum { /* fields of inverted_residual */
  QRT_FB_inverted_residual_stride,
  QRT_FB_inverted_residual_padding,
  QRT_FB_inverted_residual_dilation,
  QRT_FB_inverted_residual_zero_point,
  QRT_FB_inverted_residual_output_min,
  QRT_FB_inverted_residual_output_max,
  QRT_FB_inverted_residual_residual_multiplier,
  QRT_FB_inverted_residual_FIELDS
};
extern const qrt_fb_field qrt_fb_inverted_residual_fields[];

enum { /* fields of layer_norm */
  QRT_FB_layer_norm_eps,
  QRT_FB_layer_norm_output_min,
  QRT_FB_layer_norm_output_max,
  QRT_FB_layer_norm_FIELDS
};
extern const qrt_fb_field qrt_fb_layer_norm_fields[];

enum { /* fields of le */
  QRT_FB_le_FIELDS
};
#define qrt_fb_le_fields NULL

enum { /* fields of leaky_relu */
  QRT_FB_leaky_relu_negative_slope,
  QRT_FB_leaky_relu_FIELDS
};
extern const qrt_fb_field qrt_fb_leaky_relu_fields[];

enum { /* fields of linear */
  QRT_FB_linear_output_min,
  QRT_FB_linear_output_max,
  QRT_FB_linear_FIELDS
};
extern const qrt_fb_field qrt_fb_linear_fields[];

enum { /* fields of linear_dynamic */
  QRT_FB_linear_dynamic_per_token,
  QRT_FB_linear_dynamic_relu,
  QRT_FB_linear_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_linear_dynamic_fields[];

enum { /* fields of linear_weight_only */
  QRT_FB_linear_weight_only_bits,
  QRT_FB_linear_weight_only_group_size,
  QRT_FB_linear_weight_only_relu,
  QRT_FB_linear_weight_only_FIELDS
};
extern const qrt_fb_field qrt_fb_linear_weight_only_fields[];

enum { /* fields of lookup_table */
  QRT_FB_lookup_table_FIELDS
};
#define qrt_fb_lookup_table_fields NULL

enum { /* fields of lstm */
  QRT_FB_lstm_reverse,
  QRT_FB_lstm_zero_point,
  QRT_FB_lstm_output_min,
  QRT_FB_lstm_output_max,
  QRT_FB_lstm_multiplier,
  QRT_FB_lstm_FIELDS
};
extern const qrt_fb_field qrt_fb_lstm_fields[];

enum { /* fields of lstm_dynamic */
  QRT_FB_lstm_dynamic_reverse,
  QRT_FB_lstm_dynamic_per_step,
  QRT_FB_lstm_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_lstm_dynamic_fields[];

enum { /* fields of lt */
  QRT_FB_lt_FIELDS
};
#define qrt_fb_lt_fields NULL

enum { /* fields of matmul */
  QRT_FB_matmul_multiplier,
  QRT_FB_matmul_output_min,
  QRT_FB_matmul_output_max,
  QRT_FB_matmul_FIELDS
};
extern const qrt_fb_field qrt_fb_matmul_fields[];

enum { /* fields of max_pool2d */
  QRT_FB_max_pool2d_kernel_size,
  QRT_FB_max_pool2d_stride,
  QRT_FB_max_pool2d_padding,
  QRT_FB_max_pool2d_dilation,
  QRT_FB_max_pool2d_ceil_mode,
  QRT_FB_max_pool2d_FIELDS
};
extern const qrt_fb_field qrt_fb_max_pool2d_fields[];

enum { /* fields of maximum */
  QRT_FB_maximum_FIELDS
};
#define qrt_fb_maximum_fields NULL

enum { /* fields of mean */
  QRT_FB_mean_dim,
  QRT_FB_mean_keepdim,
  QRT_FB_mean_rescale,
  QRT_FB_mean_output_min,
  QRT_FB_mean_output_max,
  QRT_FB_mean_FIELDS
};
extern const qrt_fb_field qrt_fb_mean_fields[];

enum { /* fields of minimum */
  QRT_FB_minimum_FIELDS
};
#define qrt_fb_minimum_fields NULL

enum { /* fields of mul */
  QRT_FB_mul_multiplier,
  QRT_FB_mul_output_min,
  QRT_FB_mul_output_max,
  QRT_FB_mul_FIELDS
};
extern const qrt_fb_field qrt_fb_mul_fields[];

enum { /* fields of ne */
  QRT_FB_ne_FIELDS
};
#define qrt_fb_ne_fields NULL

enum { /* fields of neg */
  QRT_FB_neg_FIELDS
};
#define qrt_fb_neg_fields NULL

enum { /* fields of normalize */
  QRT_FB_normalize_dim,
  QRT_FB_normalize_eps,
  QRT_FB_normalize_inverse_scale,
  QRT_FB_normalize_output_min,
  QRT_FB_normalize_output_max,
  QRT_FB_normalize_FIELDS
};
extern const qrt_fb_field qrt_fb_normalize_fields[];

enum { /* fields of pad */
  QRT_FB_pad_before,
  QRT_FB_pad_mode,
  QRT_FB_pad_value,
  QRT_FB_pad_FIELDS
};
extern const qrt_fb_field qrt_fb_pad_fields[];

enum { /* fields of permute */
  QRT_FB_permute_dims,
  QRT_FB_permute_FIELDS
};
extern const qrt_fb_field qrt_fb_permute_fields[];

enum { /* fields of prelu */
  QRT_FB_prelu_multiplier,
  QRT_FB_prelu_output_min,
  QRT_FB_prelu_output_max,
  QRT_FB_prelu_FIELDS
};
extern const qrt_fb_field qrt_fb_prelu_fields[];

enum { /* fields of quantize_per_tensor */
  QRT_FB_quantize_per_tensor_inverse_scale,
  QRT_FB_quantize_per_tensor_output_min,
  QRT_FB_quantize_per_tensor_output_max,
  QRT_FB_quantize_per_tensor_FIELDS
};
extern const qrt_fb_field qrt_fb_quantize_per_tensor_fields[];

enum { /* fields of relu */
  QRT_FB_relu_FIELDS
};
#define qrt_fb_relu_fields NULL

enum { /* fields of reshape */
  QRT_FB_reshape_FIELDS
};
#define qrt_fb_reshape_fields NULL

enum { /* fields of rnn_dynamic */
  QRT_FB_rnn_dynamic_relu,
  QRT_FB_rnn_dynamic_reverse,
  QRT_FB_rnn_dynamic_per_step,
  QRT_FB_rnn_dynamic_FIELDS
};
extern const qrt_fb_field qrt_fb_rnn_dynamic_fields[];

enum { /* fields of rsqrt */
  QRT_FB_rsqrt_FIELDS
};
#define qrt_fb_rsqrt_fields NULL

enum { /* fields of sigmoid */
  QRT_FB_sigmoid_FIELDS
};
#define qrt_fb_sigmoid_fields NULL

enum { /* fields of silu */
  QRT_FB_silu_FIELDS
};
#define qrt_fb_silu_fields NULL

enum { /* fields of slice */
  QRT_FB_slice_start,
  QRT_FB_slice_step,
  QRT_FB_slice_FIELDS
};
extern const qrt_fb_field qrt_fb_slice_fields[];

enum { /* fields of softmax */
  QRT_FB_softmax_dim,
  QRT_FB_softmax_inverse_scale,
  QRT_FB_softmax_output_min,
  QRT_FB_softmax_output_max,
  QRT_FB_softmax_FIELDS
};
extern const qrt_fb_field qrt_fb_softmax_fields[];

enum { /* fields of sqrt */
  QRT_FB_sqrt_FIELDS
};
#define qrt_fb_sqrt_fields NULL

enum { /* fields of sub */
  QRT_FB_sub_input_multiplier,
  QRT_FB_sub_other_multiplier,
  QRT_FB_sub_output_min,
  QRT_FB_sub_output_max,
  QRT_FB_sub_FIELDS
};
extern const qrt_fb_field qrt_fb_sub_fields[];

enum { /* fields of tanh */
  QRT_FB_tanh_FIELDS
};
#define qrt_fb_tanh_fields NULL

enum { /* fields of topk */
  QRT_FB_topk_k,
  QRT_FB_topk_dim,
  QRT_FB_topk_largest,
  QRT_FB_topk_FIELDS
};
extern const qrt_fb_field qrt_fb_topk_fields[];

enum { /* fields of upsample_bilinear2d */
  QRT_FB_upsample_bilinear2d_output_size,
  QRT_FB_upsample_bilinear2d_align_corners,
  QRT_FB_upsample_bilinear2d_scale_height,
  QRT_FB_upsample_bilinear2d_scale_width,
  QRT_FB_upsample_bilinear2d_FIELDS
};
extern const qrt_fb_field qrt_fb_upsample_bilinear2d_fields[];

enum { /* fields of upsample_nearest2d */
  QRT_FB_upsample_nearest2d_output_size,
  QRT_FB_upsample_nearest2d_scale_height,
  QRT_FB_upsample_nearest2d_scale_width,
  QRT_FB_upsample_nearest2d_FIELDS
};
extern const qrt_fb_field qrt_fb_upsample_nearest2d_fields[];

enum { /* fields of where */
  QRT_FB_where_FIELDS
};
#define qrt_fb_where_fields NULL

enum {
  QRT_FB_TABLE_Model,
  QRT_FB_TABLE_Operator,
  QRT_FB_TABLE_PackedSection,
  QRT_FB_TABLE_Region,
  QRT_FB_TABLE_SeededInput,
  QRT_FB_TABLE_Tensor,
  QRT_FB_TABLE_TestVector,
  QRT_FB_TABLE_abs,
  QRT_FB_TABLE_adaptive_avg_pool2d,
  QRT_FB_TABLE_add,
  QRT_FB_TABLE_avg_pool2d,
  QRT_FB_TABLE_batch_norm,
  QRT_FB_TABLE_cat,
  QRT_FB_TABLE_clamp,
  QRT_FB_TABLE_conv2d,
  QRT_FB_TABLE_conv2d_dynamic,
  QRT_FB_TABLE_conv2d_weight_only,
  QRT_FB_TABLE_conv3d,
  QRT_FB_TABLE_conv3d_dynamic,
  QRT_FB_TABLE_conv_transpose2d,
  QRT_FB_TABLE_conv_transpose2d_dynamic,
  QRT_FB_TABLE_conv_transpose3d,
  QRT_FB_TABLE_conv_transpose3d_dynamic,
  QRT_FB_TABLE_custom,
  QRT_FB_TABLE_dequantize,
  QRT_FB_TABLE_div,
  QRT_FB_TABLE_elu,
  QRT_FB_TABLE_embedding,
  QRT_FB_TABLE_embedding_bag,
  QRT_FB_TABLE_eq,
  QRT_FB_TABLE_exp,
  QRT_FB_TABLE_gather,
  QRT_FB_TABLE_gelu,
  QRT_FB_TABLE_group_norm,
  QRT_FB_TABLE_gru,
  QRT_FB_TABLE_gru_dynamic,
  QRT_FB_TABLE_hardsigmoid,
  QRT_FB_TABLE_hardswish,
  QRT_FB_TABLE_index_select,
  QRT_FB_TABLE_inverted_residual,
  QRT_FB_TABLE_layer_norm,
  QRT_FB_TABLE_le,
  QRT_FB_TABLE_leaky_relu,
  QRT_FB_TABLE_linear,
  QRT_FB_TABLE_linear_dynamic,
  QRT_FB_TABLE_linear_weight_only,
  QRT_FB_TABLE_lookup_table,
  QRT_FB_TABLE_lstm,
  QRT_FB_TABLE_lstm_dynamic,
  QRT_FB_TABLE_lt,
  QRT_FB_TABLE_matmul,
  QRT_FB_TABLE_max_pool2d,
  QRT_FB_TABLE_maximum,
  QRT_FB_TABLE_mean,
  QRT_FB_TABLE_minimum,
  QRT_FB_TABLE_mul,
  QRT_FB_TABLE_ne,
  QRT_FB_TABLE_neg,
  QRT_FB_TABLE_normalize,
  QRT_FB_TABLE_pad,
  QRT_FB_TABLE_permute,
  QRT_FB_TABLE_prelu,
  QRT_FB_TABLE_quantize_per_tensor,
  QRT_FB_TABLE_relu,
  QRT_FB_TABLE_reshape,
  QRT_FB_TABLE_rnn_dynamic,
  QRT_FB_TABLE_rsqrt,
  QRT_FB_TABLE_sigmoid,
  QRT_FB_TABLE_silu,
  QRT_FB_TABLE_slice,
  QRT_FB_TABLE_softmax,
  QRT_FB_TABLE_sqrt,
  QRT_FB_TABLE_sub,
  QRT_FB_TABLE_tanh,
  QRT_FB_TABLE_topk,
  QRT_FB_TABLE_upsample_bilinear2d,
  QRT_FB_TABLE_upsample_nearest2d,
  QRT_FB_TABLE_where,
  QRT_FB_TABLE_COUNT
};

#define QRT_FB_STRUCT_Buffer 0
#define QRT_FB_UNION_Operation 0

extern const qrt_fb_table qrt_fb_tables[];
extern const qrt_fb_struct qrt_fb_structs[];
extern const qrt_fb_union qrt_fb_unions[];

#endif
