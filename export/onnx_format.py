# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Integer net -> ONNX, in two forms with the same interface: float32 [batch, n] -> float32 [batch, m].

Inputs and outputs are in units (real = scale * q), so feeding `q * scale` gives exactly the integers
q inside, and outputs divided by their scale are integers.

`to_qdq`      QuantizeLinear/DequantizeLinear around float operators: what TensorRT turns into int8
              kernels. Such runtimes round a sum once; the reference rounds twice.
`to_integer`  MatMulInteger and exact float64 requantization: the reference's own arithmetic, every
              output equal on any CPU. (QGemm, the fused operator of ONNX Runtime, rounds once: on
              trained nets 12 % of its outputs differ from the reference, by up to 10 steps.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kdp_edge.quantization import reference
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Table

OPSET = 19  # TensorRT 10.3 (JetPack 6) to 11; every ONNX Runtime since 1.15
IR_VERSION = 9
INPUT, OUTPUT = "input", "output"
OPERATORS = {"tanh": "Tanh", "elu": "Elu"}  # of tables, in the Q/DQ form
SIGNED = 128  # zero-point of an unsigned activation that may be negative; after a ReLU it is 0
# larger than the float64 error of a rounded product, smaller than any distance between two of them
_NUDGE = 1 + 2.0**-30


def to_qdq(net: IntegerNet) -> bytes:
    """The explicit Q/DQ form: int8 everywhere, zero-point 0, per-channel weights, float bias."""
    graph = NetGraph(net)
    graph.node("QuantizeLinear", [INPUT, *graph.scale(net.input_name)], f"{net.input_name}.q")
    for op in net.operations:
        if isinstance(op, Linear):
            _qdq_linear(graph, op)
        elif isinstance(op, Table):
            _qdq_result(graph, OPERATORS[op.kind], [graph.dequantized(op.input)], op.output, relu=False)
        else:
            inputs = [graph.dequantized(name) for name in (op.left, op.right)]
            _qdq_result(graph, "Add", inputs, op.output, op.relu)
    graph.dequantized(net.output_name)
    return graph.finish()


def rounding_bias(net: IntegerNet, op: Linear) -> np.ndarray:
    """What makes one rounding equal two, in steps of the output: float64 [outputs].

    The reference rounds to 2**-r of a step first and to a step second, halves upwards: for positive
    sums the same as adding 2**-(r+1) of a step and rounding once. Negative sums would need the
    opposite sign, so this holds after ReLU only and is 0 elsewhere.
    """
    _, shift = reference.linear_multipliers(net, op)
    return np.exp2(shift - 1.0) if op.relu else np.zeros(len(shift))


def run_rounding_once(net: IntegerNet, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the Q/DQ form means, in exact arithmetic.

    Args:
        inputs: int8 [batch, input_size].
    Returns:
        Outputs int8 [batch, output_size], and float64 [batch]: how far, in output steps, the closest
        rounding of that input was from going the other way. float32 errors decide the smallest ones.
    """
    values, decided = {net.input_name: inputs}, np.full(len(inputs), 0.5)
    for op in net.operations:
        if isinstance(op, Linear):
            sums = values[op.input].astype(np.float64) @ op.weight.T.astype(np.float64) + op.bias
            gain = np.float64(net.scales[op.input]) * op.weight_scale / np.float64(net.scales[op.output])
            steps = sums * gain + rounding_bias(net, op)
        elif isinstance(op, Table):  # no entry is near a half, see `tables.py`
            values[op.output] = reference.look_up(op, values[op.input])
            continue
        else:
            left, right = (values[n] * np.float64(net.scales[n]) for n in (op.left, op.right))
            steps = (left + right) / np.float64(net.scales[op.output])
        steps = steps.clip(0 if op.relu else -128, 127)
        values[op.output] = np.rint(steps).astype(np.int8)
        decided = np.minimum(decided, np.abs(steps % 1 - 0.5).min(1))
    return values[net.output_name], decided


def _qdq_linear(graph: NetGraph, op: Linear) -> None:
    net, name = graph.net, op.name
    weight = graph.constant(f"{name}.weight", op.weight)
    scale = graph.constant(f"{name}.weight.scale", op.weight_scale)
    zero = graph.constant(f"{name}.weight.zero", np.zeros(len(op.bias), np.int8))
    graph.node("DequantizeLinear", [weight, scale, zero], f"{name}.weight.dq", axis=0)
    step = np.float64(net.scales[op.input]) * op.weight_scale.astype(np.float64)
    bias = op.bias * step + rounding_bias(net, op) * np.float64(net.scales[op.output])
    inputs = [
        graph.dequantized(op.input),
        f"{name}.weight.dq",
        graph.constant(f"{name}.bias", bias.astype(np.float32)),
    ]
    _qdq_result(graph, "Gemm", inputs, op.output, op.relu, transB=1)


def _qdq_result(
    graph: NetGraph, kind: str, inputs: list[str], output: str, relu: bool, **options: int
) -> None:
    result = f"{output}.sum" if relu else f"{output}.real"
    graph.node(kind, inputs, result, **options)
    if relu:
        result = graph.node("Relu", [result], f"{output}.real")
    graph.node("QuantizeLinear", [result, *graph.scale(output)], f"{output}.q")


def to_integer(net: IntegerNet) -> bytes:
    """The exact form: int8 weights, int32 sums, and the reference's two roundings in float64."""
    graph = NetGraph(net)
    # x86 has fast kernels for unsigned inputs: 128 is added to what may be negative, ReLU needs nothing
    scale = graph.scale(net.input_name)[0]
    graph.node("QuantizeLinear", [INPUT, scale, graph.constant("128", np.uint8(128))], f"{net.input_name}.u8")
    graph.zeros[net.input_name] = SIGNED
    for op in net.operations:
        if isinstance(op, Linear):
            _integer_linear(graph, op)
        elif isinstance(op, Table):
            _integer_table(graph, op)
        else:
            _integer_add(graph, op)
    graph.node("Cast", [graph.f64(net.output_name)], f"{net.output_name}.q", to=TensorProto.INT8)
    graph.dequantized(net.output_name)
    return graph.finish()


def _integer_linear(graph: NetGraph, op: Linear) -> None:
    name, net = op.name, graph.net
    multiplier, shift = reference.linear_multipliers(net, op)
    gain = multiplier.astype(np.float64) / 2**31  # sums * gain are exact: 22 + 31 bits fit in 53
    weight, zeros = np.ascontiguousarray(op.weight.T), []
    source = graph.u8(op.input)
    if graph.zeros[op.input] == SIGNED:
        # inputs above 127 times signed weights saturate on x86 without VNNI; unsigned weights do not
        weight, zeros = (weight.astype(np.int16) + 128).astype(np.uint8), ["128", "128"]
    inputs = [source, graph.constant(f"{name}.weight", weight), *zeros]
    graph.node("MatMulInteger", inputs, f"{name}.products")
    graph.node("Cast", [f"{name}.products"], f"{name}.real", to=TensorProto.DOUBLE)
    power = np.exp2(shift.astype(np.float64))
    if op.relu:
        # both roundings in one: floor(x + 2**-(r+1) + 1/2), the floor by the cast of a positive number
        offset = op.bias * gain * power + rounding_bias(net, op) + 0.5
        steps = graph.scaled(f"{name}.real", f"{name}.steps", gain * power, offset)
        clipped = graph.clipped(steps, 0, f"{name}.clipped")
        graph.node("Cast", [clipped], f"{op.output}.u8", to=TensorProto.UINT8)
    else:
        high = graph.scaled(f"{name}.real", f"{name}.high", gain, op.bias * gain)
        graph.node("Round", [high], f"{name}.rounded")
        # halves go away from zero; Round takes them to even, so they are pushed outwards first
        low = graph.scaled(f"{name}.rounded", f"{name}.low", power * _NUDGE)
        graph.node("Round", [low], f"{name}.steps")
        graph.clipped(f"{name}.steps", -128, f"{op.output}.f64")
    graph.zeros[op.output] = 0 if op.relu else SIGNED


def _integer_add(graph: NetGraph, op: Add) -> None:
    """The sum of two int8 by table: the reference's result for every pair, 64 KiB."""
    left, right = np.divmod(np.arange(1 << 16), 256) - np.array([[128], [128]])
    total = reference.add(graph.net, op, left.astype(np.int8), right.astype(np.int8))
    row = graph.scaled(graph.f64(op.left), f"{op.name}.row", np.float64(256), np.float64(128 * 256 + 128))
    graph.node("Add", [row, graph.f64(op.right)], f"{op.name}.pair")
    _gathered(graph, f"{op.name}.pair", op, total.clip(0 if op.relu else -128, 127), signed=not op.relu)


def _integer_table(graph: NetGraph, op: Table) -> None:
    index = graph.f64(op.input)
    graph.node("Add", [index, graph.constant("offset.128", np.float64(128))], f"{op.name}.row")
    _gathered(graph, f"{op.name}.row", op, op.table.astype(np.int64), signed=True)


def _gathered(graph: NetGraph, row: str, op: Add | Table, values: np.ndarray, signed: bool) -> None:
    """The output of `op`: what `values` holds at the rows."""
    graph.node("Cast", [row], f"{op.name}.index", to=TensorProto.INT32)
    graph.zeros[op.output] = SIGNED if signed else 0
    table = graph.constant(f"{op.name}.table", (values + graph.zeros[op.output]).astype(np.uint8))
    graph.node("Gather", [table, f"{op.name}.index"], f"{op.output}.u8")


class NetGraph:
    """Nodes and constants in order of use; activations of the net are called `<name>.<form>`.

    Forms: q (int8), dq (float32 from q), u8 (plus its entry in `zeros`: 0 or 128), f64 (integers as float64).
    """

    def __init__(self, net: IntegerNet) -> None:
        self.net = net
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.outputs: set[str] = set()
        self.zeros: dict[str, int] = {}

    def node(self, kind: str, inputs: list[str], output: str, **options: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}.{kind}", **options))
        self.outputs.add(output)
        return output

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.asarray(value), name))
        return name

    def scale(self, activation: str) -> list[str]:
        """Scale and zero-point of an activation."""
        scale = self.constant(f"{activation}.scale", np.float32(self.net.scales[activation]))
        return [scale, self.constant("zero", np.int8(0))]

    def dequantized(self, activation: str) -> str:
        name = f"{activation}.dq"
        if name not in self.outputs:
            self.node("DequantizeLinear", [f"{activation}.q", *self.scale(activation)], name)
        return name

    def f64(self, activation: str) -> str:
        name = f"{activation}.f64"
        if name not in self.outputs:
            zero = self.zeros[activation]
            whole = f"{activation}.whole" if zero else name
            self.node("Cast", [f"{activation}.u8"], whole, to=TensorProto.DOUBLE)
            if zero:
                self.node("Sub", [whole, self.constant("offset.128", np.float64(zero))], name)
        return name

    def u8(self, activation: str) -> str:
        name = f"{activation}.u8"
        if name not in self.outputs:
            raised = [f"{activation}.f64", self.constant("offset.128", np.float64(self.zeros[activation]))]
            self.node("Add", raised, f"{activation}.raised")
            self.node("Cast", [f"{activation}.raised"], name, to=TensorProto.UINT8)
        return name

    def scaled(
        self,
        source: str,
        output: str,
        gain: np.ndarray | np.float64,
        offset: np.ndarray | np.float64 | None = None,
    ) -> str:
        """`source * gain + offset` in float64."""
        product = output if offset is None else f"{output}.product"
        self.node("Mul", [source, self.constant(f"{output}.gain", gain)], product)
        if offset is None:
            return product
        return self.node("Add", [product, self.constant(f"{output}.offset", offset)], output)

    def clipped(self, source: str, low: int, output: str) -> str:
        bounds = [self.constant(f"clip.{v}", np.float64(v)) for v in (low, 127)]
        return self.node("Clip", [source, *bounds], output)

    def finish(self) -> bytes:
        """The checked model file; the last node writes the graph's output."""
        self.nodes[-1].output[0] = OUTPUT
        net = self.net
        sides = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
            for name, size in ((INPUT, net.input_size), (OUTPUT, net.output_size))
        ]
        graph = helper.make_graph(self.nodes, net.name, sides[:1], sides[1:], list(self.constants.values()))
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="kdp-edge",
            doc_string=f"integer net {net.name} {net.sha256()}",
        )
        onnx.checker.check_model(model, full_check=True)
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized
