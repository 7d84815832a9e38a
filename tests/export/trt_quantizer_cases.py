# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Cases of QuantizeLinear and DequantizeLinear: scales, zero-points, axes, weights."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from kdp_edge.exporters.trt_rules import JETPACK6
from tests.export.trt_model import (
    Cases,
    add_typed,
    bias,
    constant,
    input_shape,
    insert,
    layer,
    node,
    opset,
    put,
    remove,
    weight,
)

CASES = Cases()
SILENT = "accepted in silence, and computes something else"
CHANCE = "accepted in silence: the scales fit a square matrix by chance, not its output channels"
OLDER = "the parser of TensorRT 10.1 takes 0 for an axis that is left out, tensorrt-rtx 1 as ONNX says"


# -- scales ---------------------------------------------------------------------------------------


@CASES.rejected("scale-positive")
def scale_zero(m: ModelProto) -> None:
    put(m, "xs", np.float32(0))


@CASES.rejected("scale-positive")
def scale_nan(m: ModelProto) -> None:
    put(m, "xs", np.float32("nan"))


@CASES.rejected("scale-positive")
def scale_of_one_channel_zero(m: ModelProto) -> None:
    put(m, "ws", np.array([0.1, 0.1, 0, 0.1, 0.1], np.float32))


@CASES.rejected("scale-positive")
def scale_without_numbers(m: ModelProto) -> None:
    put(m, "xs", np.zeros(0, np.float32))
    put(m, "z", np.zeros(0, np.int8))
    for name in ("q1", "dq1"):
        node(m, name).input[2] = put(m, "z1", np.int8(0))


@CASES.accepted("scale-positive", because="behind Identity the parser does not look at the numbers")
def scale_negative_behind_identity(m: ModelProto) -> None:
    put(m, "xs", np.float32(-0.1))
    name = insert(m, "q0", 1, "Identity")
    node(m, "dq0").input[1] = name


@CASES.accepted("scale-finite", because=SILENT)
def scale_infinite(m: ModelProto) -> None:
    put(m, "xs", np.float32("inf"))


@CASES.accepted("scale-finite", because=SILENT)
def scale_of_one_channel_infinite(m: ModelProto) -> None:
    put(m, "ws", np.array([0.1, np.inf, 0.1, 0.1, 0.1], np.float32))


@CASES.accepted()
def scale_shape_1_beside_scalar(m: ModelProto) -> None:
    node(m, "dq0").input[1] = put(m, "xs1", np.array([0.1], np.float32))


@CASES.accepted()
def scale_of_a_weight_with_shape_1(m: ModelProto) -> None:
    put(m, "ws", np.array([0.1], np.float32))
    put(m, "wz", np.int8(0))


@CASES.accepted()
def scale_double(m: ModelProto) -> None:
    put(m, "xs", np.float64(0.1))


@CASES.accepted()
def scale_behind_identity(m: ModelProto) -> None:
    insert(m, "q0", 1, "Identity")


@CASES.accepted()
def scale_behind_cast(m: ModelProto) -> None:
    put(m, "xs", np.float16(0.1))
    node(m, "dq0").input[1] = insert(m, "q0", 1, "Cast", to=TensorProto.FLOAT)


@CASES.accepted()
def scale_behind_squeeze(m: ModelProto) -> None:
    put(m, "xs", np.array([0.1], np.float32))
    node(m, "dq0").input[1] = insert(m, "q0", 1, "Squeeze")


@CASES.accepted()
def scale_that_constants_compute(m: ModelProto) -> None:
    node(m, "dq0").input[1] = insert(m, "q0", 1, "Mul", put(m, "half", np.float32(0.5)))


@CASES.accepted("scale-constant", because=SILENT)
def scale_that_is_an_input(m: ModelProto) -> None:
    remove(m, "xs")
    m.graph.input.append(helper.make_tensor_value_info("xs", TensorProto.FLOAT, []))


@CASES.accepted("scale-constant", because=SILENT)
def scale_that_inputs_compute(m: ModelProto) -> None:
    m.graph.node.insert(0, helper.make_node("ReduceMax", ["x"], ["largest"], name="largest", keepdims=0))
    node(m, "q0").input[1] = "largest"


@CASES.accepted("scale-agrees", because=SILENT)
def scale_of_another_value(m: ModelProto) -> None:
    node(m, "dq0").input[1] = put(m, "other", np.float32(0.3))


@CASES.accepted("scale-agrees", because=SILENT)
def scale_of_another_value_behind_reshape(m: ModelProto) -> None:
    insert(m, "dq0", 0, "Reshape", put(m, "shape", np.array([-1, 6])))
    node(m, "dq0").input[1] = put(m, "other", np.float32(0.3))


@CASES.rejected("scale-shape")
def scale_shape_1_1(m: ModelProto) -> None:
    put(m, "xs", np.array([[0.1]], np.float32))


@CASES.rejected("scale-shape")
def scales_too_few(m: ModelProto) -> None:
    put(m, "ws", np.full(4, 0.1, np.float32))
    put(m, "wz", np.zeros(4, np.int8))


@CASES.rejected("scale-shape")
def scales_in_a_matrix(m: ModelProto) -> None:
    put(m, "ws", np.full((5, 1), 0.1, np.float32))
    put(m, "wz", np.zeros((5, 1), np.int8))


@CASES.rejected("scale-shape", "weight-axis")
def scales_along_an_axis_of_another_size(m: ModelProto) -> None:
    node(m, "dqw").attribute[0].i = 1


@CASES.rejected("scale-shape")
def scales_along_an_axis_that_is_not_there(m: ModelProto) -> None:
    node(m, "dqw").attribute[0].i = 2


@CASES.accepted()
def scales_along_a_negative_axis(m: ModelProto) -> None:
    node(m, "dqw").attribute[0].i = -2


@CASES.accepted()
def scale_with_an_axis_that_does_not_matter(m: ModelProto) -> None:
    node(m, "dq0").attribute.append(helper.make_attribute("axis", 5))


@CASES.accepted("activation-scale", because=SILENT)
def scales_of_an_activation(m: ModelProto) -> None:
    put(m, "xs", np.full(6, 0.1, np.float32))
    for name in ("q0", "dq0"):
        node(m, name).input[2] = put(m, "z6", np.zeros(6, np.int8))


@CASES.accepted("activation-scale", because=SILENT)
def scales_of_a_weight_that_is_an_input(m: ModelProto) -> None:
    remove(m, "W")
    m.graph.input.append(helper.make_tensor_value_info("W", TensorProto.FLOAT, [5, 6]))
    insert(m, "dqw", 0, "QuantizeLinear", "ws", "wz", axis=0)


# -- zero-points ----------------------------------------------------------------------------------


@CASES.rejected("zero-point-zero")
def zero_point_3(m: ModelProto) -> None:
    put(m, "z", np.int8(3))


@CASES.rejected("zero-point-zero")
def zero_point_3_behind_identity(m: ModelProto) -> None:
    node(m, "q0").input[2] = put(m, "z3", np.int8(3))
    insert(m, "q0", 2, "Identity")


@CASES.accepted()
def zero_point_behind_identity(m: ModelProto) -> None:
    insert(m, "q0", 2, "Identity")


@CASES.rejected("zero-point-constant")
def zero_point_that_is_an_input(m: ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_value_info("zero", TensorProto.INT8, []))
    node(m, "q0").input[2] = "zero"


@CASES.rejected("zero-point-constant")
def zero_point_of_a_weight_that_is_an_input(m: ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_value_info("zero", TensorProto.INT8, [5]))
    node(m, "dqw").input[2] = "zero"


@CASES.rejected("zero-point-size")
def zero_point_scalar_beside_channels(m: ModelProto) -> None:
    put(m, "wz", np.int8(0))


@CASES.rejected("zero-point-size")
def zero_point_shape_1_beside_channels(m: ModelProto) -> None:
    put(m, "wz", np.zeros(1, np.int8))


@CASES.rejected("zero-point-size")
def zero_points_too_few(m: ModelProto) -> None:
    put(m, "wz", np.zeros(4, np.int8))


@CASES.rejected("zero-point-size")
def zero_points_beside_one_scale(m: ModelProto) -> None:
    node(m, "q0").input[2] = "wz"


@CASES.rejected("zero-point-size")
def zero_point_without_numbers(m: ModelProto) -> None:
    put(m, "z", np.zeros(0, np.int8))


@CASES.accepted()
def zero_point_shape_1_1(m: ModelProto) -> None:
    put(m, "z", np.zeros((1, 1), np.int8))


@CASES.accepted()
def zero_point_left_out_of_a_weight(m: ModelProto) -> None:
    del node(m, "dqw").input[2:]


@CASES.accepted("zero-point-type", because="left out it means uint8; TensorRT quantizes to int8")
def zero_point_left_out_of_quantize(m: ModelProto) -> None:
    del node(m, "q0").input[2:]


@CASES.accepted()
def zero_point_left_out_for_output_dtype(m: ModelProto) -> None:
    opset(m, 21)
    del node(m, "q0").input[2:]
    node(m, "q0").attribute.append(helper.make_attribute("output_dtype", TensorProto.INT8))


@CASES.accepted("zero-point-type", because="TensorRT reads uint8 as int8")
def zero_point_uint8(m: ModelProto) -> None:
    put(m, "u", np.uint8(0))
    for name in ("q0", "dq0"):
        node(m, name).input[2] = "u"


@CASES.accepted("zero-point-type", because="ONNX has no such DequantizeLinear; other runtimes refuse it")
def zero_point_float_beside_int8(m: ModelProto) -> None:
    put(m, "wz", np.zeros(5, np.float32))


@CASES.rejected("zero-point-type", "tensor-readable")
def zero_point_int16(m: ModelProto) -> None:
    put(m, "i16", np.int16(0))
    for name in ("q0", "dq0"):
        node(m, name).input[2] = "i16"


def float8(m: ModelProto, *names: str) -> None:
    add_typed(m, "f8", TensorProto.FLOAT8E4M3FN, [], 0)
    for name in names:
        node(m, name).input[2] = "f8"


@CASES.accepted()
def float8_everywhere(m: ModelProto) -> None:
    float8(m, "q0", "dq0", "q1", "dq1", "dqw")
    add_typed(m, "W", TensorProto.FLOAT8E4M3FN, [5, 6], 0.5)
    put(m, "ws", np.float32(0.1))


@CASES.accepted("zero-point-type", because="the GPUs of JetPack 6 have no float8", profile=JETPACK6)
def float8_on_jetpack_6(m: ModelProto) -> None:
    float8_everywhere(m)


@CASES.rejected("quantized-types")
def float8_activation_beside_int8_weight(m: ModelProto) -> None:
    float8(m, "q0", "dq0")


@CASES.rejected("quantized-types")
def float8_weight_beside_int8_activation(m: ModelProto) -> None:
    float8(m, "dqw")
    add_typed(m, "W", TensorProto.FLOAT8E4M3FN, [5, 6], 0.5)
    put(m, "ws", np.float32(0.1))


@CASES.accepted()
def int4_weight(m: ModelProto) -> None:
    opset(m, 21)
    add_typed(m, "W", TensorProto.INT4, [5, 6], 1)
    add_typed(m, "wz", TensorProto.INT4, [5], 0)


# -- what is quantized and dequantized ------------------------------------------------------------


@CASES.rejected("quantizer-input")
def int32_bias_that_is_dequantized(m: ModelProto) -> None:
    put(m, "b", np.zeros(5, np.int32))
    insert(m, "gemm", 2, "DequantizeLinear", put(m, "bs", np.float32(0.001)))


@CASES.accepted()
def int8_bias_that_is_dequantized(m: ModelProto) -> None:
    put(m, "b", np.zeros(5, np.int8))
    insert(m, "gemm", 2, "DequantizeLinear", put(m, "bs", np.float32(0.001)), "z")


@CASES.rejected("quantizer-input")
def float_weight_that_is_dequantized(m: ModelProto) -> None:
    put(m, "W", np.ones((5, 6), np.float32))


@CASES.rejected("quantizer-input")
def uint8_weight(m: ModelProto) -> None:
    put(m, "W", np.ones((5, 6), np.uint8))
    del node(m, "dqw").input[2:]


@CASES.rejected("quantizer-input")
def int32_input_that_is_quantized(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32


@CASES.rejected("quantizer-input")
def quantized_twice(m: ModelProto) -> None:
    node(m, "q1").input[0] = "xq"


@CASES.rejected("quantizer-input", "interface-uint8")
def uint8_input_that_is_dequantized(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    node(m, "dq0").input[0] = "x"
    m.graph.node.remove(node(m, "q0"))


@CASES.rejected("quantizer-input", "interface-uint8")
def uint8_input_that_is_quantized(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


@CASES.accepted()
def moved_between_quantize_and_dequantize(m: ModelProto) -> None:
    insert(m, "dq0", 0, "Identity")
    insert(m, "dq0", 0, "Reshape", put(m, "shape", np.array([-1, 6])))


@CASES.accepted()
def int8_output(m: ModelProto) -> None:
    m.graph.output[0].CopyFrom(helper.make_tensor_value_info("yq", TensorProto.INT8, ["N", 5]))


# -- names of quantizers --------------------------------------------------------------------------


@CASES.rejected("quantizer-name")
def quantizers_of_one_name(m: ModelProto) -> None:
    node(m, "dq0").name = "q0"


@CASES.rejected("quantizer-name")
def quantizer_named_as_a_layer_before(m: ModelProto) -> None:
    node(m, "q1").name = "gemm"


@CASES.rejected("quantizer-name")
def quantizer_named_as_its_scale(m: ModelProto) -> None:
    node(m, "q0").name = "xs"


@CASES.rejected("quantizer-name")
def quantizer_named_as_a_bias_before(m: ModelProto) -> None:
    node(m, "q1").name = "b"


@CASES.accepted()
def quantizer_named_as_a_layer_behind(m: ModelProto) -> None:
    name = insert(m, "q1", 0, "Relu")
    node(m, "q0").name = name


@CASES.accepted()
def quantizer_named_as_a_zero_point(m: ModelProto) -> None:
    node(m, "q1").name = "z"


@CASES.accepted()
def layer_named_as_a_quantizer(m: ModelProto) -> None:
    node(m, "gemm").name = "dqw"


# -- weights --------------------------------------------------------------------------------------


def float_weight(m: ModelProto) -> str:
    put(m, "W", np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32))
    return insert(m, "dqw", 0, "QuantizeLinear", "ws", "wz", axis=0)


@CASES.accepted()
def float_weight_quantized_and_dequantized(m: ModelProto) -> None:
    float_weight(m)


@CASES.accepted()
def float_weight_transposed_quantized_and_dequantized(m: ModelProto) -> None:
    name = float_weight(m)
    put(m, "W", np.ones((6, 5), np.float32))
    insert(m, name, 0, "Transpose", perm=[1, 0])


@CASES.accepted()
def float_weight_with_identity_between(m: ModelProto) -> None:
    float_weight(m)
    insert(m, "dqw", 0, "Identity")


@CASES.accepted()
def weight_dequantized_and_transposed(m: ModelProto) -> None:
    insert(m, "gemm", 1, "Transpose", perm=[1, 0])
    node(m, "gemm").ClearField("attribute")


@CASES.accepted()
def weight_dequantized_and_transposed_for_matmul(m: ModelProto) -> None:
    layer(m, "MatMul")
    insert(m, "gemm", 1, "Transpose", perm=[1, 0])


@CASES.accepted()
def weight_dequantized_behind_identity(m: ModelProto) -> None:
    insert(m, "gemm", 1, "Identity")


@CASES.accepted()
def weight_dequantized_and_reshaped(m: ModelProto) -> None:
    insert(m, "gemm", 1, "Reshape", put(m, "shape", np.array([5, 6])))


@CASES.accepted()
def weight_of_two_layers(m: ModelProto) -> None:
    m.graph.node.append(helper.make_node("Gemm", ["xd", "Wd", "b"], ["y2"], name="second", transB=1))
    m.graph.output.append(helper.make_tensor_value_info("y2", TensorProto.FLOAT, ["N", 5]))


@CASES.accepted()
def weight_minus_128(m: ModelProto) -> None:
    put(m, "W", np.full((5, 6), -128, np.int8))


@CASES.rejected("int8-constant")
def int8_weight_behind_identity(m: ModelProto) -> None:
    insert(m, "dqw", 0, "Identity")


@CASES.rejected("int8-constant")
def int8_weight_transposed(m: ModelProto) -> None:
    put(m, "W", np.ones((6, 5), np.int8))
    insert(m, "dqw", 0, "Transpose", perm=[1, 0])


@CASES.rejected("int8-constant")
def int8_weight_of_a_constant_node_reshaped(m: ModelProto) -> None:
    constant(m, "W", value=helper.make_tensor("", TensorProto.INT8, [30], [1] * 30))
    insert(m, "dqw", 0, "Reshape", put(m, "shape", np.array([5, 6])))


@CASES.rejected("int8-constant")
def int8_weight_that_is_read_elsewhere(m: ModelProto) -> None:
    m.graph.node.append(helper.make_node("Identity", ["W"], ["copy"], name="copy"))
    m.graph.output.append(helper.make_tensor_value_info("copy", TensorProto.INT8, [5, 6]))


@CASES.accepted("weight-axis", because=CHANCE)
def axis_of_a_square_gemm(m: ModelProto) -> None:
    weight(m, (6, 6), axis=1)
    bias(m, 6)


@CASES.accepted("weight-axis", because=CHANCE)
def axis_of_a_square_matmul(m: ModelProto) -> None:
    layer(m, "MatMul")
    weight(m, (6, 6), axis=0)


@CASES.accepted("weight-axis", because=CHANCE)
def axis_of_a_square_weight_that_is_transposed(m: ModelProto) -> None:
    weight(m, (6, 6), axis=1)
    bias(m, 6)
    insert(m, "gemm", 1, "Transpose", perm=[1, 0])
    node(m, "gemm").ClearField("attribute")


@CASES.accepted("weight-axis", because=CHANCE)
def axis_of_a_convolution(m: ModelProto) -> None:
    layer(m, "Conv")
    weight(m, (6, 6, 3, 3), axis=1)
    bias(m, 6)
    input_shape(m, ["N", 6, 8, 8])


@CASES.accepted()
def axis_of_a_transposed_convolution(m: ModelProto) -> None:
    layer(m, "ConvTranspose")
    weight(m, (6, 5, 3, 3), axis=1)
    input_shape(m, ["N", 6, 8, 8])


@CASES.accepted()
def axis_of_a_weight_that_stands_first(m: ModelProto) -> None:
    layer(m, "MatMul")
    node(m, "gemm").input[:] = ["Wd", "xd"]
    put(m, "W", np.ones((5, 3), np.int8))
    input_shape(m, [3, 6])


@CASES.accepted()
def axis_left_out_where_1_is_right(m: ModelProto) -> None:
    layer(m, "MatMul")
    weight(m, (6, 5), axis=None)


@CASES.rejected("scale-shape", "weight-axis")
def axis_left_out_where_0_is_right(m: ModelProto) -> None:
    node(m, "dqw").ClearField("attribute")


@CASES.accepted("axis-written", because=OLDER, profile=JETPACK6)
def axis_left_out_of_a_square_weight_on_jetpack_6(m: ModelProto) -> None:
    layer(m, "MatMul")
    weight(m, (6, 6), axis=None)


@CASES.accepted("axis-written", "scale-shape", because=OLDER, profile=JETPACK6)
def axis_left_out_of_a_weight_on_jetpack_6(m: ModelProto) -> None:
    layer(m, "MatMul")
    weight(m, (6, 5), axis=None)
