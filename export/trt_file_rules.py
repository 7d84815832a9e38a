# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rules of the file as a whole: what TensorRT's parser needs before it looks at numbers."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import TensorProto, defs

from kdp_edge.exporters.trt_graph import QUANTIZERS, STANDARD, Graph, Node
from kdp_edge.exporters.trt_rule import Cost, Fault, Profile, Rules
from kdp_edge.exporters.trt_tensor import FLOATS, TYPES, constant_fault, tensor_fault, type_name

RULES = Rules()
LEAST_OPSET = 7
# operators of ONNX Runtime that mean what the standard's operator of that name means
SAME_MEANING = {"QuantizeLinear", "DequantizeLinear", "Gelu"}
# their optional inputs may be left out at the end, not be named ''
NO_EMPTY_INPUT = (*QUANTIZERS, "Gemm", "Conv")
SAME_TYPES = ("Gemm", "MatMul", "Conv", "ConvTranspose", "Add", "Sub", "Mul", "Div")


@RULES.add(
    "opset-missing",
    Cost.REJECTED,
    f"the file names an opset of the standard operators, {LEAST_OPSET} or newer",
    "export it with opset 19",
)
def opset_missing(g: Graph, profile: Profile) -> Iterator[Fault]:
    if g.opset < LEAST_OPSET:
        found = f"is {g.opset}" if g.opset else "is missing"
        yield "opset_import", f"opset {found}, expected {LEAST_OPSET} to {profile.opset}"


@RULES.add(
    "opset-newest",
    Cost.REJECTED,
    "the opset is one that this release documents",
    "export it with opset 19",
)
def opset_newest(g: Graph, profile: Profile) -> Iterator[Fault]:
    if g.opset > profile.opset:
        yield "opset_import", f"opset is {g.opset}, {profile.name} reads up to {profile.opset}"


@RULES.add(
    "ir-newest",
    Cost.WRONG,
    "the IR version is one that this release knows; fields of a newer one are skipped in silence",
    "save it with an older ir_version",
)
def ir_newest(g: Graph, profile: Profile) -> Iterator[Fault]:
    if g.model.ir_version > profile.ir:
        yield "ir_version", f"IR version is {g.model.ir_version}, {profile.name} reads up to {profile.ir}"


@RULES.add(
    "name-unique",
    Cost.REJECTED,
    "a graph defines every tensor once",
    "rename one of them, or remove the copy",
)
def name_unique(g: Graph, profile: Profile) -> Iterator[Fault]:
    for name in dict.fromkeys(g.duplicates):
        yield name, "is defined more than once, expected once"


@RULES.add(
    "input-defined",
    Cost.REJECTED,
    "every tensor that is read, and every output, is defined",
    "add the tensor, or do not read it",
)
def input_defined(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        for name in node.inputs:
            if name and not g.exists(name):
                yield node.name, f"reads {g.label(name)}, which nothing defines"
    for value in g.outputs:
        if not g.exists(value.name):
            yield value.name or "an output", "is an output that nothing defines"


@RULES.add("no-circle", Cost.REJECTED, "no node depends on its own result", "break the circle")
def no_circle(g: Graph, profile: Profile) -> Iterator[Fault]:
    left = set(g.nodes) - set(g.order)
    if left:
        names = ", ".join(node.name for node in g.nodes if node in left)
        yield (
            next(node.name for node in g.nodes if node in left),
            f"depends on its own result, by way of {names}",
        )


@RULES.add("output-exists", Cost.REJECTED, "the graph has an output", "declare an output of the graph")
def output_exists(g: Graph, profile: Profile) -> Iterator[Fault]:
    if not g.outputs:
        yield "graph", "has 0 outputs, expected at least 1"


@RULES.add(
    "operator-known",
    Cost.REJECTED,
    "every operator is one that this release imports",
    "replace it by standard operators; a plugin of that name would have to be loaded",
)
def operator_known(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        if node.op not in profile.operators:
            domain = "" if node.domain in STANDARD else f"{node.domain}:"
            yield node.name, f"operator is {domain}{node.op or '(empty)'}, {profile.name} does not import it"


@RULES.add(
    "operator-domain",
    Cost.WRONG,
    "an operator of another domain is not read as the standard one of the same name",
    "rename it, or export standard operators only",
)
def operator_domain(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        same = node.domain == "com.microsoft" and node.op in SAME_MEANING
        if node.domain not in STANDARD and node.op in profile.operators and not same:
            yield node.name, f"domain is {node.domain}, TensorRT reads {node.op} as the standard operator"


@RULES.add(
    "operator-complete",
    Cost.REJECTED,
    "a node has the inputs, outputs and attributes that its operator requires",
    "complete the node, or export the model again",
)
def operator_complete(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.nodes:
        if not any(node.proto.output):
            yield node.name, f"{node.op} writes nothing, expected an output"
        required: list[str] = []
        if node.op in QUANTIZERS:
            least = 2
        elif node.domain in STANDARD and defs.has(node.op):
            least, required = _requirements(node, g.opset)
        else:
            continue
        found = [name for name in node.inputs[:least] if name]
        if len(found) < least:
            yield node.name, f"{node.op} has {len(found)} of its first {least} inputs"
        for name in required:
            if name not in node.attributes:
                yield node.name, f"{node.op} has no attribute {name}"


def _requirements(node: Node, opset: int) -> tuple[int, list[str]]:
    try:
        schema = defs.get_schema(node.op, max(LEAST_OPSET, min(opset, defs.onnx_opset_version())))
    except defs.SchemaError:  # the operator is newer than the opset
        return 0, []
    single = sum(1 for one in schema.inputs if one.option == defs.OpSchema.FormalParameterOption.Single)
    return min(single, schema.min_input), [a.name for a in schema.attributes.values() if a.required]


@RULES.add(
    "input-not-empty",
    Cost.REJECTED,
    f"an optional input of {', '.join(NO_EMPTY_INPUT)} is left out, not named ''",
    "remove the empty name",
)
def input_not_empty(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*NO_EMPTY_INPUT):
        if len(node.inputs) > 2 and not node.inputs[2]:
            yield node.name, "input 2 has the name '', expected a tensor or two inputs"


@RULES.add(
    "constant-form",
    Cost.REJECTED,
    "a node Constant holds numbers: value, value_float, value_floats, value_int or value_ints",
    "store it as an initializer",
)
def constant_form(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of("Constant"):
        fault = constant_fault(node.attributes, g.opset)
        if fault is not None:
            yield node.name, fault


@RULES.add(
    "tensor-readable",
    Cost.REJECTED,
    "every stored tensor has a type that TensorRT reads and all of its data",
    "store it with its data and another type",
)
def tensor_readable(g: Graph, profile: Profile) -> Iterator[Fault]:
    for name, tensor in g.tensors.items():
        fault = tensor_fault(tensor, g.folder)
        if fault is not None:
            yield g.label(name) or "a tensor without name", fault


@RULES.add(
    "sparse-initializer",
    Cost.REJECTED,
    "a tensor that is read is not stored sparse",
    "store it dense",
)
def sparse_initializer(g: Graph, profile: Profile) -> Iterator[Fault]:
    for sparse in g.model.graph.sparse_initializer:
        name = sparse.values.name
        if name in g.readers and not g.exists(name):
            yield name, "is stored sparse, expected a dense initializer"


@RULES.add(
    "interface-type",
    Cost.REJECTED,
    "inputs and outputs are tensors of a type that TensorRT has",
    "cast it in the application",
)
def interface_type(g: Graph, profile: Profile) -> Iterator[Fault]:
    for value in [*g.inputs, *g.outputs]:
        kind = value.type.tensor_type.elem_type
        if kind not in TYPES:
            found = type_name(kind) if value.type.HasField("tensor_type") else "not a tensor"
            yield value.name or "an input", f"type is {found}, expected FLOAT"


@RULES.add(
    "interface-uint8",
    Cost.REJECTED,
    "a uint8 input is cast before anything else",
    "put a Cast to FLOAT behind it",
)
def interface_uint8(g: Graph, profile: Profile) -> Iterator[Fault]:
    for value in g.inputs:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            for node, _ in g.readers.get(value.name, []):
                if node.op in QUANTIZERS:
                    yield value.name, f"is UINT8 and read by {node.name}, expected a Cast between"


@RULES.add(
    "input-rank",
    Cost.WRONG,
    "the rank of every input is written down; TensorRT takes an unknown one for 1",
    "declare the shape of the input",
)
def input_rank(g: Graph, profile: Profile) -> Iterator[Fault]:
    for value in g.inputs:
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            yield value.name, "has no shape, expected the size of every dimension but the batch"


@RULES.add(
    "inner-dimension",
    Cost.REJECTED,
    "the size that a layer sums over is fixed and that of its weight",
    "declare it in the shape of the input",
)
def inner_dimension(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of("Gemm", "MatMul", "Conv"):
        left, right = g.shape(node.argument(0)), g.shape(node.argument(1))
        if left is None or right is None:
            continue
        if node.op == "Gemm" and (len(left), len(right)) != (2, 2):
            yield node.name, f"Gemm reads {len(left)} and {len(right)} dimensions, expected 2 and 2"
            continue
        if not left or not right or (node.op == "Conv" and len(left) < 3):
            yield node.name, f"{node.op} reads shapes {left} and {right}, expected a matrix or an image"
            continue
        if node.op == "Conv":
            groups, known = node.integer("group", 1), right[1] if len(right) > 1 else None
            found, expected = left[1], None if known is None else known * groups
        elif node.op == "Gemm":
            found = left[0 if node.integer("transA", 0) else 1]
            expected = right[1 if node.integer("transB", 0) else 0]
        else:
            found, expected = left[-1], right[-2] if len(right) > 1 else right[0]
        if found != expected:
            text = ["not fixed" if size is None else str(size) for size in (found, expected)]
            yield node.name, f"sums over a dimension of {text[0]}, its second input has {text[1]}"


@RULES.add(
    "bias-size",
    Cost.REJECTED,
    "a bias has one number per output, or one for all",
    "store it with the size of the layer's outputs",
)
def bias_size(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of("Gemm", "Conv"):
        weight, bias = g.shape(node.argument(1)), g.shape(node.argument(2)) if node.argument(2) else None
        if not weight or bias is None or (node.op == "Gemm" and len(weight) != 2):
            continue
        outputs = weight[1 if node.op == "Gemm" and not node.integer("transB", 0) else 0]
        found = bias[-1] if bias else 1
        if None not in (outputs, found) and found not in ((outputs,) if node.op == "Conv" else (1, outputs)):
            yield node.name, f"bias has shape {bias}, the layer has {outputs} outputs"


@RULES.add(
    "operand-types",
    Cost.REJECTED,
    "the operands of a layer or a sum have one type",
    "store the constant, or the scale that dequantizes it, with the other's type",
)
def operand_types(g: Graph, profile: Profile) -> Iterator[Fault]:
    for node in g.of(*SAME_TYPES):
        kinds = [kind for name in node.inputs if name and (kind := _operand_type(g, name)) is not None]
        if len(set(kinds)) > 1 and FLOATS & set(kinds):
            yield node.name, f"{node.op} reads {', '.join(map(type_name, kinds))}, expected one type"


def _operand_type(g: Graph, name: str) -> int | None:
    """As `Graph.type`; unknown behind a scale that is no float, which is a fault of its own."""
    kind, writer = g.type(name), g.producer.get(name)
    return None if writer is not None and writer.op == "DequantizeLinear" and kind not in FLOATS else kind
