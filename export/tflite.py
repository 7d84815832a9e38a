# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Integer net -> int8 .tflite, written directly with FlatBuffers and TensorFlow Lite's own schema.

No converter runs and no number is computed again: weights, biases and scales are those of the
integer net, so the TFLite-Micro interpreter must give the same bytes as the integer reference.
The schema comes from the tflite-micro wheel; without it, importing this file raises `KdpError`.
Format: TensorFlow Lite schema version 3; 8-bit quantization specification, symmetric activations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Table

try:
    import flatbuffers
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema
except ImportError as problem:
    raise KdpError(
        f"target tflm needs the package tflite-micro ({problem}): pip install 'kdp-edge[tflm]' (from a "
        "clone: pip install -e '.[tflm]'); it is published for Linux on x86-64 only, other targets do without"
    ) from None

IDENTIFIER = b"TFL3"
# the operator versions that carry int8 with the options used here
OPERATOR_VERSIONS = {"FULLY_CONNECTED": 4, "ADD": 2, "TANH": 2, "ELU": 1}


def to_tflite(net: IntegerNet) -> bytes:
    """The model file of `net`, batch 1: one int8 input [1, n], one int8 output [1, m]."""
    writer = _Writer(schema)
    sizes = net.sizes()
    for name, size in sizes.items():
        writer.activation(name, size, net.scales[name])
    for op in net.operations:
        if isinstance(op, Linear):
            writer.linear(op, net.scales[op.input])
        elif isinstance(op, Table):
            writer.table(op)
        else:
            writer.add(op)
    return writer.finish(net)


class _Writer:
    """Collects tensors, buffers and operators in the order in which they appear."""

    def __init__(self, s: Any) -> None:
        self.s = s
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [s.BufferT()]  # buffer 0 is empty by convention
        self.operators: list[Any] = []
        self.codes: list[Any] = []
        self.code_index: dict[str, int] = {}
        self.index: dict[str, int] = {}

    def activation(self, name: str, size: int, scale: np.float32) -> None:
        self._tensor(name, (1, size), self.s.TensorType.INT8, np.array([scale]))

    def linear(self, op: Linear, input_scale: np.float32) -> None:
        s = self.s
        weight = self._tensor(
            f"{op.name}.weight", op.weight.shape, s.TensorType.INT8, op.weight_scale, op.weight
        )
        bias_scale = input_scale * op.weight_scale
        bias = self._tensor(f"{op.name}.bias", op.bias.shape, s.TensorType.INT32, bias_scale, op.bias)
        options = s.FullyConnectedOptionsT()
        options.fusedActivationFunction = self._activation(op.relu)
        inputs = [self.index[op.input], weight, bias]
        self._operator("FULLY_CONNECTED", "FullyConnectedOptions", options, inputs, op.output)

    def add(self, op: Add) -> None:
        options = self.s.AddOptionsT()
        options.fusedActivationFunction = self._activation(op.relu)
        inputs = [self.index[op.left], self.index[op.right]]
        self._operator("ADD", "AddOptions", options, inputs, op.output)

    def table(self, op: Table) -> None:
        self._operator(op.kind.upper(), "NONE", None, [self.index[op.input]], op.output)

    def finish(self, net: IntegerNet) -> bytes:
        s = self.s
        graph = s.SubGraphT()
        graph.name = net.name
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [self.index[net.input_name]], [self.index[net.output_name]]
        model = s.ModelT()
        model.version = 3
        model.description = f"kdp-edge {net.name} {net.sha256()}"
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def _tensor(
        self, name: str, shape: tuple[int, ...], kind: int, scales: np.ndarray, data: np.ndarray | None = None
    ) -> int:
        s = self.s
        quantization = s.QuantizationParametersT()
        quantization.scale = [float(v) for v in scales]
        quantization.zeroPoint = [0] * len(scales)
        quantization.quantizedDimension = 0
        tensor = s.TensorT()
        tensor.name, tensor.shape, tensor.type = name, [int(n) for n in shape], kind
        tensor.quantization = quantization
        tensor.buffer = 0
        if data is not None:
            buffer = s.BufferT()
            little = np.ascontiguousarray(data, data.dtype.newbyteorder("<"))
            buffer.data = np.frombuffer(little.tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        self.tensors.append(tensor)
        self.index[name] = len(self.tensors) - 1
        return self.index[name]

    def _operator(self, name: str, options_type: str, options: Any, inputs: list[int], output: str) -> None:
        operator = self.s.OperatorT()
        operator.opcodeIndex = self._code(name)
        operator.builtinOptionsType = getattr(self.s.BuiltinOptions, options_type)
        operator.builtinOptions = options
        operator.inputs, operator.outputs = inputs, [self.index[output]]
        self.operators.append(operator)

    def _code(self, name: str) -> int:
        if name not in self.code_index:
            code = self.s.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(self.s.BuiltinOperator, name)
            code.version = OPERATOR_VERSIONS[name]
            self.codes.append(code)
            self.code_index[name] = len(self.codes) - 1
        return self.code_index[name]

    def _activation(self, relu: bool) -> int:
        kinds = self.s.ActivationFunctionType
        return int(kinds.RELU if relu else kinds.NONE)
