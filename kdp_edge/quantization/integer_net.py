# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The integer net: a quantized MLP as plain data, the one truth every exporter reads.

Number format (TensorFlow Lite 8-bit quantization specification, symmetric activations):
`real = scale * q`, q int8, zero-point 0 for every activation; weights int8 in [-127, 127] with one
float32 scale per output channel; bias int32 with scale `input_scale * weight_scale`. Scales are
never powers of two: with those, ties make runtimes that round differently disagree on half of the
outputs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path

FORMAT = "kdp-edge integer net 2"
KINDS = ("tanh", "elu")  # of tables; TensorFlow Lite has an int8 operator for each


@dataclass(frozen=True)
class Linear:
    """`output = requantize(weight @ input + bias)`, clamped to [0, 127] with relu, else [-128, 127].

    weight int8 [outputs, inputs]; weight_scale float32 [outputs]; bias int32 [outputs].
    """

    name: str
    input: str
    output: str
    weight: np.ndarray
    weight_scale: np.ndarray
    bias: np.ndarray
    relu: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the activations that it reads."""
        return (self.input,)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one evaluation."""
        return int(self.weight.size)


@dataclass(frozen=True)
class Add:
    """`output = requantize(left + right)`: the residual connection, element by element."""

    name: str
    left: str
    right: str
    output: str
    relu: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the activations that it reads."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Table:
    """`output = table[input + 128]`, element by element: an activation; table int8 [256], see `tables.py`."""

    name: str
    input: str
    output: str
    kind: str
    table: np.ndarray

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the activations that it reads."""
        return (self.input,)


Operation = Linear | Add | Table


@dataclass(frozen=True)
class IntegerNet:
    """Operations in execution order and the float32 scale of each activation tensor.

    The first operation reads `input_name`; the last one writes `output_name`. Each activation is
    an int8 vector; a batch is an int8 array [batch, size].
    """

    name: str
    operations: tuple[Operation, ...]
    scales: dict[str, np.float32]
    input_name: str
    output_name: str

    @cached_property
    def derived(self) -> dict[str, Any]:
        """What `reference.py` computes of it once, by operation; whoever changes a net makes another one."""
        return {}

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The fully connected operations, in execution order."""
        return tuple(op for op in self.operations if isinstance(op, Linear))

    @property
    def input_size(self) -> int:
        """Length of the input vector."""
        return int(self.linears[0].weight.shape[1])

    @property
    def output_size(self) -> int:
        """Length of the output vector."""
        return int(self.linears[-1].weight.shape[0])

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one forward pass at batch 1."""
        return sum(linear.macs for linear in self.linears)

    def sizes(self) -> dict[str, int]:
        """Length of every activation tensor by name."""
        sizes = {self.input_name: self.input_size}
        for op in self.operations:
            sizes[op.output] = len(op.bias) if isinstance(op, Linear) else sizes[op.inputs[0]]
        return sizes

    def sha256(self) -> str:
        """Hash of everything that decides an output: structure, integers and scales."""
        digest = hashlib.sha256(json.dumps(_structure(self), sort_keys=True).encode())
        for name, array in sorted(_arrays(self).items()):
            digest.update(name.encode() + str(array.dtype).encode() + repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def check(net: IntegerNet) -> None:
    """Raise `KdpError` when `net` breaks the number format or its graph does not connect."""
    known = {net.input_name}
    for op in net.operations:
        for name in op.inputs:
            if name not in known:
                raise KdpError(f"integer net {net.name}: {op.name} reads {name!r} before it is written")
        known.add(op.output)
        if isinstance(op, Linear):
            _check_linear(net.name, op)
        if isinstance(op, Table):
            _check_table(net.name, op)
    for name in known:
        scale = net.scales.get(name, np.float32(0))
        if not (np.isfinite(scale) and scale > 0):
            raise KdpError(f"integer net {net.name}: scale of {name!r} is {scale}, expected > 0")
    if net.operations[-1].output != net.output_name:
        raise KdpError(f"integer net {net.name}: last operation does not write {net.output_name!r}")
    sizes = net.sizes()
    for op in net.operations:
        if isinstance(op, Linear) and op.weight.shape[1] != sizes[op.input]:
            found, expected = op.weight.shape[1], sizes[op.input]
            raise KdpError(f"integer net {net.name}: {op.name} has {found} inputs, expected {expected}")
        if isinstance(op, Add) and sizes[op.left] != sizes[op.right]:
            raise KdpError(f"integer net {net.name}: {op.name} adds {sizes[op.left]} to {sizes[op.right]}")


def _check_linear(net: str, op: Linear) -> None:
    where = f"integer net {net}: {op.name}"
    outputs = op.weight.shape[0]
    for field, array, dtype, shape in (
        ("weight", op.weight, np.int8, op.weight.shape[:2]),
        ("weight_scale", op.weight_scale, np.float32, (outputs,)),
        ("bias", op.bias, np.int32, (outputs,)),
    ):
        if array.dtype != dtype or array.shape != shape:
            raise KdpError(
                f"{where}.{field} is {array.dtype}{list(array.shape)}, "
                f"expected {np.dtype(dtype)}{list(shape)}"
            )
    if op.weight.min() < -127:
        raise KdpError(f"{where}.weight holds -128, expected values in [-127, 127]")
    if not (np.isfinite(op.weight_scale).all() and (op.weight_scale > 0).all()):
        raise KdpError(f"{where}.weight_scale is not finite and positive everywhere")


def _check_table(net: str, op: Table) -> None:
    if op.kind not in KINDS:
        raise KdpError(f"integer net {net}: {op.name} is of kind {op.kind!r}, known: {', '.join(KINDS)}")
    if op.table.dtype != np.int8 or op.table.shape != (256,):
        found = f"{op.table.dtype}{list(op.table.shape)}"
        raise KdpError(f"integer net {net}: {op.name}.table is {found}, expected int8[256]")


def save(net: IntegerNet, path: Path) -> None:
    """Write `net` as one safetensors file, its structure as JSON in the header."""
    check(net)
    # one key: safetensors writes several in random order, and an export must repeat byte for byte
    metadata = {FORMAT: json.dumps(_structure(net), sort_keys=True)}
    with atomic_path(path) as temporary:
        save_file(_arrays(net), temporary, metadata=metadata)


def load(path: Path) -> IntegerNet:
    """Read a net written by `save`; a missing or damaged file becomes a `KdpError`."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file; run `kdp-edge quantize` first") from None
    except SafetensorError as error:
        raise KdpError(f"{path}: damaged safetensors file ({error}); quantize again") from None
    if FORMAT not in metadata:
        raise KdpError(f"{path}: format is {sorted(metadata)}, expected {FORMAT!r}; quantize again")
    try:
        net = _rebuild(json.loads(metadata[FORMAT]), arrays)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise KdpError(f"{path}: the net's structure is incomplete ({error}); quantize again") from None
    check(net)
    return net


def _structure(net: IntegerNet) -> dict[str, Any]:
    operations = [_fields(op) for op in net.operations]
    return {
        "name": net.name,
        "input": net.input_name,
        "output": net.output_name,
        "operations": operations,
        "activations": sorted(net.scales),
    }


def _fields(op: Operation) -> dict[str, Any]:
    """What decides an operation besides its arrays."""
    if isinstance(op, Linear):
        return {"op": "linear", "name": op.name, "input": op.input, "output": op.output, "relu": op.relu}
    if isinstance(op, Table):
        return {"op": "table", "name": op.name, "input": op.input, "output": op.output, "kind": op.kind}
    names = {"op": "add", "name": op.name, "left": op.left, "right": op.right}
    return names | {"output": op.output, "relu": op.relu}


def _arrays(net: IntegerNet) -> dict[str, np.ndarray]:
    arrays = {"activation_scales": np.array([net.scales[n] for n in sorted(net.scales)], np.float32)}
    for linear in net.linears:
        arrays[f"{linear.name}.weight"] = linear.weight
        arrays[f"{linear.name}.weight_scale"] = linear.weight_scale
        arrays[f"{linear.name}.bias"] = linear.bias
    for op in net.operations:
        if isinstance(op, Table):
            arrays[f"{op.name}.table"] = op.table
    return arrays


def _rebuild(structure: dict[str, Any], arrays: dict[str, np.ndarray]) -> IntegerNet:
    operations: list[Operation] = []
    for op in structure["operations"]:
        if op["op"] == "linear":
            weight, scale, bias = (arrays[f"{op['name']}.{f}"] for f in ("weight", "weight_scale", "bias"))
            operations.append(Linear(op["name"], op["input"], op["output"], weight, scale, bias, op["relu"]))
        elif op["op"] == "table":
            table = arrays[f"{op['name']}.table"]
            operations.append(Table(op["name"], op["input"], op["output"], op["kind"], table))
        else:
            operations.append(Add(op["name"], op["left"], op["right"], op["output"], op["relu"]))
    scales = dict(zip(structure["activations"], arrays["activation_scales"], strict=True))
    return IntegerNet(structure["name"], tuple(operations), scales, structure["input"], structure["output"])
