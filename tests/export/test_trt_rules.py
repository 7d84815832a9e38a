"""Every rule finds its fault, and finds nothing in what the exporter writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from kdp_edge.exporters import trt_rules
from kdp_edge.exporters.onnx_format import to_integer, to_qdq
from kdp_edge.quantization.synthetic import random_net

MODEL = to_qdq(random_net("net", inputs=12, width=12, blocks=1, outputs=12))
FAULTS: dict[str, Callable[[ModelProto], None]] = {}


def fault(rule: trt_rules.Rule) -> Callable[[Callable[[ModelProto], None]], Callable[[ModelProto], None]]:
    """Register a function that breaks `rule` in a model that keeps all rules."""

    def register(function: Callable[[ModelProto], None]) -> Callable[[ModelProto], None]:
        FAULTS[rule.__name__] = function
        return function

    return register


def node(model: ModelProto, kind: str, index: int = 0) -> NodeProto:
    return [n for n in model.graph.node if n.op_type == kind][index]


def constant(model: ModelProto, name: str) -> TensorProto:
    return next(t for t in model.graph.initializer if t.name == name)


def put(model: ModelProto, name: str, value: object) -> str:
    """Set or add a constant."""
    tensor = numpy_helper.from_array(np.asarray(value), name)
    if name in {t.name for t in model.graph.initializer}:
        constant(model, name).CopyFrom(tensor)
    else:
        model.graph.initializer.append(tensor)
    return name


def insert(model: ModelProto, kind: str, reader: NodeProto, index: int, *more: str, **options: int) -> None:
    """Put a node between `reader` and its input `index`."""
    name = f"{reader.name}.{kind}.{index}"
    model.graph.node.append(
        helper.make_node(kind, [reader.input[index], *more], [name], name=name, **options)
    )
    reader.input[index] = name


def weight_reader(model: ModelProto) -> NodeProto:
    """The DequantizeLinear of the first weight."""
    return next(n for n in model.graph.node if n.input[0] == "first.weight")


@fault(trt_rules.opset_is_supported)
def newer_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 26


@fault(trt_rules.ir_is_supported)
def newer_ir(model: ModelProto) -> None:
    model.ir_version = 11


@fault(trt_rules.no_custom_operators)
def contributed_operator(model: ModelProto) -> None:
    node(model, "QuantizeLinear").domain = "com.microsoft"


@fault(trt_rules.operators_are_known)
def unknown_operator(model: ModelProto) -> None:
    node(model, "Relu").op_type = "Celu"


@fault(trt_rules.no_external_data)
def data_in_another_file(model: ModelProto) -> None:
    constant(model, "first.bias").data_location = TensorProto.EXTERNAL


@fault(trt_rules.interface_is_float)
def int8_output(model: ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8


@fault(trt_rules.only_the_batch_is_dynamic)
def dynamic_size(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "size"


@fault(trt_rules.scales_are_constant)
def scale_at_run_time(model: ModelProto) -> None:
    insert(model, "Identity", node(model, "QuantizeLinear"), 1)


@fault(trt_rules.scales_are_positive_floats)
def scale_zero(model: ModelProto) -> None:
    put(model, "hidden.scale", np.float32(0))


@fault(trt_rules.scales_agree)
def another_scale(model: ModelProto) -> None:
    reader = next(n for n in model.graph.node if n.input[0] == "hidden.q")
    reader.input[1] = put(model, "another", np.float32(0.03))


@fault(trt_rules.activation_scales_are_per_tensor)
def scale_per_activation(model: ModelProto) -> None:
    put(model, "hidden.scale", np.full(12, 0.03, np.float32))


@fault(trt_rules.zero_points_are_int8_zero)
def unsigned_zero_point(model: ModelProto) -> None:
    node(model, "QuantizeLinear").input[2] = put(model, "unsigned", np.uint8(0))


@fault(trt_rules.weight_axis_is_the_output)
def wrong_axis_of_a_square_matrix(model: ModelProto) -> None:
    weight_reader(model).attribute[0].i = 1


@fault(trt_rules.weight_scales_fit)
def too_few_scales(model: ModelProto) -> None:
    put(model, "first.weight.scale", np.full(11, 0.01, np.float32))


@fault(trt_rules.weights_are_symmetric)
def weight_of_minus_128(model: ModelProto) -> None:
    put(model, "first.weight", np.full((12, 12), -128, np.int8))


@fault(trt_rules.int8_constants_feed_dequantize_directly)
def transposed_at_run_time(model: ModelProto) -> None:
    insert(model, "Transpose", weight_reader(model), 0)


@fault(trt_rules.bias_is_float)
def int32_bias(model: ModelProto) -> None:
    put(model, "first.bias", np.zeros(12, np.int32))
    insert(model, "DequantizeLinear", node(model, "Gemm"), 2, put(model, "step", np.float32(0.001)))


@fault(trt_rules.quantized_values_are_only_dequantized)
def relu_of_integers(model: ModelProto) -> None:
    insert(model, "Relu", next(n for n in model.graph.node if n.input[0] == "hidden.q"), 0)


@fault(trt_rules.linear_operands_are_quantized)
def float_operand(model: ModelProto) -> None:
    node(model, "Gemm").input[0] = "input"


@fault(trt_rules.sums_have_quantized_inputs)
def float_residual(model: ModelProto) -> None:
    node(model, "Add").input[1] = "block0_branch.real"


@fault(trt_rules.activations_follow_their_linear)
def quantized_before_its_activation(model: ModelProto) -> None:
    relu = node(model, "Relu")
    for kind in ("QuantizeLinear", "DequantizeLinear"):
        insert(model, kind, relu, 0, "hidden.scale", "zero")


@fault(trt_rules.outer_values_are_quantized)
def float_output(model: ModelProto) -> None:
    node(model, "DequantizeLinear", -1).op_type = "Identity"


@pytest.mark.parametrize("rule", trt_rules.RULES, ids=lambda rule: rule.__name__)
def test_the_rule_finds_its_fault(rule: trt_rules.Rule) -> None:
    model = onnx.load_from_string(MODEL)
    FAULTS[rule.__name__](model)
    assert rule.__name__ in {finding.rule for finding in trt_rules.check(model.SerializeToString())}


def test_the_exporter_keeps_every_rule_of_both_releases() -> None:
    assert trt_rules.check(MODEL) == []
    assert trt_rules.check(MODEL, trt_rules.TENSORRT11) == []


def test_the_form_for_cpus_is_not_taken_for_tensorrt_s() -> None:
    model = to_integer(random_net("net", inputs=12, width=12, blocks=1, outputs=12))
    assert "operators_are_known" in {finding.rule for finding in trt_rules.check(model)}
