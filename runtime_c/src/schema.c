/* schema.c - see schema.h. Made by schema/generate.py from schema/qsdk.fbs; edit those. */
/* clang-format off */
#include "schema.h"

const qrt_fb_field qrt_fb_Model_fields[] = {
  {QRT_FB_NAME("version") QRT_FB_UINT, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("numerics") QRT_FB_UINT, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("crc32") QRT_FB_UINT, QRT_FB_NONE, 0, 2, 0, {0}},
  {QRT_FB_NAME("producer") QRT_FB_STRING, QRT_FB_NONE, 0, 3, 0, {0}},
  {QRT_FB_NAME("name") QRT_FB_STRING, QRT_FB_NONE, 0, 4, 0, {0}},
  {QRT_FB_NAME("tensors") QRT_FB_VECTOR, QRT_FB_TABLE, 1, 5, QRT_FB_TABLE_Tensor, {0}},
  {QRT_FB_NAME("operators") QRT_FB_VECTOR, QRT_FB_TABLE, 1, 6, QRT_FB_TABLE_Operator, {0}},
  {QRT_FB_NAME("inputs") QRT_FB_VECTOR, QRT_FB_INT, 1, 7, 0, {0}},
  {QRT_FB_NAME("outputs") QRT_FB_VECTOR, QRT_FB_INT, 1, 8, 0, {0}},
  {QRT_FB_NAME("buffers") QRT_FB_VECTOR, QRT_FB_STRUCT, 1, 9, QRT_FB_STRUCT_Buffer, {0}},
  {QRT_FB_NAME("data_offset") QRT_FB_ULONG, QRT_FB_NONE, 0, 10, 0, {0}},
  {QRT_FB_NAME("data_size") QRT_FB_ULONG, QRT_FB_NONE, 0, 11, 0, {0}},
  {QRT_FB_NAME("regions") QRT_FB_VECTOR, QRT_FB_TABLE, 1, 12, QRT_FB_TABLE_Region, {0}},
  {QRT_FB_NAME("packed") QRT_FB_VECTOR, QRT_FB_TABLE, 0, 13, QRT_FB_TABLE_PackedSection, {0}},
  {QRT_FB_NAME("test_vectors") QRT_FB_VECTOR, QRT_FB_TABLE, 0, 14, QRT_FB_TABLE_TestVector, {0}},
};

const qrt_fb_field qrt_fb_Operator_fields[] = {
  {QRT_FB_NAME("name") QRT_FB_STRING, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("inputs") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("outputs") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("operation") QRT_FB_UNION, QRT_FB_NONE, 1, 4, QRT_FB_UNION_Operation, {0}},
  {QRT_FB_NAME("live") QRT_FB_VECTOR, QRT_FB_INT, 0, 5, 0, {0}},
};

const qrt_fb_field qrt_fb_PackedSection_fields[] = {
  {QRT_FB_NAME("tensor") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("pack_id") QRT_FB_STRING, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("layout_version") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {0}},
  {QRT_FB_NAME("buffer") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {0}},
  {QRT_FB_NAME("operator") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {-1}},
};

const qrt_fb_field qrt_fb_Region_fields[] = {
  {QRT_FB_NAME("name") QRT_FB_STRING, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("size") QRT_FB_ULONG, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("peak_live") QRT_FB_ULONG, QRT_FB_NONE, 0, 2, 0, {0}},
};

const qrt_fb_field qrt_fb_SeededInput_fields[] = {
  {QRT_FB_NAME("lowest") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("step") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("least") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {0}},
  {QRT_FB_NAME("most") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {0}},
  {QRT_FB_NAME("ascending") QRT_FB_BOOL, QRT_FB_NONE, 0, 4, 0, {0}},
};

const qrt_fb_field qrt_fb_Tensor_fields[] = {
  {QRT_FB_NAME("name") QRT_FB_STRING, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("kind") QRT_FB_UBYTE, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("dtype") QRT_FB_UBYTE, QRT_FB_NONE, 0, 2, 0, {1}},
  {QRT_FB_NAME("shape") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("scale") QRT_FB_VECTOR, QRT_FB_FLOAT, 0, 4, 0, {0}},
  {QRT_FB_NAME("zero_point") QRT_FB_VECTOR, QRT_FB_INT, 0, 5, 0, {0}},
  {QRT_FB_NAME("channel_axis") QRT_FB_INT, QRT_FB_NONE, 0, 6, 0, {-1}},
  {QRT_FB_NAME("buffer") QRT_FB_INT, QRT_FB_NONE, 0, 7, 0, {-1}},
  {QRT_FB_NAME("offset") QRT_FB_ULONG, QRT_FB_NONE, 0, 8, 0, {0}},
  {QRT_FB_NAME("region") QRT_FB_UBYTE, QRT_FB_NONE, 0, 9, 0, {0}},
  {QRT_FB_NAME("dynamic_axis") QRT_FB_INT, QRT_FB_NONE, 0, 10, 0, {-1}},
};

const qrt_fb_field qrt_fb_TestVector_fields[] = {
  {QRT_FB_NAME("seed") QRT_FB_ULONG, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("seeded") QRT_FB_VECTOR, QRT_FB_TABLE, 0, 1, QRT_FB_TABLE_SeededInput, {0}},
  {QRT_FB_NAME("output_crc") QRT_FB_VECTOR, QRT_FB_UINT, 0, 2, 0, {0}},
  {QRT_FB_NAME("inputs") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("outputs") QRT_FB_VECTOR, QRT_FB_INT, 0, 4, 0, {0}},
};

const qrt_fb_field qrt_fb_adaptive_avg_pool2d_fields[] = {
  {QRT_FB_NAME("output_size") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("rescale") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 1.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {127}},
};

const qrt_fb_field qrt_fb_add_fields[] = {
  {QRT_FB_NAME("input_multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("other_multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {127}},
};

const qrt_fb_field qrt_fb_avg_pool2d_fields[] = {
  {QRT_FB_NAME("kernel_size") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("ceil_mode") QRT_FB_BOOL, QRT_FB_NONE, 0, 3, 0, {0}},
  {QRT_FB_NAME("count_include_pad") QRT_FB_BOOL, QRT_FB_NONE, 0, 4, 0, {1}},
  {QRT_FB_NAME("divisor_override") QRT_FB_INT, QRT_FB_NONE, 0, 5, 0, {0}},
  {QRT_FB_NAME("rescale") QRT_FB_FLOAT, QRT_FB_NONE, 0, 6, 0, {.real = 1.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 7, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 8, 0, {127}},
};

const qrt_fb_field qrt_fb_batch_norm_fields[] = {
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {127}},
};

const qrt_fb_field qrt_fb_cat_fields[] = {
  {QRT_FB_NAME("dim") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
};

const qrt_fb_field qrt_fb_clamp_fields[] = {
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {127}},
  {QRT_FB_NAME("min") QRT_FB_FLOAT, QRT_FB_NONE, 0, 2, 0, {.real = 0.0f}},
  {QRT_FB_NAME("max") QRT_FB_FLOAT, QRT_FB_NONE, 0, 3, 0, {.real = 0.0f}},
};

const qrt_fb_field qrt_fb_conv2d_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {1}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 5, 0, {127}},
};

const qrt_fb_field qrt_fb_conv2d_dynamic_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {1}},
};

const qrt_fb_field qrt_fb_conv2d_weight_only_fields[] = {
  {QRT_FB_NAME("kernel_size") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {1}},
  {QRT_FB_NAME("bits") QRT_FB_INT, QRT_FB_NONE, 0, 5, 0, {8}},
  {QRT_FB_NAME("group_size") QRT_FB_INT, QRT_FB_NONE, 0, 6, 0, {0}},
  {QRT_FB_NAME("relu") QRT_FB_BOOL, QRT_FB_NONE, 0, 7, 0, {0}},
};

const qrt_fb_field qrt_fb_conv3d_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {1}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 5, 0, {127}},
};

const qrt_fb_field qrt_fb_conv3d_dynamic_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {1}},
};

const qrt_fb_field qrt_fb_conv_transpose2d_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("output_padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {1}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 5, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 6, 0, {127}},
};

const qrt_fb_field qrt_fb_conv_transpose2d_dynamic_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("output_padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {1}},
};

const qrt_fb_field qrt_fb_conv_transpose3d_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("output_padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {1}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 5, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 6, 0, {127}},
};

const qrt_fb_field qrt_fb_conv_transpose3d_dynamic_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("output_padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("groups") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {1}},
};

const qrt_fb_field qrt_fb_custom_fields[] = {
  {QRT_FB_NAME("name") QRT_FB_STRING, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("options") QRT_FB_VECTOR, QRT_FB_UBYTE, 0, 1, 0, {0}},
};

const qrt_fb_field qrt_fb_elu_fields[] = {
  {QRT_FB_NAME("alpha") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
};

const qrt_fb_field qrt_fb_embedding_fields[] = {
  {QRT_FB_NAME("embedding_dim") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("bits") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {8}},
};

const qrt_fb_field qrt_fb_embedding_bag_fields[] = {
  {QRT_FB_NAME("mode") QRT_FB_UBYTE, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("include_last_offset") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("padding_idx") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {-1}},
  {QRT_FB_NAME("embedding_dim") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {0}},
  {QRT_FB_NAME("bits") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {8}},
};

const qrt_fb_field qrt_fb_gather_fields[] = {
  {QRT_FB_NAME("dim") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
};

const qrt_fb_field qrt_fb_gelu_fields[] = {
  {QRT_FB_NAME("approximate") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
};

const qrt_fb_field qrt_fb_group_norm_fields[] = {
  {QRT_FB_NAME("num_groups") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {1}},
  {QRT_FB_NAME("eps") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {127}},
};

const qrt_fb_field qrt_fb_gru_fields[] = {
  {QRT_FB_NAME("reverse") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("zero_point") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("output_min") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("output_max") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("multiplier") QRT_FB_VECTOR, QRT_FB_FLOAT, 0, 4, 0, {0}},
};

const qrt_fb_field qrt_fb_gru_dynamic_fields[] = {
  {QRT_FB_NAME("reverse") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("per_step") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
};

const qrt_fb_field qrt_fb_index_select_fields[] = {
  {QRT_FB_NAME("dim") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
};

const qrt_fb_field qrt_fb_inverted_residual_fields[] = {
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("zero_point") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("output_min") QRT_FB_VECTOR, QRT_FB_INT, 0, 4, 0, {0}},
  {QRT_FB_NAME("output_max") QRT_FB_VECTOR, QRT_FB_INT, 0, 5, 0, {0}},
  {QRT_FB_NAME("residual_multiplier") QRT_FB_VECTOR, QRT_FB_FLOAT, 0, 6, 0, {0}},
};

const qrt_fb_field qrt_fb_layer_norm_fields[] = {
  {QRT_FB_NAME("eps") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {127}},
};

const qrt_fb_field qrt_fb_leaky_relu_fields[] = {
  {QRT_FB_NAME("negative_slope") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
};

const qrt_fb_field qrt_fb_linear_fields[] = {
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {127}},
};

const qrt_fb_field qrt_fb_linear_dynamic_fields[] = {
  {QRT_FB_NAME("per_token") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("relu") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
};

const qrt_fb_field qrt_fb_linear_weight_only_fields[] = {
  {QRT_FB_NAME("bits") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {8}},
  {QRT_FB_NAME("group_size") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("relu") QRT_FB_BOOL, QRT_FB_NONE, 0, 2, 0, {0}},
};

const qrt_fb_field qrt_fb_lstm_fields[] = {
  {QRT_FB_NAME("reverse") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("zero_point") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("output_min") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("output_max") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("multiplier") QRT_FB_VECTOR, QRT_FB_FLOAT, 0, 4, 0, {0}},
};

const qrt_fb_field qrt_fb_lstm_dynamic_fields[] = {
  {QRT_FB_NAME("reverse") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("per_step") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
};

const qrt_fb_field qrt_fb_matmul_fields[] = {
  {QRT_FB_NAME("multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {127}},
};

const qrt_fb_field qrt_fb_max_pool2d_fields[] = {
  {QRT_FB_NAME("kernel_size") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("stride") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
  {QRT_FB_NAME("padding") QRT_FB_VECTOR, QRT_FB_INT, 0, 2, 0, {0}},
  {QRT_FB_NAME("dilation") QRT_FB_VECTOR, QRT_FB_INT, 0, 3, 0, {0}},
  {QRT_FB_NAME("ceil_mode") QRT_FB_BOOL, QRT_FB_NONE, 0, 4, 0, {0}},
};

const qrt_fb_field qrt_fb_mean_fields[] = {
  {QRT_FB_NAME("dim") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("keepdim") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("rescale") QRT_FB_FLOAT, QRT_FB_NONE, 0, 2, 0, {.real = 1.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {127}},
};

const qrt_fb_field qrt_fb_mul_fields[] = {
  {QRT_FB_NAME("multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {127}},
};

const qrt_fb_field qrt_fb_normalize_fields[] = {
  {QRT_FB_NAME("dim") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("eps") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("inverse_scale") QRT_FB_FLOAT, QRT_FB_NONE, 0, 2, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 4, 0, {127}},
};

const qrt_fb_field qrt_fb_pad_fields[] = {
  {QRT_FB_NAME("before") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("mode") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("value") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {0}},
};

const qrt_fb_field qrt_fb_permute_fields[] = {
  {QRT_FB_NAME("dims") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
};

const qrt_fb_field qrt_fb_prelu_fields[] = {
  {QRT_FB_NAME("multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {127}},
};

const qrt_fb_field qrt_fb_quantize_per_tensor_fields[] = {
  {QRT_FB_NAME("inverse_scale") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {127}},
};

const qrt_fb_field qrt_fb_rnn_dynamic_fields[] = {
  {QRT_FB_NAME("relu") QRT_FB_BOOL, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("reverse") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("per_step") QRT_FB_BOOL, QRT_FB_NONE, 0, 2, 0, {0}},
};

const qrt_fb_field qrt_fb_slice_fields[] = {
  {QRT_FB_NAME("start") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("step") QRT_FB_VECTOR, QRT_FB_INT, 0, 1, 0, {0}},
};

const qrt_fb_field qrt_fb_softmax_fields[] = {
  {QRT_FB_NAME("dim") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {0}},
  {QRT_FB_NAME("inverse_scale") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {127}},
};

const qrt_fb_field qrt_fb_sub_fields[] = {
  {QRT_FB_NAME("input_multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 0, 0, {.real = 0.0f}},
  {QRT_FB_NAME("other_multiplier") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("output_min") QRT_FB_INT, QRT_FB_NONE, 0, 2, 0, {-128}},
  {QRT_FB_NAME("output_max") QRT_FB_INT, QRT_FB_NONE, 0, 3, 0, {127}},
};

const qrt_fb_field qrt_fb_topk_fields[] = {
  {QRT_FB_NAME("k") QRT_FB_INT, QRT_FB_NONE, 0, 0, 0, {1}},
  {QRT_FB_NAME("dim") QRT_FB_INT, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("largest") QRT_FB_BOOL, QRT_FB_NONE, 0, 2, 0, {1}},
};

const qrt_fb_field qrt_fb_upsample_bilinear2d_fields[] = {
  {QRT_FB_NAME("output_size") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("align_corners") QRT_FB_BOOL, QRT_FB_NONE, 0, 1, 0, {0}},
  {QRT_FB_NAME("scale_height") QRT_FB_FLOAT, QRT_FB_NONE, 0, 2, 0, {.real = 0.0f}},
  {QRT_FB_NAME("scale_width") QRT_FB_FLOAT, QRT_FB_NONE, 0, 3, 0, {.real = 0.0f}},
};

const qrt_fb_field qrt_fb_upsample_nearest2d_fields[] = {
  {QRT_FB_NAME("output_size") QRT_FB_VECTOR, QRT_FB_INT, 0, 0, 0, {0}},
  {QRT_FB_NAME("scale_height") QRT_FB_FLOAT, QRT_FB_NONE, 0, 1, 0, {.real = 0.0f}},
  {QRT_FB_NAME("scale_width") QRT_FB_FLOAT, QRT_FB_NONE, 0, 2, 0, {.real = 0.0f}},
};

/* The tables of operators that are not in this build are never read: their operators are refused. Some
 * operators have two rows in the list, with one table. */
#pragma GCC diagnostic ignored "-Woverride-init"
const qrt_fb_table qrt_fb_tables[QRT_FB_TABLE_COUNT] = {
#define QRT_OPERATOR(name, least, most, outputs, in_place) \
  [QRT_FB_TABLE_##name] = {qrt_fb_##name##_fields, QRT_FB_##name##_FIELDS},
#define QRT_FLOAT_OPERATOR QRT_OPERATOR
#include QRT_OPERATORS
#undef QRT_OPERATOR
#undef QRT_FLOAT_OPERATOR
  [QRT_FB_TABLE_Model] = {qrt_fb_Model_fields, QRT_FB_Model_FIELDS},
  [QRT_FB_TABLE_Operator] = {qrt_fb_Operator_fields, QRT_FB_Operator_FIELDS},
  [QRT_FB_TABLE_PackedSection] = {qrt_fb_PackedSection_fields, QRT_FB_PackedSection_FIELDS},
  [QRT_FB_TABLE_Region] = {qrt_fb_Region_fields, QRT_FB_Region_FIELDS},
  [QRT_FB_TABLE_SeededInput] = {qrt_fb_SeededInput_fields, QRT_FB_SeededInput_FIELDS},
  [QRT_FB_TABLE_Tensor] = {qrt_fb_Tensor_fields, QRT_FB_Tensor_FIELDS},
  [QRT_FB_TABLE_TestVector] = {qrt_fb_TestVector_fields, QRT_FB_TestVector_FIELDS},
};

const qrt_fb_struct qrt_fb_structs[] = {
  {16, 8},
};

static const uint8_t qrt_fb_Operation_members[] = {
  QRT_FB_TABLE_quantize_per_tensor, QRT_FB_TABLE_dequantize, QRT_FB_TABLE_conv2d, QRT_FB_TABLE_linear,
  QRT_FB_TABLE_clamp, QRT_FB_TABLE_add, QRT_FB_TABLE_mul, QRT_FB_TABLE_lookup_table, QRT_FB_TABLE_cat,
  QRT_FB_TABLE_max_pool2d, QRT_FB_TABLE_avg_pool2d, QRT_FB_TABLE_adaptive_avg_pool2d, QRT_FB_TABLE_mean,
  QRT_FB_TABLE_reshape, QRT_FB_TABLE_permute, QRT_FB_TABLE_custom, QRT_FB_TABLE_matmul, QRT_FB_TABLE_softmax,
  QRT_FB_TABLE_layer_norm, QRT_FB_TABLE_batch_norm, QRT_FB_TABLE_group_norm, QRT_FB_TABLE_prelu,
  QRT_FB_TABLE_conv_transpose2d, QRT_FB_TABLE_conv3d, QRT_FB_TABLE_conv_transpose3d, QRT_FB_TABLE_linear_dynamic,
  QRT_FB_TABLE_relu, QRT_FB_TABLE_div, QRT_FB_TABLE_slice, QRT_FB_TABLE_sub, QRT_FB_TABLE_pad,
  QRT_FB_TABLE_upsample_nearest2d, QRT_FB_TABLE_upsample_bilinear2d, QRT_FB_TABLE_embedding, QRT_FB_TABLE_embedding_bag,
  QRT_FB_TABLE_sigmoid, QRT_FB_TABLE_tanh, QRT_FB_TABLE_lstm_dynamic, QRT_FB_TABLE_gru_dynamic,
  QRT_FB_TABLE_rnn_dynamic, QRT_FB_TABLE_conv2d_dynamic, QRT_FB_TABLE_conv3d_dynamic,
  QRT_FB_TABLE_conv_transpose2d_dynamic, QRT_FB_TABLE_conv_transpose3d_dynamic, QRT_FB_TABLE_linear_weight_only,
  QRT_FB_TABLE_conv2d_weight_only, QRT_FB_TABLE_exp, QRT_FB_TABLE_neg, QRT_FB_TABLE_abs, QRT_FB_TABLE_sqrt,
  QRT_FB_TABLE_rsqrt, QRT_FB_TABLE_silu, QRT_FB_TABLE_hardsigmoid, QRT_FB_TABLE_hardswish, QRT_FB_TABLE_gelu,
  QRT_FB_TABLE_elu, QRT_FB_TABLE_leaky_relu, QRT_FB_TABLE_lstm, QRT_FB_TABLE_maximum, QRT_FB_TABLE_minimum,
  QRT_FB_TABLE_eq, QRT_FB_TABLE_ne, QRT_FB_TABLE_lt, QRT_FB_TABLE_le, QRT_FB_TABLE_where, QRT_FB_TABLE_topk,
  QRT_FB_TABLE_index_select, QRT_FB_TABLE_gather, QRT_FB_TABLE_normalize, QRT_FB_TABLE_gru,
  QRT_FB_TABLE_inverted_residual,
};

static const char *const qrt_fb_Operation_names[71] = {
#if QRT_MESSAGES
  "quantize_per_tensor", "dequantize", "conv2d", "linear", "clamp", "add", "mul", "lookup_table", "cat", "max_pool2d",
  "avg_pool2d", "adaptive_avg_pool2d", "mean", "reshape", "permute", "custom", "matmul", "softmax", "layer_norm",
  "batch_norm", "group_norm", "prelu", "conv_transpose2d", "conv3d", "conv_transpose3d", "linear_dynamic", "relu",
  "div", "slice", "sub", "pad", "upsample_nearest2d", "upsample_bilinear2d", "embedding", "embedding_bag", "sigmoid",
  "tanh", "lstm_dynamic", "gru_dynamic", "rnn_dynamic", "conv2d_dynamic", "conv3d_dynamic", "conv_transpose2d_dynamic",
  "conv_transpose3d_dynamic", "linear_weight_only", "conv2d_weight_only", "exp", "neg", "abs", "sqrt", "rsqrt", "silu",
  "hardsigmoid", "hardswish", "gelu", "elu", "leaky_relu", "lstm", "maximum", "minimum", "eq", "ne", "lt", "le",
  "where", "topk", "index_select", "gather", "normalize", "gru", "inverted_residual",
#else
#define QRT_OPERATOR(name, least, most, outputs, in_place) [QRT_FB_Operation_##name - 1] = #name,
#define QRT_FLOAT_OPERATOR QRT_OPERATOR
#include QRT_OPERATORS
#undef QRT_OPERATOR
#undef QRT_FLOAT_OPERATOR
#endif
};

const qrt_fb_union qrt_fb_unions[] = {
  {qrt_fb_Operation_members, qrt_fb_Operation_names, 71},
};
