"""Rules that an ONNX file must keep for TensorRT to run it as int8, checked without TensorRT or a GPU.

TensorRT rejects some of these faults only on the device, and accepts others in silence and computes
something else (unsigned zero-points, a weight axis that fits a square matrix by chance). Each rule
is one function; `check` runs all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper


@dataclass(frozen=True)
class Profile:
    """What a TensorRT release reads."""

    name: str
    opset: int
    ir: int


JETPACK6 = Profile("JetPack 6 (TensorRT 10.3)", opset=20, ir=10)
TENSORRT11 = Profile("TensorRT 11", opset=25, ir=13)

LINEARS = frozenset({"Gemm", "MatMul", "Conv"})
ACTIVATIONS = frozenset({"Relu", "Clip"})
QUANTIZERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
SHAPES = frozenset({"Concat", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
OPERATORS = LINEARS | ACTIVATIONS | QUANTIZERS | SHAPES | {"Add", "Constant", "Mul"}


class Graph:
    """A model with its constants and connections looked up once."""

    def __init__(self, model: onnx.ModelProto, profile: Profile) -> None:
        self.model, self.profile = model, profile
        self.graph = model.graph
        self.tensors = {tensor.name: tensor for tensor in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant":
                self.tensors[node.output[0]] = node.attribute[0].t
        self.producer = {name: node for node in self.graph.node for name in node.output}
        self.consumers: dict[str, list[NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)

    def nodes(self, *kinds: str) -> Iterator[NodeProto]:
        return (node for node in self.graph.node if node.op_type in kinds)

    def constant(self, name: str) -> np.ndarray | None:
        tensor = self.tensors.get(name)
        if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
            return None
        return numpy_helper.to_array(tensor)

    def argument(self, node: NodeProto, index: int) -> np.ndarray | None:
        """Constant value of an input of `node`; None when absent or computed."""
        return self.constant(node.input[index]) if len(node.input) > index else None

    def comes_from(self, name: str, kind: str) -> bool:
        return name in self.producer and self.producer[name].op_type == kind


Rule = Callable[[Graph], Iterator[str]]


@dataclass(frozen=True)
class Finding:
    """A broken rule and where."""

    rule: str
    message: str


def check(data: bytes, profile: Profile = JETPACK6) -> list[Finding]:
    """Every broken rule of the ONNX file `data`; empty when TensorRT will read it as int8."""
    graph = Graph(onnx.load_from_string(data), profile)
    return [Finding(rule.__name__, message) for rule in RULES for message in rule(graph)]


def opset_is_supported(g: Graph) -> Iterator[str]:
    """A newer opset is rejected when the engine is built, on the device."""
    for opset in g.model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > g.profile.opset:
            yield f"opset is {opset.version}, {g.profile.name} reads up to {g.profile.opset}"


def ir_is_supported(g: Graph) -> Iterator[str]:
    if g.model.ir_version > g.profile.ir:
        yield f"IR version is {g.model.ir_version}, {g.profile.name} reads up to {g.profile.ir}"


def no_custom_operators(g: Graph) -> Iterator[str]:
    """ONNX Runtime's own operators (com.microsoft) are unknown to TensorRT."""
    for node in g.graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield f"{node.name}: domain {node.domain}"


def operators_are_known(g: Graph) -> Iterator[str]:
    for node in g.graph.node:
        if node.op_type not in OPERATORS:
            yield f"{node.name}: {node.op_type} is not one of {', '.join(sorted(OPERATORS))}"


def no_external_data(g: Graph) -> Iterator[str]:
    """One file: nothing beside it that could be lost or changed."""
    for name, tensor in g.tensors.items():
        if tensor.data_location == TensorProto.EXTERNAL:
            yield f"{name}: stored in another file"


def interface_is_float(g: Graph) -> Iterator[str]:
    """int8 in- and outputs would leave TensorRT's scales outside of the file."""
    for value in [*g.graph.input, *g.graph.output]:
        kind = value.type.tensor_type.elem_type
        if value.name not in g.tensors and kind != TensorProto.FLOAT:
            yield f"{value.name}: {TensorProto.DataType.Name(kind)}, expected FLOAT"


def only_the_batch_is_dynamic(g: Graph) -> Iterator[str]:
    for value in g.graph.input:
        dims = value.type.tensor_type.shape.dim
        unknown = [i for i, dim in enumerate(dims) if not dim.HasField("dim_value")]
        if value.name not in g.tensors and unknown not in ([], [0]):
            yield f"{value.name}: dimensions {unknown} are dynamic, expected [0] or none"


def scales_are_constant(g: Graph) -> Iterator[str]:
    """A scale computed at run time is accepted in silence and not used as one."""
    for node in g.nodes(*QUANTIZERS):
        if g.argument(node, 1) is None:
            yield f"{node.name}: scale {node.input[1]} is not a constant"


def scales_are_positive_floats(g: Graph) -> Iterator[str]:
    for node in g.nodes(*QUANTIZERS):
        scale = g.argument(node, 1)
        if scale is None:
            continue
        if scale.dtype != np.float32:
            yield f"{node.name}: scale is {scale.dtype}, expected float32"
        elif not (np.isfinite(scale).all() and (scale > 0).all()):
            yield f"{node.name}: scale {scale.min()} … {scale.max()} is not finite and positive"


def scales_agree(g: Graph) -> Iterator[str]:
    """A value dequantized with another scale than it was quantized with is another value."""
    for node in g.nodes("QuantizeLinear"):
        for reader in g.consumers.get(node.output[0], []):
            scale, other = g.argument(node, 1), g.argument(reader, 1)
            if scale is None or other is None or reader.op_type != "DequantizeLinear":
                continue
            if not np.array_equal(scale, other):
                yield f"{node.name}: scale {scale}, but {reader.name} has {other}"


def activation_scales_are_per_tensor(g: Graph) -> Iterator[str]:
    for node in g.nodes(*QUANTIZERS):
        scale = g.argument(node, 1)
        if scale is not None and scale.size > 1 and g.argument(node, 0) is None:
            yield f"{node.name}: {scale.size} scales for an activation, expected 1"


def zero_points_are_int8_zero(g: Graph) -> Iterator[str]:
    """Left out, a zero-point means uint8, which TensorRT reads as int8; any other than 0 is rejected."""
    for node in g.nodes(*QUANTIZERS):
        zero = g.argument(node, 2)
        if zero is None:
            yield f"{node.name}: zero-point is missing or not a constant"
        elif zero.dtype != np.int8 or zero.any():
            yield f"{node.name}: zero-point is {zero.dtype} {zero.min()} … {zero.max()}, expected int8 0"


def weight_axis_is_the_output(g: Graph) -> Iterator[str]:
    """A wrong axis goes unnoticed when the matrix is square."""
    for node, reader in _weights(g):
        scale, weight = g.argument(node, 1), g.argument(node, 0)
        if scale is None or weight is None or scale.size == 1:
            continue
        axis, expected = _attribute(node, "axis", 1), _output_axis(reader, weight.ndim)
        if axis % weight.ndim != expected:
            yield f"{node.name}: axis {axis}, expected {expected} for {reader.op_type}"


def weight_scales_fit(g: Graph) -> Iterator[str]:
    for node, _ in _weights(g):
        scale, weight = g.argument(node, 1), g.argument(node, 0)
        if scale is None or weight is None or scale.size == 1:
            continue
        length = weight.shape[_attribute(node, "axis", 1) % weight.ndim]
        if scale.shape != (length,):
            yield f"{node.name}: scale has shape {list(scale.shape)}, expected [{length}]"


def weights_are_symmetric(g: Graph) -> Iterator[str]:
    for node, _ in _weights(g):
        weight = g.argument(node, 0)
        if weight is not None and weight.dtype == np.int8 and weight.min(initial=0) < -127:
            yield f"{node.name}: weight -128, expected -127 … 127"


def int8_constants_feed_dequantize_directly(g: Graph) -> Iterator[str]:
    """Anything between an int8 constant and its DequantizeLinear makes the weight a run-time value."""
    for node in g.graph.node:
        for index, name in enumerate(node.input):
            constant = g.constant(name)
            if constant is None or constant.dtype != np.int8:
                continue
            is_zero_point = node.op_type in QUANTIZERS and index == 2
            if not is_zero_point and (node.op_type, index) != ("DequantizeLinear", 0):
                yield f"{node.name}: reads the int8 constant {name}"


def bias_is_float(g: Graph) -> Iterator[str]:
    """int32 DequantizeLinear, ONNX Runtime's habit for biases, is rejected."""
    for node in g.nodes("DequantizeLinear"):
        value = g.argument(node, 0)
        if value is not None and value.dtype == np.int32:
            yield f"{node.name}: dequantizes int32, keep the bias float32"


def quantized_values_are_only_dequantized(g: Graph) -> Iterator[str]:
    outputs = {value.name for value in g.graph.output}
    for node in g.nodes("QuantizeLinear"):
        for reader in g.consumers.get(node.output[0], []):
            if reader.op_type != "DequantizeLinear":
                yield f"{node.name}: feeds {reader.op_type}, expected DequantizeLinear"
        if node.output[0] in outputs:
            yield f"{node.name}: is an output of the graph"


def linear_operands_are_quantized(g: Graph) -> Iterator[str]:
    """With one float operand the layer runs in float."""
    for node in g.nodes(*LINEARS):
        for name in node.input[:2]:
            if not g.comes_from(name, "DequantizeLinear"):
                yield f"{node.name}: operand {name} is not dequantized int8"


def sums_have_quantized_inputs(g: Graph) -> Iterator[str]:
    """A residual branch in float keeps the addition out of the int8 kernel."""
    for node in g.nodes("Add"):
        if any(g.constant(name) is not None for name in node.input):
            continue  # a bias
        for name in node.input:
            if not g.comes_from(name, "DequantizeLinear"):
                yield f"{node.name}: input {name} is not dequantized int8"


def activations_follow_their_linear(g: Graph) -> Iterator[str]:
    """Quantizing between a layer and its activation breaks their fusion."""
    for node in g.nodes(*ACTIVATIONS):
        if g.comes_from(node.input[0], "DequantizeLinear"):
            yield f"{node.name}: reads a dequantized value, expected the layer itself"


def outer_values_are_quantized(g: Graph) -> Iterator[str]:
    """The graph's outputs are dequantized integers, so a device's answer can be compared as int8."""
    for value in g.graph.output:
        if not g.comes_from(value.name, "DequantizeLinear"):
            yield f"{value.name}: does not come from a DequantizeLinear"


RULES: tuple[Rule, ...] = (
    opset_is_supported,
    ir_is_supported,
    no_custom_operators,
    operators_are_known,
    no_external_data,
    interface_is_float,
    only_the_batch_is_dynamic,
    scales_are_constant,
    scales_are_positive_floats,
    scales_agree,
    activation_scales_are_per_tensor,
    zero_points_are_int8_zero,
    weight_axis_is_the_output,
    weight_scales_fit,
    weights_are_symmetric,
    int8_constants_feed_dequantize_directly,
    bias_is_float,
    quantized_values_are_only_dequantized,
    linear_operands_are_quantized,
    sums_have_quantized_inputs,
    activations_follow_their_linear,
    outer_values_are_quantized,
)


def _weights(g: Graph) -> Iterator[tuple[NodeProto, NodeProto]]:
    """Every DequantizeLinear of a constant with the linear operator that reads it as its weight."""
    for node in g.nodes("DequantizeLinear"):
        if g.argument(node, 0) is None:
            continue
        for reader in g.consumers.get(node.output[0], []):
            if reader.op_type in LINEARS and reader.input[1] == node.output[0]:
                yield node, reader


def _output_axis(reader: NodeProto, dimensions: int) -> int:
    if reader.op_type == "Conv":
        return 0
    if reader.op_type == "Gemm":
        return 0 if _attribute(reader, "transB", 0) else 1
    return dimensions - 1


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
