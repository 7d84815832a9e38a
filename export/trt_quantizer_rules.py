# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rules of QuantizeLinear and DequantizeLinear: scales, zero-points, axes, what stands around them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdp_edge.exporters.trt_graph import MOVES, QUANTIZERS, RESHAPES, Graph, Node
from kdp_edge.exporters.trt_rule import Cost, Fault, Profile, Rules
from kdp_edge.exporters.trt_tensor import FLOATS, FP8, QUANTIZED, type_name

RULES = Rules()
WEIGHTED = ("Gemm", "MatMul", "Conv", "ConvTranspose")


def _numbers(value: np.ndarray) -> np.ndarray:
    """As float64, so float16, bfloat16, int4 and float8 compare like any other."""
    return value.astype(np.float64) if value.dtype.kind not in "OSUc" else np.full(value.shape, np.nan)


@RULES.add(
    "scale-constant",
    Cost.WRONG,
    "a scale is a constant; one that the inputs decide is accepted and not used as a scale",
    "calibrate, and store the scale in the model",
)
def scale_constant(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        name = node.argument(1)
        if g.exists(name) and name not in g.fixed:
            yield node.name, f"scale {g.label(name)} is computed from inputs, expected a constant"


@RULES.add(
    "scale-positive",
    Cost.REJECTED,
    "a scale holds at least one number, all of a float type and above 0",
    "calibrate again; a range of 0 needs any positive scale",
)
def scale_positive(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        scale, kind = g.value(node.argument(1)), g.type(node.argument(1))
        if kind is not None and kind not in FLOATS:
            yield node.name, f"scale is {type_name(kind)}, expected FLOAT"
        elif scale is not None and scale.size == 0:
            yield node.name, "scale has no number, expected at least 1"
        elif scale is not None and not (_numbers(scale) > 0).all():
            yield node.name, f"scale is {_range(scale)}, expected above 0"


@RULES.add(
    "scale-finite",
    Cost.WRONG,
    "a scale is finite; with an infinite one everything becomes 0",
    "calibrate again without inf in the data",
)
def scale_finite(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        scale = g.value(node.argument(1))
        if scale is not None and np.isposinf(_numbers(scale)).any():
            yield node.name, f"scale is {_range(scale)}, expected a finite number"


@RULES.add(
    "scale-agrees",
    Cost.WRONG,
    "a value is dequantized with the scale with which it was quantized, or it is another value",
    "give both the same scale",
)
def scale_agrees(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of("DequantizeLinear"):
        writer = g.producer.get(g.source(node.argument(0), *MOVES))
        if writer is None or writer.op != "QuantizeLinear":
            continue
        there, here = g.value(writer.argument(1)), g.value(node.argument(1))
        if there is not None and here is not None and not _equal(there, here):
            yield node.name, f"scale is {_range(here)}, {writer.name} has {_range(there)}"


@RULES.add(
    "scale-shape",
    Cost.REJECTED,
    "a scale is one number, or one number per channel of its axis",
    "store it with shape [] or [channels]",
)
def scale_shape(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        scale, shape = g.value(node.argument(1)), g.shape(node.argument(0))
        if scale is None or scale.size == 0 or (scale.ndim <= 1 and scale.size == 1):
            continue
        if scale.ndim > 1:
            yield node.name, f"scale has shape {list(scale.shape)}, expected [] or [channels]"
        elif shape is not None:
            axis = _axis(node, profile)
            if not -len(shape) <= axis < len(shape):
                yield node.name, f"axis is {axis}, expected one of {len(shape)} dimensions"
            elif shape[axis] not in (None, scale.size):
                yield node.name, f"scale has {scale.size} numbers, axis {axis} has {shape[axis]} channels"


@RULES.add(
    "axis-written",
    Cost.WRONG,
    "the axis of per-channel scales is written down where a release's default is not ONNX's 1",
    "set axis",
)
def axis_written(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        scale = g.value(node.argument(1))
        if (
            scale is not None
            and scale.size > 1
            and "axis" not in node.attributes
            and profile.default_axis != 1
        ):
            yield node.name, f"axis is left out: ONNX means 1, {profile.name} takes {profile.default_axis}"


@RULES.add(
    "activation-scale",
    Cost.WRONG,
    "an activation has one scale; several are accepted in silence",
    "calibrate it per tensor",
)
def activation_scale(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        scale = g.value(node.argument(1))
        if scale is not None and scale.size > 1 and node.argument(0) not in g.fixed:
            yield node.name, f"has {scale.size} scales for an activation, expected 1"


@RULES.add(
    "zero-point-constant",
    Cost.REJECTED,
    "a zero-point is a constant",
    "store int8 0",
)
def zero_point_constant(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        name = node.argument(2)
        if g.exists(name) and name not in g.fixed:
            yield node.name, f"zero-point {g.label(name)} is computed from inputs, expected a constant"


@RULES.add(
    "zero-point-zero",
    Cost.REJECTED,
    "every zero-point is 0",
    "quantize symmetrically",
)
def zero_point_zero(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        zero = g.value(node.argument(2))
        if zero is not None and zero.size and _numbers(zero).any():
            yield node.name, f"zero-point is {_range(zero)}, expected 0"


@RULES.add(
    "zero-point-type",
    Cost.WRONG,
    "a zero-point is int8; a uint8 one, which a QuantizeLinear without one means, is read as int8",
    "add an int8 zero-point of 0",
)
def zero_point_type(g: Graph, profile: Profile) -> Iterator[Fault]:
    allowed = ", ".join(sorted(map(type_name, profile.integers)))
    for node in g.of(*QUANTIZERS):
        if not node.argument(2):
            if (
                node.op == "QuantizeLinear"
                and node.argument(1)
                and node.integer("output_dtype", 0) not in profile.integers
            ):
                yield node.name, f"zero-point is left out, which means UINT8; expected one of {allowed}"
            continue
        kind = g.type_of_zero_point(node)
        if kind is not None and kind not in profile.integers:
            yield node.name, f"zero-point is {type_name(kind)}, expected one of {allowed}"


@RULES.add(
    "zero-point-size",
    Cost.REJECTED,
    "a zero-point has as many numbers as its scale",
    "store one 0 per scale",
)
def zero_point_size(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        scale, zero = g.value(node.argument(1)), g.value(node.argument(2))
        if scale is not None and zero is not None and scale.size != zero.size:
            yield node.name, f"zero-point has {zero.size} numbers, expected {scale.size} as the scale has"


@RULES.add(
    "quantizer-input",
    Cost.REJECTED,
    "QuantizeLinear reads floats, DequantizeLinear int8; int32, a habit for biases, is rejected",
    "keep biases float, and cast what is not float",
)
def quantizer_input(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*QUANTIZERS):
        kind = g.type(node.argument(0))
        expected = FLOATS if node.op == "QuantizeLinear" else QUANTIZED
        if kind is not None and kind not in expected:
            names = "FLOAT" if expected is FLOATS else "INT8"
            yield node.name, f"{node.op} reads {type_name(kind)}, expected {names}"


@RULES.add(
    "quantizer-name",
    Cost.REJECTED,
    "a quantizer's name is not that of an earlier node or of a constant that is read before it",
    "rename the node",
)
def quantizer_name(g: Graph, profile: Profile) -> Iterator[Fault]:
    taken: set[str] = set()
    for node in g.order:
        quantizes = node.op in QUANTIZERS
        read = node.inputs[:2] if quantizes else node.inputs
        taken |= {g.label(name) for name in read if name in g.tensors}
        if quantizes and node.proto.name in taken:
            yield node.name, "has a name that is taken by a node or constant before it, expected its own"
        if node.op != "Constant" and node.proto.name:
            taken.add(node.proto.name)


@RULES.add(
    "int8-constant",
    Cost.REJECTED,
    "an int8 constant is read by DequantizeLinear directly",
    "move what stands between behind the DequantizeLinear, or apply it to the stored weight",
)
def int8_constant(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        for index, name in enumerate(node.inputs):
            if name not in g.tensors or g.tensors[name].data_type not in QUANTIZED:
                continue
            if (node.op in QUANTIZERS and index == 2) or (node.op == "DequantizeLinear" and index == 0):
                continue
            readers = [one for output in node.outputs for one in g.readers.get(output, [])]
            if node.op == "Identity" and readers and all(r.op in QUANTIZERS and i == 2 for r, i in readers):
                continue  # a zero-point
            yield (
                node.name,
                f"{node.op} reads the {type_name(g.tensors[name].data_type)} constant {g.label(name)}",
            )


@RULES.add(
    "quantized-types",
    Cost.REJECTED,
    "both operands of a layer are quantized to the same type, or the weight alone is",
    "quantize both to int8",
)
def quantized_types(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*WEIGHTED):
        kinds = [
            g.type(found[-1].argument(0))
            for name in node.inputs[:2]
            if (found := _dequantizer(g, name)) is not None
        ]
        if len(kinds) == 2 and FP8 in kinds and kinds[0] != kinds[1]:
            names = ", ".join(type_name(kind or 0) for kind in kinds)
            yield node.name, f"operands are {names}, expected one type"


@RULES.add(
    "weight-axis",
    Cost.WRONG,
    "a weight's scales lie along its output channels; along another axis they fit a square matrix by chance",
    "quantize the weight per output channel",
)
def weight_axis(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*WEIGHTED):
        for operand in (1, 0):
            found = _dequantizer(g, node.argument(operand))
            if found is None or found[-1].argument(0) not in g.fixed:
                continue
            reader, moves = found[-1], found[:-1]
            scale, shape = g.value(reader.argument(1)), g.shape(reader.argument(0))
            if scale is None or scale.ndim != 1 or scale.size < 2 or not shape:
                continue
            if "axis" not in reader.attributes and profile.default_axis != 1:
                continue  # the rule axis-written
            expected = _moved_back(_output_axis(node, operand, len(shape)), moves, len(shape))
            axis = _axis(reader, profile)
            if expected is not None and -len(shape) <= axis < len(shape) and axis % len(shape) != expected:
                yield reader.name, f"axis is {axis}, expected {expected} for {node.op} {node.name}"


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(np.ravel(_numbers(one)), np.ravel(_numbers(other)), equal_nan=True)


def _dequantizer(g: Graph, name: str) -> list[Node] | None:
    """The moves that lead to `name` and, as the last of the list, the DequantizeLinear they begin with."""
    moves = g.chain(name, "Cast", *MOVES)
    writer = g.producer.get(g.source(name, "Cast", *MOVES))
    return [*moves, writer] if writer is not None and writer.op == "DequantizeLinear" else None


def _axis(node: Node, profile: Profile) -> int:
    return node.integer("axis", profile.default_axis)


def _output_axis(node: Node, operand: int, dimensions: int) -> int | None:
    """The axis of a weight along which its outputs lie; None where there is none."""
    if node.op == "Gemm":
        transposed = node.integer("transB" if operand else "transA", 0)
        return int(operand != transposed) if dimensions == 2 else None
    if node.op == "MatMul":
        return dimensions - (1 if operand else 2) if dimensions > 1 else None
    if operand == 0 or (node.op == "ConvTranspose" and node.integer("group", 1) != 1):
        return None
    return 0 if node.op == "Conv" else 1


def _moved_back(axis: int | None, moves: list[Node], dimensions: int) -> int | None:
    """Where an axis was before the moves, the last one first; None when not known."""
    for node in moves:
        if axis is None or node.op in RESHAPES:
            return None
        if node.op == "Transpose":
            permutation = node.integers("perm") or list(range(dimensions))[::-1]
            axis = permutation[axis] if axis < len(permutation) else None
    return axis


def _range(value: np.ndarray) -> str:
    numbers = _numbers(value)
    return (
        f"{numbers.min():g}" if numbers.min() == numbers.max() else f"{numbers.min():g} … {numbers.max():g}"
    )
