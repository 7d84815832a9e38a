# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An actor from an ONNX file: its graph is walked node by node, nothing in it is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from kdp_edge.actors.builder import Builder, Value
from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_actor import Actor

SAME = ("Identity", "Flatten", "Dropout", "Cast")  # of one row of numbers
ACTIVATIONS = {"Relu": "relu", "Tanh": "tanh", "Elu": "elu", "Sigmoid": "sigmoid"}
CONSTANT: dict[str, Callable[..., np.ndarray]] = {  # of constants alone
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Neg": np.negative,
    "Sqrt": np.sqrt, "Reciprocal": np.reciprocal,
}  # fmt: skip
RULES = {
    "LayerNormalization": "a layer norm divides by a spread of the moment, which has no integer form; "
    "normalise observations instead",
    "Softmax": "a softmax chooses among discrete actions; a robot has continuous ones",
    "LSTM": "an actor keeps no memory between observations",
    "GRU": "an actor keeps no memory between observations",
    "Conv": "pictures are not carried, vectors are",
}

Known = Value | np.ndarray


def read_onnx(path: Path, observations: int, actions: int) -> Actor:
    """The actor whose input is the graph's only one and whose answer is the graph's first output.

    Raises:
        KdpError: unreadable, other sizes, or a node that cannot be carried: which one, and why.
    """
    graph = _graph(path)
    known: dict[str, Known] = {one.name: _constant(one, path) for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in known]
    if len(inputs) != 1 or not graph.output:
        names = ", ".join(one.name for one in inputs) or "none"
        raise KdpError(f"{path}: its inputs are {names}, expected one: the observation")
    _check_size(inputs[0], observations, "observations", path)
    builder = Builder(observations, str(path))
    known[inputs[0].name] = builder.observation()
    wanted = _needed(graph)
    for node in graph.node:
        if wanted.isdisjoint(node.output):
            continue
        name = f"{node.op_type} '{node.name or node.output[0]}'"
        missing = [one for one in node.input if one and one not in known]
        if missing:
            raise KdpError(f"{path}: {name} reads '{missing[0]}', which nothing writes before it")
        known[node.output[0]] = _apply(builder, node, name, [known[one] for one in node.input if one])
    answer = known.get(graph.output[0].name)
    if not isinstance(answer, Value):
        raise KdpError(f"{path}: its output {graph.output[0].name} does not depend on the observation")
    return builder.actor(answer, actions)


def _graph(path: Path) -> onnx.GraphProto:
    try:
        return onnx.load(str(path), load_external_data=False).graph
    except (DecodeError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or ["?"])[0]
        raise KdpError(f"{path}: not a readable ONNX file ({reason})") from None


def _constant(tensor: onnx.TensorProto, path: Path) -> np.ndarray:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise KdpError(
            f"{path}: tensor {tensor.name} is in another file; export with weights inside the model"
        )
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, MemoryError, KeyError) as error:
        raise KdpError(f"{path}: tensor {tensor.name} is damaged ({error})") from None


def _check_size(one: onnx.ValueInfoProto, wanted: int, what: str, path: Path) -> None:
    dims = one.type.tensor_type.shape.dim
    size = dims[-1].dim_value if dims else 0
    if size and size != wanted:
        raise KdpError(f"{path}: input {one.name} has {size} numbers, the robot has {wanted} {what}")


def _needed(graph: onnx.GraphProto) -> set[str]:
    """Names on the way to the first output: other heads (values, log probabilities) are left alone."""
    needed = {graph.output[0].name}
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
    return needed


def _apply(builder: Builder, node: onnx.NodeProto, name: str, values: list[Known]) -> Known:
    options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    kind = node.op_type
    if kind == "Constant":
        if "value" not in options:
            number = next(iter(options.values()), 0.0)
            return np.asarray(number, np.float64)
        return _constant(options["value"], Path(builder.where))
    if not any(isinstance(value, Value) for value in values):
        if kind in CONSTANT:
            return np.asarray(CONSTANT[kind](*values))
        if kind in SAME and values:
            return values[0]
    if node.domain not in ("", "ai.onnx"):
        raise builder.refuse(name, f"operators of {node.domain} are not carried")
    if kind in SAME and isinstance(values[0], Value):
        return values[0]
    if kind in ACTIVATIONS and isinstance(values[0], Value):
        if kind == "Elu" and options.get("alpha", 1.0) != 1.0:
            raise builder.refuse(name, f"alpha is {options['alpha']:g}; only an ELU with alpha 1 has a table")
        return builder.activation(name, values[0], ACTIVATIONS[kind])
    if kind in ("Gemm", "MatMul") and isinstance(values[0], Value):
        return _linear(builder, name, values, options)
    if kind in ("Add", "Sub", "Mul", "Div", "Neg"):
        return _pointwise(builder, kind, name, values)
    if kind == "Clip" and isinstance(values[0], Value):
        low, high = _bounds(node, options, values)
        return builder.clipped(name, values[0], low, high)
    builder.count += 1
    raise builder.refuse(
        name, RULES.get(kind, "has no integer form here; docs/your-policy.md lists what has")
    )


def _linear(builder: Builder, name: str, values: list[Known], options: dict[str, Any]) -> Value:
    source, weight = values[0], values[1]
    if not isinstance(source, Value) or isinstance(weight, Value) or options.get("transA"):
        raise builder.refuse(name, "multiplies two results; only constant weights are carried")
    matrix = weight if options.get("transB") else weight.T
    bias = None
    if len(values) > 2:
        if isinstance(values[2], Value):
            raise builder.refuse(name, "its bias is computed; only constant ones are carried")
        bias = options.get("beta", 1.0) * np.atleast_1d(np.squeeze(values[2]))
        bias = np.broadcast_to(bias, (len(matrix),)) if bias.size == 1 else bias
    return builder.dense(name, source, options.get("alpha", 1.0) * np.asarray(matrix, np.float64), bias)


def _pointwise(builder: Builder, kind: str, name: str, values: list[Known]) -> Value:
    if kind == "Neg" and isinstance(values[0], Value):
        return builder.affine(name, values[0], -1.0, 0.0)
    left, right = values
    if isinstance(left, Value) and isinstance(right, Value):
        if kind == "Sub":
            return builder.sum(name, left, builder.affine(name, right, -1.0, 0.0))
        if kind != "Add":
            raise builder.refuse(name, "multiplies two results; only constant factors are carried")
        return builder.sum(name, left, right)
    if isinstance(left, Value) and not isinstance(right, Value):
        return _with_constant(builder, kind, name, left, _row(right))
    assert isinstance(right, Value) and not isinstance(left, Value)
    if kind == "Div":
        raise builder.refuse(name, "divides by a result, which has no integer form")
    if kind == "Sub":
        return builder.affine(name, right, -1.0, _row(left))
    return _with_constant(builder, kind, name, right, _row(left))


def _with_constant(builder: Builder, kind: str, name: str, value: Value, constant: np.ndarray) -> Value:
    if kind in ("Add", "Sub"):
        return builder.affine(name, value, 1.0, constant if kind == "Add" else -constant)
    if kind == "Div" and not constant.all():
        raise builder.refuse(name, "divides by 0")
    return builder.affine(name, value, constant if kind == "Mul" else 1 / constant, 0.0)


def _row(constant: np.ndarray) -> np.ndarray:
    """A constant that may have a batch dimension of 1, as one row or one number."""
    return np.asarray(np.squeeze(constant), np.float64)


def _bounds(node: onnx.NodeProto, options: dict[str, Any], values: list[Known]) -> tuple[float, float]:
    if "min" in options or "max" in options:
        return float(options.get("min", -np.inf)), float(options.get("max", np.inf))
    rest, bounds = iter(values[1:]), []
    for position, otherwise in ((1, -np.inf), (2, np.inf)):
        given = len(node.input) > position and node.input[position]
        bounds.append(float(np.asarray(next(rest)).squeeze()) if given else otherwise)
    return bounds[0], bounds[1]
