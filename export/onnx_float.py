# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An integer net's function without its rounding, as ONNX in float32 or float16: engines beside int8.

The operations and the interface are the integer net's: float32 in units, so that a device feeds the same int8
and reads the answers as int8. Between the two nothing is rounded to steps and nothing is clipped. The layers
are the trained ones where they are at hand (`quantization/trained.py`).
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from kdp_edge.exporters.onnx_format import INPUT, NetGraph
from kdp_edge.quantization.float_net import Layer, Layers
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear
from kdp_edge.quantization.tables import function

_KINDS = {"tanh": "Tanh", "elu": "Elu"}


def dequantized(net: IntegerNet) -> dict[str, Layer]:
    """The layers that the integers stand for."""
    layers = {}
    for op in net.linears:
        step = np.float64(net.scales[op.input]) * op.weight_scale
        weight = op.weight * op.weight_scale[:, None]
        layers[op.name] = Layer(weight.astype(np.float32), (op.bias * step).astype(np.float32))
    return layers


def to_float(net: IntegerNet, layers: Layers, half: bool = False) -> bytes:
    """The ONNX file: float32 [batch, n] -> float32 [batch, m] in units, all layers in float16 if `half`."""
    graph = NetGraph(net)
    kind = np.float16 if half else np.float32
    values = {net.input_name: INPUT}
    if half:
        values[net.input_name] = graph.node("Cast", [INPUT], "input.half", to=TensorProto.FLOAT16)
    for op in net.operations:
        if isinstance(op, Linear):
            layer = layers[op.name]
            names = [f"{op.name}.weight", f"{op.name}.bias"]
            for name, array in zip(names, (layer.weight, layer.bias), strict=True):
                graph.constant(name, array.astype(kind))
            result = graph.node("Gemm", [values[op.input], *names], f"{op.output}.sum", transB=1)
        elif isinstance(op, Add):
            result = graph.node("Add", [values[op.left], values[op.right]], f"{op.output}.sum")
        else:
            result = graph.node(_KINDS[op.kind], [values[op.input]], f"{op.output}.table")
        if isinstance(op, Linear | Add) and op.relu:
            result = graph.node("Relu", [result], f"{op.output}.relu")
        values[op.output] = result
    answer = values[net.output_name]
    if half:
        answer = graph.node("Cast", [answer], "output.float", to=TensorProto.FLOAT)
    scale = np.float32(net.scales[net.output_name])
    bounds = [graph.constant(f"span.{q}", np.float32(q * scale)) for q in (-128, 127)]
    graph.node("Clip", [answer, *bounds], "output.clipped")  # to what int8 can say
    return graph.finish()


def run_float(net: IntegerNet, layers: Layers, inputs: np.ndarray) -> np.ndarray:
    """What both files mean: int8 [batch, input_size] -> float64 [batch, output_size] in int8 steps."""
    values = {net.input_name: inputs * np.float64(net.scales[net.input_name])}
    for op in net.operations:
        if isinstance(op, Linear):
            layer = layers[op.name]
            result = values[op.input] @ layer.weight.T.astype(np.float64) + layer.bias
        elif isinstance(op, Add):
            result = values[op.left] + values[op.right]
        else:
            result = function(op.kind, values[op.input])
        values[op.output] = np.maximum(result, 0) if isinstance(op, Linear | Add) and op.relu else result
    return np.asarray((values[net.output_name] / np.float64(net.scales[net.output_name])).clip(-128, 127))
