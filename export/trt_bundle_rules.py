# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rules that TensorRT does not enforce: what keeps a layer out of int8, and what our own bundles promise."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import TensorProto

from kdp_edge.exporters.trt_graph import MOVES, QUANTIZERS, Graph
from kdp_edge.exporters.trt_rule import Cost, Fault, Profile, Rules
from kdp_edge.exporters.trt_tensor import type_name

RULES = Rules()
LINEARS = ("Gemm", "MatMul", "Conv")
ACTIVATIONS = ("Relu", "Clip")
SIMPLE = ("Add", "Cast", "Concat", "Constant", "Mul", "Slice", "Tanh", "Elu")
OPERATORS = frozenset({*LINEARS, *ACTIVATIONS, *QUANTIZERS, *MOVES, *SIMPLE})
INT8 = ("int8",)


def _is_dequantized(g: Graph, name: str) -> bool:
    writer = g.producer.get(g.source(name, *MOVES, "Slice", "MaxPool"))
    return writer is not None and writer.op == "DequantizeLinear"


@RULES.add(
    "linear-quantized",
    Cost.FLOAT,
    "both operands of a layer are dequantized int8, or the layer runs in float",
    "put QuantizeLinear and DequantizeLinear before the operand",
    INT8,
)
def linear_quantized(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*LINEARS):
        for name in node.inputs[:2]:
            if not _is_dequantized(g, name):
                yield node.name, f"operand {g.label(name)} is not dequantized int8"


@RULES.add(
    "sum-quantized",
    Cost.FLOAT,
    "both inputs of a sum are dequantized int8; a residual branch in float keeps it out of the int8 kernel",
    "quantize and dequantize the branch",
    INT8,
)
def sum_quantized(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of("Add"):
        if any(name in g.fixed for name in node.inputs):
            continue  # a bias
        for name in node.inputs:
            if not _is_dequantized(g, name):
                yield node.name, f"input {g.label(name)} is not dequantized int8"


@RULES.add(
    "activation-fused",
    Cost.FLOAT,
    "an activation follows its layer; quantizing between the two breaks their fusion",
    "quantize behind the activation",
    INT8,
)
def activation_fused(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*ACTIVATIONS):
        writer = g.producer.get(node.argument(0))
        if writer is not None and writer.op == "DequantizeLinear":
            yield node.name, f"reads the dequantized {g.label(node.argument(0))}, expected the layer itself"


@RULES.add(
    "quantized-read",
    Cost.FLOAT,
    "a quantized value is read by DequantizeLinear, at most moved before",
    "put a DequantizeLinear before the reader",
    INT8,
)
def quantized_read(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        for name in node.inputs:
            writer = g.producer.get(g.source(name, *MOVES))
            if (
                writer is not None
                and writer.op == "QuantizeLinear"
                and node.op not in ("DequantizeLinear", *MOVES)
            ):
                yield node.name, f"{node.op} reads what {writer.name} quantized, expected DequantizeLinear"


@RULES.add(
    "batch-dynamic",
    Cost.BUNDLE,
    "at most the batch of an input is dynamic; any other dimension needs a profile of its own",
    "fix it, or name it in --minShapes, --optShapes and --maxShapes",
)
def batch_dynamic(g: Graph, profile: Profile) -> Iterator[Fault]:
    for value in g.inputs:
        shape = g.shape(value.name) or []
        unknown = [index for index, size in enumerate(shape) if size is None and index]
        if unknown:
            yield value.name, f"dimensions {unknown} are dynamic, expected 0 or none"


@RULES.add(
    "interface-float",
    Cost.BUNDLE,
    "inputs and outputs are float32; int8 ones would leave their scales outside of the file",
    "quantize inside of the model",
)
def interface_float(g: Graph, profile: Profile) -> Iterator[Fault]:
    for value in [*g.inputs, *g.outputs]:
        kind = value.type.tensor_type.elem_type
        if kind != TensorProto.FLOAT:
            yield value.name, f"type is {type_name(kind)}, expected FLOAT"


@RULES.add(
    "operator-simple",
    Cost.BUNDLE,
    "every operator is one that the exporter writes or that only moves values",
    "write it with these operators",
)
def operator_simple(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        if node.op not in OPERATORS:
            yield node.name, f"operator is {node.op}, expected one of {', '.join(sorted(OPERATORS))}"


@RULES.add(
    "one-file",
    Cost.BUNDLE,
    "no data lie beside the model, where they could be lost or changed",
    "store it in the model",
)
def one_file(g: Graph, profile: Profile) -> Iterator[Fault]:
    for name, tensor in g.tensors.items():
        if tensor.data_location == TensorProto.EXTERNAL:
            yield g.label(name), "is stored in another file, expected in this one"


@RULES.add(
    "weight-symmetric",
    Cost.BUNDLE,
    "int8 weights are -127 … 127",
    "clip them, or make the scale 1/127 of the largest weight",
)
def weight_symmetric(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of("DequantizeLinear"):
        weight = g.stored(node.argument(0))
        if weight is not None and weight.dtype == "int8" and weight.min(initial=0) < -127:
            yield node.name, "weight is -128, expected -127 … 127"


@RULES.add(
    "output-dequantized",
    Cost.BUNDLE,
    "outputs are dequantized integers, so a device's answer can be compared as int8",
    "quantize and dequantize the output",
    INT8,
)
def output_dequantized(g: Graph, profile: Profile) -> Iterator[Fault]:
    for value in g.outputs:
        writer = g.producer.get(value.name)
        if writer is None or writer.op != "DequantizeLinear":
            yield value.name, "does not come from a DequantizeLinear"


@RULES.add(
    "layer-float16",
    Cost.FLOAT,
    "fp16: every layer and sum reads float16, or it runs in another precision",
    "cast the input to float16 in front of the first layer, and store weights and biases as float16",
    ("fp16",),
)
def layer_float16(g: Graph, profile: Profile) -> Iterator[Fault]:
    return _layers_not_in(g, TensorProto.FLOAT16)


@RULES.add(
    "layer-float32",
    Cost.FLOAT,
    "fp32: every layer and sum reads float32, or it runs in another precision",
    "store weights and biases as float32, and neither cast nor quantize between layers",
    ("fp32",),
)
def layer_float32(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*LINEARS, "Add"):
        for name in node.inputs:
            if _is_dequantized(g, name):
                yield node.name, f"operand {g.label(name)} is dequantized, expected float32 from a layer"
    yield from _layers_not_in(g, TensorProto.FLOAT)


def _layers_not_in(g: Graph, wanted: int) -> Iterator[Fault]:
    for node in g.of(*LINEARS, "Add"):
        for name in node.inputs:
            kind = g.type(name) if name else None
            if kind is not None and kind != wanted:
                yield node.name, f"operand {g.label(name)} is {type_name(kind)}, expected {type_name(wanted)}"
