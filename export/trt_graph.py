# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An ONNX model as TensorRT walks it: one flat list of nodes, every name looked up once.

Bodies of If, Loop and Scan and calls of the model's own functions are laid out in place, so a rule
sees a fault wherever it hides. Names inside a body may repeat outside of it: each value gets an id
(the name itself in the main graph), and `Graph.label` gives the name back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.trt_tensor import constant_tensor, tensor_value

MOST_NODES, MOST_BODIES = 1_000_000, 20_000  # functions that call each other can unfold without end
DEEPEST = 100
STANDARD = ("", "ai.onnx")
QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
# one value in, the same values out, in another order or shape
MOVES = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
# the result has the shape of input 0
POINTWISE = (*QUANTIZERS, "Identity", "Cast", "Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Erf")
# the result has the element type of input 0
SAME_TYPE: tuple[str, ...] = (
    *MOVES,
    *POINTWISE[3:],
    "Gemm",
    "MatMul",
    "Conv",
    "ConvTranspose",
    "Add",
    "Sub",
    "Mul",
    "Div",
)
SAME_TYPE += ("Slice", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Softmax", "Neg", "Abs")
SAME_TYPE += ("LayerNormalization", "BatchNormalization", "Gelu", "Exp", "Sqrt", "Pad", "Gather")


@dataclass(eq=False)
class Node:
    """One operation, its inputs and outputs as ids; an optional input that is not there is ''."""

    proto: NodeProto
    op: str
    domain: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, AttributeProto]
    after: list[str] = field(default_factory=list)  # results of its bodies

    def argument(self, index: int) -> str:
        return self.inputs[index] if index < len(self.inputs) else ""

    def integer(self, name: str, default: int) -> int:
        attribute = self.attributes.get(name)
        return attribute.i if attribute is not None else default

    def integers(self, name: str) -> list[int]:
        attribute = self.attributes.get(name)
        return list(attribute.ints) if attribute is not None else []


class Graph:
    """A model with its constants and connections looked up once.

    Raises:
        KdpError: functions or bodies are nested without end.
    """

    def __init__(self, model: onnx.ModelProto, folder: Path | None = None) -> None:
        self.model, self.folder = model, folder
        versions = [o.version for o in model.opset_import if o.domain in STANDARD]
        self.opset = max(versions, default=0)
        self.nodes: list[Node] = []
        self.tensors: dict[str, TensorProto] = {}
        self.declared: dict[str, ValueInfoProto] = {}  # inputs of the graph and of bodies
        self.duplicates: list[str] = []
        self._labels: dict[str, str] = {}
        self._functions = {(f.domain, f.name): f for f in model.functions}
        self._bodies = 0
        self._lay_out(model.graph, {}, depth=0, main=True)
        self.inputs = [v for v in model.graph.input if v.name not in self.tensors]
        self.outputs = list(model.graph.output)
        self.producer = {name: node for node in self.nodes for name in node.outputs if name}
        self.readers: dict[str, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for index, name in enumerate(node.inputs):
                self.readers.setdefault(name, []).append((node, index))
        self.order, self.fixed = self._sort()
        self._values: dict[str, np.ndarray | None] = {}
        self._types: dict[str, int | None] = {}

    # -- laying out ---------------------------------------------------------------------------------

    def _lay_out(self, graph: GraphProto, outer: dict[str, str], depth: int, main: bool = False) -> list[str]:
        """Add the nodes of a graph; ids of its outputs. `outer`: name -> id of what it may read."""
        self._bodies += 1
        prefix = "" if main else f"{self._bodies}:"
        values = [v.name for v in graph.input]
        tensors = [t.name for t in graph.initializer]
        results = [name for node in graph.node for name in node.output if name]
        for group in (values, tensors, results):
            self.duplicates += _repeated(group)
        self.duplicates += sorted(set(results) & {*values, *tensors})
        scope = outer | {name: self._id(prefix, name) for name in (*values, *tensors, *results)}
        for value in graph.input:
            self.declared[scope[value.name]] = value
        for tensor in graph.initializer:
            self.tensors[scope[tensor.name]] = tensor
        self._add(graph.node, scope, {}, depth, ())
        return [scope.get(value.name, value.name) for value in graph.output]

    def _id(self, prefix: str, name: str) -> str:
        self._labels[prefix + name] = name
        return prefix + name

    def _add(
        self,
        nodes: Sequence[NodeProto],
        scope: dict[str, str],
        given: dict[str, AttributeProto],
        depth: int,
        calls: tuple[tuple[str, str], ...],
    ) -> None:
        if depth > DEEPEST:
            raise KdpError(f"bodies and functions are nested more than {DEEPEST} deep; flatten the model")
        for proto in nodes:
            if len(self.nodes) >= MOST_NODES or self._bodies >= MOST_BODIES:
                raise KdpError(
                    f"the model unfolds to more than {MOST_NODES:,} nodes or {MOST_BODIES:,} bodies; split it"
                )
            attributes = _attributes(proto, given)
            inputs = [scope.get(name, name) for name in proto.input]
            outputs = [scope.get(name, name) for name in proto.output]
            called = (proto.domain, proto.op_type)
            if called in self._functions and called not in (("", "Constant"), *calls):
                self._call(self._functions[called], inputs, outputs, attributes, depth, (*calls, called))
                continue
            node = Node(proto, proto.op_type, proto.domain, "", inputs, outputs, attributes)
            self.nodes.append(node)
            node.name = proto.name or f"{node.op} of {self.label(outputs[0]) if outputs else 'nothing'}"
            for attribute in attributes.values():
                for body in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                    node.after += self._lay_out(body, scope, depth + 1)
            if node.op == "Constant" and outputs:
                tensor = constant_tensor(attributes, self.opset)
                if tensor is not None:
                    self.tensors[outputs[0]] = tensor

    def _call(
        self,
        function: FunctionProto,
        inputs: list[str],
        outputs: list[str],
        attributes: dict[str, AttributeProto],
        depth: int,
        calls: tuple[tuple[str, str], ...],
    ) -> None:
        """Lay out a function's nodes in place of the node that calls it."""
        self._bodies += 1
        prefix = f"{self._bodies}:"
        scope = {name: self._id(prefix, name) for node in function.node for name in node.output if name}
        scope |= dict(zip(function.output, outputs, strict=False))
        passed = [name for name in function.input if name in scope]
        scope |= {name: "" for name in function.input} | dict(zip(function.input, inputs, strict=False))
        defaults = {a.name: a for a in function.attribute_proto}
        self._add(function.node, scope, defaults | attributes, depth + 1, calls)
        for name, output in zip(function.output, outputs, strict=False):
            if name in passed:  # an input handed through
                proto = helper.make_node("Identity", [name], [name])
                self.nodes.append(Node(proto, "Identity", "", function.name, [scope[name]], [output], {}))

    def _sort(self) -> tuple[list[Node], set[str]]:
        """Nodes in an order of execution (those in a circle left out), and all that no input can change."""
        waiting = {node: 0 for node in self.nodes}
        after: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in {*node.inputs, *node.after}:
                if name in self.producer:
                    waiting[node] += 1
                    after.setdefault(name, []).append(node)
        ready = deque(node for node, count in waiting.items() if count == 0)
        order: list[Node] = []
        fixed = {name for name in self.tensors if name}
        fixed.update(name for node in self.nodes if node.op == "Constant" for name in node.outputs)
        while ready:
            node = ready.popleft()
            order.append(node)
            present = [name for name in node.inputs if name]
            if present and not node.after and all(name in fixed for name in present):
                fixed.update(node.outputs)
            for name in node.outputs:
                if self.producer.get(name) is not node:
                    continue
                for reader in after.get(name, []):
                    waiting[reader] -= 1
                    if waiting[reader] == 0:
                        ready.append(reader)
        return order, fixed

    # -- looking up ---------------------------------------------------------------------------------

    def label(self, name: str) -> str:
        """The name that stands in the file."""
        return self._labels.get(name, name)

    def of(self, *ops: str) -> Iterator[Node]:
        return (node for node in self.nodes if node.op in ops)

    def exists(self, name: str) -> bool:
        return name in self.tensors or name in self.producer or name in self.declared

    def chain(self, name: str, *ops: str) -> list[Node]:
        """Nodes of the kinds `ops` that lead to `name` along their first inputs, the last one first."""
        found: list[Node] = []
        seen: set[str] = set()
        while name in self.producer and name not in seen:
            seen.add(name)
            node = self.producer[name]
            if node.op not in ops or not node.inputs:
                break
            found.append(node)
            name = node.inputs[0]
        return found

    def source(self, name: str, *ops: str) -> str:
        """What the chain of `ops` that leads to `name` begins with."""
        nodes = self.chain(name, *ops)
        return nodes[-1].inputs[0] if nodes else name

    def value(self, name: str) -> np.ndarray | None:
        """A constant's value, also behind Identity, Cast, Transpose, Reshape, …; None when not known."""
        if name not in self._values:
            self._values[name] = self._value(name)
        return self._values[name]

    def _value(self, name: str) -> np.ndarray | None:
        nodes = self.chain(name, "Cast", *MOVES)
        value = self.stored(self.source(name, "Cast", *MOVES))
        for node in reversed(nodes):
            if value is None:
                return None
            value = self._moved(node, value)
        return value

    def stored(self, name: str) -> np.ndarray | None:
        tensor = self.tensors.get(name) if name not in self.producer or name in self.tensors else None
        return None if tensor is None else tensor_value(tensor, self.folder)

    def _moved(self, node: Node, value: np.ndarray) -> np.ndarray | None:
        second = self.stored(node.argument(1)) if node.argument(1) else None
        axes = tuple(node.integers("axes") if second is None else np.ravel(second).tolist())
        try:
            if node.op == "Cast":
                return value.astype(helper.tensor_dtype_to_np_dtype(node.integer("to", 0)))
            if node.op == "Transpose":
                return value.transpose(node.integers("perm") or None)
            if node.op == "Squeeze":
                return value.squeeze(axes or None)
            if node.op == "Unsqueeze":
                return np.expand_dims(value, axes)
            if node.op == "Reshape":
                return value.reshape([value.shape[i] if s == 0 else s for i, s in enumerate(axes)])
        except (TypeError, ValueError, IndexError, KeyError, OverflowError, MemoryError):
            return None
        return value if node.op == "Identity" else value.ravel()

    def type(self, name: str) -> int | None:
        """Element type as TensorRT sees it, DOUBLE as FLOAT; None when not known."""
        if name not in self._types:
            self._types[name] = self._type(name)
        kind = self._types[name]
        return TensorProto.FLOAT if kind == TensorProto.DOUBLE else kind or None

    def _type(self, name: str) -> int | None:
        seen: set[str] = set()
        while name and name not in seen:
            if name in self._types:
                return self._types[name]
            seen.add(name)
            if name in self.tensors:
                return self.tensors[name].data_type
            if name in self.declared:
                return self.declared[name].type.tensor_type.elem_type
            node = self.producer.get(name)
            if node is None:
                return None
            if node.op == "QuantizeLinear":
                if not node.argument(2):
                    return node.integer("output_dtype", 0) or TensorProto.INT8
                kind = self.type_of_zero_point(node)
                return kind if kind in (TensorProto.INT4, TensorProto.FLOAT8E4M3FN) else TensorProto.INT8
            if node.op == "Cast":
                return node.integer("to", 0)
            if node.op == "DequantizeLinear":
                name = node.argument(1)
            elif node.op in SAME_TYPE:
                name = node.argument(0)
            else:
                return None
        return None

    def type_of_zero_point(self, node: Node) -> int | None:
        """Element type of input 2 of a quantizer, looked up behind Identity only."""
        name = self.source(node.argument(2), "Identity")
        if name in self.tensors:
            return self.tensors[name].data_type
        return self.declared[name].type.tensor_type.elem_type or None if name in self.declared else None

    def shape(self, name: str) -> list[int | None] | None:
        """Sizes of the dimensions, None for one that is not fixed; None for the whole when not known."""
        nodes = self.chain(name, "Transpose", *POINTWISE)
        source = nodes[-1].inputs[0] if nodes else name
        if source in self.tensors:
            shape: list[int | None] = [size if size >= 0 else None for size in self.tensors[source].dims]
        elif source in self.declared:
            if not self.declared[source].type.tensor_type.HasField("shape"):
                return [None]  # so TensorRT reads an unknown rank
            dims = self.declared[source].type.tensor_type.shape.dim
            shape = [dim.dim_value if dim.dim_value > 0 else None for dim in dims]
        else:
            value = self.value(source)
            if value is None:
                return None
            shape = list(value.shape)
        for node in reversed(nodes):
            if node.op == "Transpose":
                permutation = node.integers("perm") or list(range(len(shape)))[::-1]
                if sorted(permutation) != list(range(len(shape))):
                    return None
                shape = [shape[i] for i in permutation]
        return shape


def _attributes(proto: NodeProto, given: dict[str, AttributeProto]) -> dict[str, AttributeProto]:
    """By name; one that refers to an attribute of the function around it gets the caller's."""
    found: dict[str, AttributeProto] = {}
    for attribute in proto.attribute:
        if not attribute.ref_attr_name:
            found[attribute.name] = attribute
        elif attribute.ref_attr_name in given:
            found[attribute.name] = given[attribute.ref_attr_name]
    return found


def _repeated(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name and (name in seen or seen.add(name))]  # type: ignore[func-returns-value]
