# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Cases of the file as a whole: names, opsets, constants, shapes, bodies, functions."""

from __future__ import annotations

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from kdp_edge.exporters.trt_rules import JETPACK6
from tests.export.trt_model import (
    Cases,
    add_typed,
    bias,
    constant,
    function,
    input_shape,
    insert,
    layer,
    node,
    opset,
    put,
    remove,
    tensor,
    weight,
)

CASES = Cases()
NEWER = "tensorrt-rtx is newer than this release, which documents no such opset"
SILENT = "accepted in silence, and computes something else"


@CASES.accepted()
def unchanged(m: ModelProto) -> None:
    pass


# -- opset and IR ---------------------------------------------------------------------------------


@CASES.rejected("opset-missing")
def opset_missing(m: ModelProto) -> None:
    del m.opset_import[:]


@CASES.rejected("opset-missing")
def opset_of_another_domain_only(m: ModelProto) -> None:
    m.opset_import[0].domain = "com.microsoft"
    m.opset_import[0].version = 1


@CASES.accepted("opset-missing", because="TensorRT takes the version of the other domain for the standard's")
def opset_of_another_domain_in_its_place(m: ModelProto) -> None:
    m.opset_import[0].domain = "com.microsoft"


@CASES.rejected("opset-missing")
def opset_6(m: ModelProto) -> None:
    m.opset_import[0].version = 6


@CASES.accepted()
def opset_named_ai_onnx(m: ModelProto) -> None:
    m.opset_import[0].domain = "ai.onnx"


@CASES.accepted()
def opset_of_another_domain_first(m: ModelProto) -> None:
    m.opset_import.insert(0, helper.make_opsetid("com.microsoft", 1))


@CASES.accepted("opset-newest", because=NEWER, profile=JETPACK6)
def opset_21_on_jetpack_6(m: ModelProto) -> None:
    opset(m, 21)


@CASES.accepted("opset-newest", because=NEWER)
def opset_26(m: ModelProto) -> None:
    opset(m, 26)


@CASES.accepted("ir-newest", because="fields of a newer IR are skipped in silence")
def ir_99(m: ModelProto) -> None:
    m.ir_version = 99


@CASES.accepted("ir-newest", because="fields of a newer IR are skipped in silence", profile=JETPACK6)
def ir_11_on_jetpack_6(m: ModelProto) -> None:
    m.ir_version = 11


# -- names ----------------------------------------------------------------------------------------


@CASES.rejected("name-unique")
def duplicate_initializer(m: ModelProto) -> None:
    m.graph.initializer.append(tensor(m, "W"))


@CASES.rejected("name-unique")
def duplicate_input(m: ModelProto) -> None:
    m.graph.input.append(m.graph.input[0])


@CASES.rejected("name-unique", "quantizer-input")
def input_that_a_node_writes(m: ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_value_info("xq", TensorProto.FLOAT, ["N", 6]))


@CASES.rejected("name-unique")
def initializer_that_a_constant_writes(m: ModelProto) -> None:
    m.graph.node.insert(0, helper.make_node("Constant", [], ["xs"], value_float=0.1))


@CASES.accepted()
def initializer_that_is_an_input_too(m: ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_value_info("xs", TensorProto.FLOAT, []))


@CASES.accepted()
def nodes_without_names(m: ModelProto) -> None:
    for one in m.graph.node:
        one.name = ""


@CASES.rejected("input-defined")
def bias_that_nothing_defines(m: ModelProto) -> None:
    node(m, "gemm").input[2] = "nowhere"


@CASES.rejected("input-defined")
def output_that_nothing_defines(m: ModelProto) -> None:
    m.graph.output.append(helper.make_tensor_value_info("nowhere", TensorProto.FLOAT, [5]))


@CASES.rejected("no-circle")
def circle(m: ModelProto) -> None:
    node(m, "q0").input[0] = "g"


@CASES.rejected("no-circle", "quantizer-input")
def node_that_reads_itself(m: ModelProto) -> None:
    node(m, "q1").input[0] = "yq"


@CASES.accepted()
def nodes_out_of_order(m: ModelProto) -> None:
    late = NodeProto()
    late.CopyFrom(node(m, "gemm"))
    m.graph.node.remove(node(m, "gemm"))
    m.graph.node.append(late)


@CASES.rejected("output-exists")
def no_output(m: ModelProto) -> None:
    del m.graph.output[:]


@CASES.rejected("output-exists")
def no_output_and_no_node(m: ModelProto) -> None:
    del m.graph.output[:]
    del m.graph.node[:]


# -- operators ------------------------------------------------------------------------------------


@CASES.accepted()
def sigmoid(m: ModelProto) -> None:
    insert(m, "q1", 0, "Sigmoid")


@CASES.rejected("operator-known")
def unknown_operator(m: ModelProto) -> None:
    insert(m, "q1", 0, "Frobnicate")


@CASES.rejected("operator-known")
def dynamic_quantization(m: ModelProto) -> None:
    m.graph.node.insert(0, helper.make_node("DynamicQuantizeLinear", ["x"], ["a", "b2", "c"], name="dynamic"))


@CASES.accepted()
def quantizer_of_onnx_runtime(m: ModelProto) -> None:
    node(m, "q0").domain = "com.microsoft"
    m.opset_import.append(helper.make_opsetid("com.microsoft", 1))


@CASES.accepted("operator-domain", because=SILENT)
def operator_of_another_domain(m: ModelProto) -> None:
    insert(m, "q1", 0, "Relu", domain="my.domain")
    m.opset_import.append(helper.make_opsetid("my.domain", 1))


@CASES.accepted("operator-domain", because=SILENT)
def quantizer_of_another_domain(m: ModelProto) -> None:
    node(m, "q0").domain = "my.domain"
    m.opset_import.append(helper.make_opsetid("my.domain", 1))


@CASES.rejected("operator-complete")
def gemm_with_one_input(m: ModelProto) -> None:
    del node(m, "gemm").input[1:]


@CASES.rejected("operator-complete")
def cast_without_type(m: ModelProto) -> None:
    insert(m, "q0", 0, "Cast")


@CASES.rejected("operator-complete")
def dequantize_without_scale(m: ModelProto) -> None:
    del node(m, "dq1").input[1:]


@CASES.rejected("operator-complete")
def quantize_without_scale(m: ModelProto) -> None:
    del node(m, "q0").input[1:]


@CASES.rejected("operator-complete", "input-defined")
def node_without_output(m: ModelProto) -> None:
    del node(m, "dq1").output[:]


@CASES.rejected("input-not-empty")
def empty_zero_point(m: ModelProto) -> None:
    node(m, "dqw").input[2] = ""


@CASES.rejected("input-not-empty")
def empty_bias(m: ModelProto) -> None:
    node(m, "gemm").input[2] = ""


@CASES.accepted()
def empty_bound_of_clip(m: ModelProto) -> None:
    insert(m, "q1", 0, "Clip", "", put(m, "six", np.float32(6)))


# -- Constant in all its forms --------------------------------------------------------------------


@CASES.accepted()
def scale_constant_value(m: ModelProto) -> None:
    constant(m, "xs", value=numpy_helper.from_array(np.asarray(np.float32(0.1))))


@CASES.accepted()
def scale_constant_value_float(m: ModelProto) -> None:
    constant(m, "xs", value_float=0.1)


@CASES.accepted()
def scale_constant_value_floats(m: ModelProto) -> None:
    constant(m, "ws", value_floats=[0.01] * 5)


@CASES.rejected("scale-positive", "quantizer-input")
def scale_constant_value_int(m: ModelProto) -> None:
    constant(m, "xs", value_int=1)


@CASES.rejected("scale-positive")
def scale_constant_value_ints(m: ModelProto) -> None:
    constant(m, "ws", value_ints=[1] * 5)


@CASES.accepted("zero-point-type", because="ONNX has no int64 zero-point; TensorRT reads it as int8")
def zero_point_constant_value_int(m: ModelProto) -> None:
    constant(m, "z", value_int=0)


@CASES.rejected("constant-form")
def constant_value_string(m: ModelProto) -> None:
    constant(m, "unused", value_string="a")


@CASES.rejected("constant-form")
def constant_value_strings(m: ModelProto) -> None:
    constant(m, "unused", value_strings=["a"])


@CASES.rejected("constant-form")
def scale_constant_sparse_value(m: ModelProto) -> None:
    values = numpy_helper.from_array(np.array([0.1], np.float32), "v")
    places = numpy_helper.from_array(np.array([0], np.int64), "i")
    constant(m, "xs", sparse_value=helper.make_sparse_tensor(values, places, [1]))


@CASES.rejected("constant-form")
def scale_constant_without_attribute(m: ModelProto) -> None:
    constant(m, "xs")


@CASES.rejected("constant-form")
def scale_constant_with_empty_floats(m: ModelProto) -> None:
    constant(m, "xs").attribute.append(AttributeProto(name="value_floats", type=AttributeProto.FLOATS))


@CASES.rejected("constant-form")
def scale_constant_of_the_wrong_type(m: ModelProto) -> None:
    constant(m, "xs").attribute.append(AttributeProto(name="value_float", type=AttributeProto.INT, i=1))


@CASES.accepted()
def scale_constant_with_two_attributes(m: ModelProto) -> None:
    constant(m, "xs", value_float=0.1, value_int=3)


@CASES.rejected("operator-complete")
def constant_without_output(m: ModelProto) -> None:
    m.graph.node.insert(0, helper.make_node("Constant", [], [], value_float=1.0))


@CASES.accepted()
def weight_constant(m: ModelProto) -> None:
    constant(m, "W", value=tensor(m, "W"))


# -- stored tensors -------------------------------------------------------------------------------


@CASES.rejected("tensor-readable")
def unused_int16_initializer(m: ModelProto) -> None:
    put(m, "unused", np.zeros(2, np.int16))


@CASES.rejected("tensor-readable")
def unused_uint64_constant(m: ModelProto) -> None:
    constant(m, "unused", value=numpy_helper.from_array(np.zeros(2, np.uint64)))


@CASES.rejected("tensor-readable")
def string_initializer(m: ModelProto) -> None:
    m.graph.initializer.append(helper.make_tensor("s", TensorProto.STRING, [1], [b"a"]))


@CASES.rejected("tensor-readable")
def initializer_without_type(m: ModelProto) -> None:
    m.graph.initializer.append(TensorProto(name="u", dims=[1]))


@CASES.rejected("tensor-readable")
def initializer_cut_short(m: ModelProto) -> None:
    tensor(m, "b").raw_data = tensor(m, "b").raw_data[:8]


@CASES.rejected("tensor-readable")
def initializer_too_long(m: ModelProto) -> None:
    tensor(m, "b").raw_data += b"abcd"


@CASES.rejected("tensor-readable")
def initializer_of_negative_size(m: ModelProto) -> None:
    tensor(m, "b").dims[0] = -5


@CASES.rejected("tensor-readable")
def initializer_of_nine_dimensions(m: ModelProto) -> None:
    put(m, "unused", np.zeros((1,) * 9, np.float32))


@CASES.rejected("tensor-readable")
def initializer_in_a_file_that_is_not_there(m: ModelProto) -> None:
    bias_tensor = tensor(m, "b")
    bias_tensor.ClearField("raw_data")
    bias_tensor.data_location = TensorProto.EXTERNAL
    bias_tensor.external_data.add(key="location", value="nowhere.bin")


@CASES.accepted()
def weight_stored_in_int32_data(m: ModelProto) -> None:
    stored = tensor(m, "W")
    values = numpy_helper.to_array(stored).ravel().tolist()
    stored.ClearField("raw_data")
    stored.int32_data.extend(values)


@CASES.accepted()
def double_bias(m: ModelProto) -> None:
    put(m, "b", np.zeros(5, np.float64))


def _sparse(name: str) -> object:
    values = numpy_helper.from_array(np.array([0.1], np.float32), name)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([0], np.int64), "i"), [5])


@CASES.rejected("sparse-initializer", "input-defined")
def sparse_bias(m: ModelProto) -> None:
    remove(m, "b")
    m.graph.sparse_initializer.append(_sparse("b"))


@CASES.rejected("sparse-initializer", "input-defined")
def sparse_scale(m: ModelProto) -> None:
    remove(m, "ws")
    m.graph.sparse_initializer.append(_sparse("ws"))


@CASES.accepted()
def unused_sparse_initializer(m: ModelProto) -> None:
    m.graph.sparse_initializer.append(_sparse("unused"))


# -- inputs and outputs ---------------------------------------------------------------------------


@CASES.rejected("interface-type")
def string_input(m: ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_value_info("s", TensorProto.STRING, [1]))


@CASES.rejected("interface-type")
def sequence_input(m: ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))


@CASES.rejected("interface-type")
def output_without_type(m: ModelProto) -> None:
    m.graph.output[0].ClearField("type")


@CASES.accepted()
def output_without_shape(m: ModelProto) -> None:
    m.graph.output[0].type.tensor_type.ClearField("shape")


@CASES.accepted()
def int64_input_that_is_cast(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    insert(m, "q0", 0, "Cast", to=TensorProto.FLOAT)


@CASES.accepted()
def uint8_input_that_is_cast(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    insert(m, "q0", 0, "Cast", to=TensorProto.FLOAT)


@CASES.accepted()
def int8_input(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    node(m, "dq0").input[0] = "x"
    m.graph.node.remove(node(m, "q0"))


@CASES.accepted()
def float16_everywhere(m: ModelProto) -> None:
    for value in (m.graph.input[0], m.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for name in ("xs", "ys", "ws", "b"):
        put(m, name, numpy_helper.to_array(tensor(m, name)).astype(np.float16))


@CASES.rejected("input-rank", "inner-dimension")
def rank_unknown(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.ClearField("shape")


@CASES.accepted("input-rank", because="TensorRT takes an unknown rank for 1")
def rank_unknown_without_a_layer(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.ClearField("shape")
    layer(m, "Relu")
    del node(m, "gemm").input[1:]


@CASES.rejected("inner-dimension")
def rank_3_into_gemm(m: ModelProto) -> None:
    input_shape(m, ["N", 6, 6])


@CASES.rejected("inner-dimension")
def dimensions_minus_1_everywhere(m: ModelProto) -> None:
    for dim in m.graph.input[0].type.tensor_type.shape.dim:
        dim.dim_value = -1


@CASES.accepted()
def dimension_minus_1_of_the_batch(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1


@CASES.rejected("inner-dimension")
def dimension_named_that_is_summed(m: ModelProto) -> None:
    input_shape(m, ["N", "size"])


@CASES.rejected("inner-dimension")
def dimension_unset_that_is_summed(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.shape.dim[1].Clear()


@CASES.rejected("inner-dimension")
def dimension_of_another_size(m: ModelProto) -> None:
    input_shape(m, ["N", 7])


@CASES.accepted()
def dimension_named_that_is_not_summed(m: ModelProto) -> None:
    layer(m, "MatMul")
    weight(m, (6, 5), axis=1)
    input_shape(m, ["N", "steps", 6])


def convolution(m: ModelProto, shape: list[object]) -> None:
    layer(m, "Conv")
    weight(m, (5, 6, 3, 3), axis=0)
    input_shape(m, shape)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5, None, None])
    m.graph.output[0].CopyFrom(output)


@CASES.accepted()
def convolution_of_dynamic_images(m: ModelProto) -> None:
    convolution(m, ["N", 6, "height", "width"])


@CASES.rejected("inner-dimension")
def convolution_of_dynamic_channels(m: ModelProto) -> None:
    convolution(m, ["N", "channels", 8, 8])


@CASES.rejected("inner-dimension")
def convolution_of_a_matrix(m: ModelProto) -> None:
    convolution(m, ["N", 6])


@CASES.rejected("bias-size")
def bias_too_short(m: ModelProto) -> None:
    bias(m, 4)


@CASES.rejected("bias-size")
def bias_of_a_convolution_too_short(m: ModelProto) -> None:
    convolution(m, ["N", 6, 8, 8])
    bias(m, 4)


@CASES.accepted()
def bias_of_one_number(m: ModelProto) -> None:
    bias(m, 1)


@CASES.rejected("operand-types")
def float16_bias(m: ModelProto) -> None:
    put(m, "b", np.zeros(5, np.float16))


@CASES.rejected("operand-types")
def int32_bias(m: ModelProto) -> None:
    put(m, "b", np.zeros(5, np.int32))


@CASES.rejected("operand-types")
def float16_scale_of_one_operand(m: ModelProto) -> None:
    put(m, "xs", np.float16(0.1))


@CASES.rejected("operand-types")
def sum_with_an_integer(m: ModelProto) -> None:
    insert(m, "q1", 0, "Add", put(m, "one", np.int64(1)))


# -- bodies and functions -------------------------------------------------------------------------


def condition(m: ModelProto, scale: float = 0.1, operator: str = "Identity") -> None:
    """An If whose branches quantize, so every rule has to look inside."""

    def branch(name: str) -> object:
        nodes = [
            helper.make_node("Constant", [], ["s"], value_float=scale),
            helper.make_node("QuantizeLinear", ["g", "s", "z"], ["q"], name=f"{name}_q"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], name=f"{name}_dq"),
            helper.make_node(operator, ["d"], [name], name=f"{name}_last"),
        ]
        result = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph(nodes, name, [], [result])

    m.graph.input.append(helper.make_tensor_value_info("sure", TensorProto.BOOL, []))
    name = insert(m, "q1", 0, "If", then_branch=branch("yes"), else_branch=branch("no"))
    node(m, name).input[0] = "sure"


@CASES.accepted()
def branches(m: ModelProto) -> None:
    condition(m)


@CASES.rejected("scale-positive")
def branches_with_a_negative_scale(m: ModelProto) -> None:
    condition(m, scale=-0.1)


@CASES.rejected("operator-known")
def branches_with_an_unknown_operator(m: ModelProto) -> None:
    condition(m, operator="Frobnicate")


def quantizing_function(m: ModelProto, name: str = "") -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["a", "scale", "zero"], ["q"], name=name),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["out"]),
    ]
    function(m, nodes, ["a", "scale", "zero"])
    insert(m, "q1", 0, "F", "xs", "z", domain="ours")


@CASES.accepted()
def function_that_quantizes(m: ModelProto) -> None:
    quantizing_function(m)


@CASES.rejected("scale-positive")
def function_called_with_a_negative_scale(m: ModelProto) -> None:
    quantizing_function(m)
    next(n for n in m.graph.node if n.op_type == "F").input[1] = put(m, "negative", np.float32(-1))


@CASES.rejected("quantizer-name")
def function_that_quantizes_called_twice(m: ModelProto) -> None:
    quantizing_function(m, name="inside")
    insert(m, "q1", 0, "F", "xs", "z", domain="ours")


@CASES.accepted()
def function_that_is_given_an_axis(m: ModelProto) -> None:
    inside = helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["out"])
    inside.attribute.append(AttributeProto(name="axis", type=AttributeProto.INT, ref_attr_name="along"))
    function(m, [inside], ["w", "scale", "zero"], ["along"])
    outside = node(m, "dqw")
    outside.op_type, outside.domain, outside.attribute[0].name = "F", "ours", "along"


@CASES.rejected("operator-known")
def function_with_an_unknown_operator(m: ModelProto) -> None:
    function(m, [helper.make_node("Frobnicate", ["a"], ["out"])], ["a"])
    insert(m, "q1", 0, "F", domain="ours")


@CASES.accepted()
def function_with_an_unknown_operator_that_is_not_called(m: ModelProto) -> None:
    function(m, [helper.make_node("Frobnicate", ["a"], ["out"])], ["a"])


@CASES.rejected("operator-known")
def function_that_calls_itself(m: ModelProto) -> None:
    function(m, [helper.make_node("F", ["a"], ["out"], domain="ours")], ["a"])
    insert(m, "q1", 0, "F", domain="ours")


@CASES.rejected("tensor-readable")
def float8e5m2_constant(m: ModelProto) -> None:
    add_typed(m, "unused", TensorProto.FLOAT8E5M2, [], 0)
