# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The small model that the cases of the TensorRT rules change, and the table in which they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from kdp_edge.exporters.trt_rules import TENSORRT11, Profile

Change = Callable[[ModelProto], None]


@dataclass(frozen=True)
class Case:
    """`accepted`: the verdict of NVIDIA's parser and builder; `rules`: what `check` says.

    `because`: why the rules say more than the parser; no case says less.
    """

    name: str
    change: Change
    accepted: bool
    rules: frozenset[str]
    because: str
    profile: Profile

    def build(self) -> bytes:
        model = base()
        self.change(model)
        return bytes(model.SerializeToString())


class Cases(list[Case]):
    def accepted(
        self, *rules: str, because: str = "", profile: Profile = TENSORRT11
    ) -> Callable[[Change], Change]:
        return self._register(True, rules, because, profile)

    def rejected(self, *rules: str, profile: Profile = TENSORRT11) -> Callable[[Change], Change]:
        return self._register(False, rules, "", profile)

    def _register(
        self, accepted: bool, rules: tuple[str, ...], because: str, profile: Profile
    ) -> Callable[[Change], Change]:
        def register(change: Change) -> Change:
            self.append(Case(change.__name__, change, accepted, frozenset(rules), because, profile))
            return change

        return register


def base() -> ModelProto:
    """x [N, 6] -> Q, DQ -> Gemm with int8 weights [5, 6], one scale per output -> Q, DQ -> y [N, 5]."""
    rng = np.random.default_rng(0)
    constants = {
        "xs": np.float32(0.1),
        "z": np.int8(0),
        "W": rng.integers(-127, 128, (5, 6)).astype(np.int8),
        "ws": rng.uniform(0.005, 0.015, 5).astype(np.float32),
        "wz": np.zeros(5, np.int8),
        "b": np.zeros(5, np.float32),
        "ys": np.float32(0.2),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "z"], ["xq"], name="q0"),
        helper.make_node("DequantizeLinear", ["xq", "xs", "z"], ["xd"], name="dq0"),
        helper.make_node("DequantizeLinear", ["W", "ws", "wz"], ["Wd"], name="dqw", axis=0),
        helper.make_node("Gemm", ["xd", "Wd", "b"], ["g"], name="gemm", transB=1),
        helper.make_node("QuantizeLinear", ["g", "ys", "z"], ["yq"], name="q1"),
        helper.make_node("DequantizeLinear", ["yq", "ys", "z"], ["y"], name="dq1"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def node(model: ModelProto, name: str) -> NodeProto:
    return next(n for n in model.graph.node if n.name == name)


def tensor(model: ModelProto, name: str) -> TensorProto:
    return next(t for t in model.graph.initializer if t.name == name)


def put(model: ModelProto, name: str, value: Any) -> str:
    """Set or add an initializer."""
    new = numpy_helper.from_array(np.asarray(value), name)
    old = [t for t in model.graph.initializer if t.name == name]
    (old[0] if old else model.graph.initializer.add()).CopyFrom(new)
    return name


def add_typed(model: ModelProto, name: str, kind: int, shape: list[int], value: float) -> str:
    """Set or add an initializer of a type that numpy has not."""
    remove(model, name)
    count = int(np.prod(shape))
    model.graph.initializer.append(helper.make_tensor(name, kind, shape, [value] * count))
    return name


def remove(model: ModelProto, name: str) -> None:
    for one in [t for t in model.graph.initializer if t.name == name]:
        model.graph.initializer.remove(one)


def constant(model: ModelProto, name: str, **attributes: Any) -> NodeProto:
    """A node Constant in place of an initializer."""
    remove(model, name)
    model.graph.node.insert(0, helper.make_node("Constant", [], [name], name=f"c_{name}", **attributes))
    return model.graph.node[0]


def insert(model: ModelProto, reader: str, index: int, kind: str, *more: str, **options: Any) -> str:
    """Put a node between the node `reader` and its input `index`; its name and its output's."""
    target = node(model, reader)
    name = f"{reader}_{kind}{index}_{len(model.graph.node)}"
    place = list(model.graph.node).index(target)
    new = helper.make_node(kind, [target.input[index], *more], [name], name=name, **options)
    target.input[index] = name
    model.graph.node.insert(place, new)
    return name


def input_shape(model: ModelProto, shape: list[Any]) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))


def weight(model: ModelProto, shape: tuple[int, ...], axis: int | None) -> None:
    """Another int8 weight with scales along `axis`; None: not written down, the scales lie along 1."""
    length = shape[1 if axis is None else axis]
    put(model, "W", np.ones(shape, np.int8))
    put(model, "ws", np.full(length, 0.01, np.float32))
    put(model, "wz", np.zeros(length, np.int8))
    node(model, "dqw").ClearField("attribute")
    if axis is not None:
        node(model, "dqw").attribute.append(helper.make_attribute("axis", axis))


def bias(model: ModelProto, length: int) -> None:
    put(model, "b", np.zeros(length, np.float32))


def layer(model: ModelProto, kind: str) -> None:
    """Another operator in place of Gemm; MatMul without a bias."""
    gemm = node(model, "gemm")
    gemm.op_type = kind
    gemm.ClearField("attribute")
    if kind == "MatMul":
        del gemm.input[2:]


def opset(model: ModelProto, version: int) -> None:
    model.opset_import[0].version = version
    model.ir_version = 10


def function(
    model: ModelProto, nodes: list[NodeProto], inputs: list[str], attributes: list[str] | None = None
) -> None:
    """Define `ours:F`, from `inputs` to `out`."""
    domains = [helper.make_opsetid("", 19), helper.make_opsetid("ours", 1)]
    model.functions.append(
        helper.make_function("ours", "F", inputs, ["out"], nodes, domains, attributes or [])
    )
    model.opset_import.append(helper.make_opsetid("ours", 1))
