# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every rule finds its faults and nothing else, on any file; the exporter keeps all of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import trt_rules
from kdp_edge.exporters.onnx_float import dequantized, to_float
from kdp_edge.exporters.onnx_format import to_integer, to_qdq
from kdp_edge.exporters.trt_rules import Cost
from kdp_edge.quantization.synthetic import random_net
from tests.export.trt_cases import CASES
from tests.export.trt_model import Case, Change, base, function, insert, node, put, tensor

NET = random_net("net", inputs=12, width=12, blocks=1, outputs=12)
MODEL = to_qdq(NET)
FLOATS = {"fp16": to_float(NET, dequantized(NET), half=True), "fp32": to_float(NET, dequantized(NET))}
HARD = frozenset({Cost.REJECTED, Cost.WRONG})
# what TensorRT builds, and a rule of int8 or of our bundles forbids: name -> rule and change of `MODEL`
SOFT: dict[str, tuple[str, Callable[[ModelProto], None]]] = {}
# and a change of the float files that leaves the precision: name -> rule, precision and change
MIXED: dict[str, tuple[str, str, Callable[[ModelProto], None]]] = {}


def soft(rule: str) -> Callable[[Callable[[ModelProto], None]], Callable[[ModelProto], None]]:
    def register(function: Callable[[ModelProto], None]) -> Callable[[ModelProto], None]:
        SOFT[function.__name__] = rule, function
        return function

    return register


def mixed(rule: str, precision: str) -> Callable[[Change], Change]:
    def register(function: Change) -> Change:
        MIXED[function.__name__] = rule, precision, function
        return function

    return register


def of_kind(model: ModelProto, kind: str, index: int = 0) -> NodeProto:
    return [n for n in model.graph.node if n.op_type == kind][index]


@soft("linear-quantized")
def float_operand(model: ModelProto) -> None:
    of_kind(model, "Gemm").input[0] = "input"


@soft("linear-quantized")
def float_weight(model: ModelProto) -> None:
    of_kind(model, "Gemm").input[1] = put(model, "float", np.ones((12, 12), np.float32))


@soft("sum-quantized")
def float_residual(model: ModelProto) -> None:
    of_kind(model, "Add").input[1] = "block0_branch.real"


@soft("sum-quantized")
def residual_through_tanh(model: ModelProto) -> None:
    insert(model, of_kind(model, "Add").name, 0, "Tanh")


@soft("activation-fused")
def quantized_before_its_activation(model: ModelProto) -> None:
    for kind in ("QuantizeLinear", "DequantizeLinear"):
        insert(model, of_kind(model, "Relu").name, 0, kind, "hidden.scale", "zero")


@soft("activation-fused")
def clip_of_a_dequantized_value(model: ModelProto) -> None:
    insert(model, of_kind(model, "Gemm", 1).name, 0, "Clip")


@soft("quantized-read")
def relu_of_integers(model: ModelProto) -> None:
    insert(model, next(n for n in model.graph.node if n.input[0] == "hidden.q").name, 0, "Relu")


@soft("quantized-read")
def maximum_of_moved_integers(model: ModelProto) -> None:
    reader = next(n for n in model.graph.node if n.input[0] == "hidden.q").name
    insert(model, reader, 0, "Identity")
    insert(model, reader, 0, "Max")


@soft("batch-dynamic")
def dynamic_size(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "size"


@soft("batch-dynamic")
def size_minus_1(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -1


@soft("interface-float")
def int8_output(model: ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8


@soft("interface-float")
def float16_input(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


@soft("operator-simple")
def another_activation(model: ModelProto) -> None:
    of_kind(model, "Relu").op_type = "Celu"


@soft("operator-simple")
def softmax(model: ModelProto) -> None:
    of_kind(model, "Relu").op_type = "Softmax"


@soft("one-file")
def bias_in_another_file(model: ModelProto) -> None:
    tensor(model, "first.bias").data_location = TensorProto.EXTERNAL


@soft("one-file")
def weight_in_another_file(model: ModelProto) -> None:
    tensor(model, "first.weight").data_location = TensorProto.EXTERNAL


@soft("weight-symmetric")
def weight_of_minus_128(model: ModelProto) -> None:
    put(model, "first.weight", np.full((12, 12), -128, np.int8))


@soft("weight-symmetric")
def one_weight_of_minus_128(model: ModelProto) -> None:
    weights = numpy_helper.to_array(tensor(model, "first.weight")).copy()
    weights[3, 4] = -128
    put(model, "first.weight", weights)


@soft("output-dequantized")
def float_output(model: ModelProto) -> None:
    of_kind(model, "DequantizeLinear", -1).op_type = "Identity"


@soft("output-dequantized")
def output_behind_identity(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Identity", [model.graph.output[0].name], ["copy"], name="copy"))
    model.graph.output[0].name = "copy"


@mixed("layer-float16", "fp16")
def a_layer_behind_a_cast(model: ModelProto) -> None:
    insert(model, of_kind(model, "Gemm", 1).name, 0, "Cast", to=TensorProto.FLOAT)


@mixed("layer-float16", "fp16")
def a_float32_weight(model: ModelProto) -> None:
    put(model, "first.weight", np.ones((12, 12), np.float32))


@mixed("layer-float32", "fp32")
def a_float16_bias(model: ModelProto) -> None:
    put(model, "last.bias", np.ones(12, np.float16))


@mixed("layer-float32", "fp32")
def a_quantized_input(model: ModelProto) -> None:
    put(model, "s", np.float32(0.1))
    put(model, "z", np.int8(0))
    for kind in ("DequantizeLinear", "QuantizeLinear"):
        insert(model, of_kind(model, "Gemm", 1).name, 0, kind, "s", "z")


@pytest.mark.parametrize("name", MIXED)
def test_a_layer_in_another_precision_is_found(name: str) -> None:
    rule, precision, change = MIXED[name]
    model = onnx.load_from_string(FLOATS[precision])
    change(model)
    found = trt_rules.check(model.SerializeToString(), precision=precision)
    assert rule in {finding.rule for finding in found}


@pytest.mark.parametrize("profile", trt_rules.PROFILES.values(), ids=lambda profile: profile.key)
def test_float_files_keep_the_rules_of_their_precision_and_of_no_other(profile: trt_rules.Profile) -> None:
    for made in (*FLOATS, "int8"):
        for asked in trt_rules.PRECISIONS:
            found = trt_rules.check(FLOATS.get(made, MODEL), profile, precision=asked)
            assert bool(found) == (made != asked), (made, asked, found)
            assert all(finding.cost in (Cost.FLOAT, Cost.BUNDLE) for finding in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_breaks_its_rules_and_no_other(case: Case) -> None:
    found = trt_rules.check(case.build(), case.profile, costs=HARD)
    assert {finding.rule for finding in found} == case.rules, "\n".join(map(str, found))


def test_the_rules_say_what_the_parser_says_or_why_they_say_more() -> None:
    cost = {rule.id: rule.cost for rule in trt_rules.RULES}
    for case in CASES:
        if case.accepted:
            assert bool(case.rules) == bool(case.because), case.name
        else:
            assert Cost.REJECTED in {cost[rule] for rule in case.rules}, case.name
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("name", SOFT)
def test_what_is_built_but_not_wanted_is_found(name: str) -> None:
    rule, change = SOFT[name]
    model = onnx.load_from_string(MODEL)
    change(model)
    assert rule in {finding.rule for finding in trt_rules.check(model.SerializeToString())}


def test_every_rule_is_broken_in_at_least_two_ways() -> None:
    broken = Counter(rule for case in CASES for rule in case.rules) + Counter(
        rule for rule, *_ in (*SOFT.values(), *MIXED.values())
    )
    assert {rule.id: broken[rule.id] for rule in trt_rules.RULES if broken[rule.id] < 2} == {}
    assert len({rule.id for rule in trt_rules.RULES}) == len(trt_rules.RULES)


@pytest.mark.parametrize("profile", trt_rules.PROFILES.values(), ids=lambda profile: profile.key)
def test_the_exporter_keeps_every_rule_of_both_releases(profile: trt_rules.Profile) -> None:
    assert trt_rules.check(MODEL, profile) == []


def test_the_form_for_cpus_is_not_taken_for_tensorrt_s() -> None:
    model = to_integer(random_net("net", inputs=12, width=12, blocks=1, outputs=12))
    assert "operator-known" in {finding.rule for finding in trt_rules.check(model)}


def test_a_finding_names_node_value_found_value_expected_and_what_to_do() -> None:
    model = base()
    put(model, "xs", np.float32(-0.5))
    assert str(trt_rules.check(model.SerializeToString(), costs=HARD)[0]) == (
        "q0: scale is -0.5, expected above 0; calibrate again; a range of 0 needs any positive scale"
        " [scale-positive, rejected]"
    )


def test_functions_that_unfold_without_end_are_refused() -> None:
    model = base()
    for index in range(60):
        calls = [helper.make_node(f"F{index + 1}", ["a"], [f"out{i}"], domain="ours") for i in range(2)]
        function(model, calls, ["a"])
        model.functions[-1].name = f"F{index}"
        model.functions[-1].output[:] = ["out0"]
    insert(model, "q1", 0, "F0", domain="ours")
    with pytest.raises(KdpError, match="unfolds to more than"):
        trt_rules.check(model.SerializeToString())


def test_a_long_chain_is_no_deep_recursion() -> None:
    model = base()
    names = ["xs", *(f"copy{i}" for i in range(2000))]
    copies = [helper.make_node("Identity", [a], [b]) for a, b in pairwise(names)]
    for copy in reversed(copies):
        model.graph.node.insert(0, copy)
    node(model, "q0").input[1] = names[-1]
    assert trt_rules.check(model.SerializeToString(), costs=HARD) == []


def holds_without_a_crash(data: bytes) -> None:
    try:
        findings = trt_rules.check(data)
    except KdpError as error:
        assert "\n" not in str(error)
    else:
        assert all("\n" not in str(finding) for finding in findings)


def test_a_name_that_is_no_text_is_refused() -> None:
    data = base().SerializeToString().replace(b"QuantizeLinear", b"Quantize\xff\xfeLine", 1)
    with pytest.raises(KdpError, match=r"onnx\.NodeProto\.op_type is not UTF-8"):
        trt_rules.check(data)


@pytest.mark.parametrize("seed", range(10))
def test_no_changed_byte_crashes_it(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(40):
        data = bytearray(draw.choice(CASES).build())
        for _ in range(draw.randint(1, 8)):
            place = draw.randrange(len(data))
            kind = draw.randrange(4)
            if kind == 0:
                data[place] = draw.randrange(256)
            elif kind == 1:
                data[place] ^= 1 << draw.randrange(8)
            elif kind == 2:
                del data[place : place + draw.randint(1, 4)]
            else:
                data[place:place] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 4)))
        holds_without_a_crash(bytes(data))


@pytest.mark.parametrize("seed", range(10))
def test_no_changed_node_crashes_it(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(40):
        model = onnx.load_from_string(draw.choice(CASES).build())
        for _ in range(draw.randint(1, 6)):
            _change(model, draw)
        holds_without_a_crash(model.SerializeToString())


def _change(model: ModelProto, draw: random.Random) -> None:
    """One random change that protobuf allows."""
    nodes, tensors = model.graph.node, model.graph.initializer
    names = [name for n in nodes for name in (*n.input, *n.output)] + [t.name for t in tensors] + ["", "x"]
    one = draw.choice(nodes) if nodes else nodes.add()
    held = draw.choice(tensors) if tensors else tensors.add()
    kind = draw.randrange(12)
    if kind == 0 and one.input:
        one.input[draw.randrange(len(one.input))] = draw.choice(names)
    elif kind == 1 and one.output:
        one.output[draw.randrange(len(one.output))] = draw.choice(names)
    elif kind == 2:
        del one.input[draw.randint(0, len(one.input)) :]
    elif kind == 3:
        one.input.append(draw.choice(names))
    elif kind == 4:
        one.op_type = draw.choice(sorted(trt_rules.JETPACK6.operators))
    elif kind == 5:
        name = draw.choice(["axis", "perm", "to", "value", "value_floats", "transB", "axes", "group"])
        value = draw.choice([draw.randint(-9, 9), 0.5, "text", [draw.randint(-9, 9)] * draw.randint(1, 3)])
        one.attribute.append(helper.make_attribute(name, value))
    elif kind == 6 and one.attribute:
        attribute = draw.choice(one.attribute)
        attribute.type, attribute.i = draw.randrange(15), draw.randint(-(2**63), 2**63 - 1)
    elif kind == 7:
        held.dims[:] = [draw.choice([0, 1, 2, 5, 6, 2**40, -1]) for _ in range(draw.randint(0, 4))]
    elif kind == 8:
        held.data_type = draw.randrange(30)
    elif kind == 9:
        held.name = draw.choice(names)
    elif kind == 10 and nodes:
        nodes.remove(one)
    elif model.graph.input:
        shape = model.graph.input[0].type.tensor_type.shape
        shape.dim.add().dim_value = draw.choice([-1, 0, 3, 2**62])
