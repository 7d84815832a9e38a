# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Integer nets survive a file, refuse a damaged one, and keep the number format."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization import integer_net, plan
from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.integer_net import IntegerNet, Linear
from kdp_edge.quantization.post_training import quantize_net
from kdp_edge.quantization.reference import run
from kdp_edge.quantization.synthetic import random_net, random_planner


def test_a_saved_net_is_the_same_net(tmp_path: Path) -> None:
    net = random_net("n", 19, 32, 2, 7)
    integer_net.save(net, tmp_path / "n.safetensors")
    again = integer_net.load(tmp_path / "n.safetensors")
    assert again.sha256() == net.sha256()
    inputs = np.random.default_rng(0).integers(-128, 128, (50, 19)).astype(np.int8)
    assert np.array_equal(run(net, inputs), run(again, inputs))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_changes_the_hash(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("net")
    net = random_net("n", 4, 8, 1, 2)
    integer_net.save(net, folder / "n.safetensors")
    raw = bytearray((folder / "n.safetensors").read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    (folder / "n.safetensors").write_bytes(raw)
    try:
        again = integer_net.load(folder / "n.safetensors")
    except KdpError:
        return
    assert (again.sha256() == net.sha256()) == (content(again) == content(net))


def content(net: IntegerNet) -> list[object]:
    """Everything in a net that decides an output, as plain Python."""
    found: list[object] = [net.name, net.input_name, net.input_size, net.output_name]
    found.append({name: float(scale) for name, scale in net.scales.items()})
    for op in net.operations:
        values = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(op).items()}
        found.append((type(op).__name__, values))
    return found


def changes(net: IntegerNet) -> Iterator[IntegerNet]:
    """Nets that differ from `net` in one number or one connection."""
    for at, op in enumerate(net.operations):
        fields: dict[str, object] = {"relu": not op.relu}
        if isinstance(op, Linear):
            for name in ("weight", "bias", "weight_scale"):
                array = getattr(op, name).copy()
                array.flat[-1] = -array.flat[-1] if array.flat[-1] else 1
                fields[name] = array
        else:
            fields |= {"left": op.right, "right": op.left} if op.left != op.right else {}
        for name, value in fields.items():
            changed = replace(op, **{name: value})  # type: ignore[arg-type]
            yield replace(net, operations=(*net.operations[:at], changed, *net.operations[at + 1 :]))
    for name, scale in net.scales.items():
        yield replace(net, scales={**net.scales, name: np.nextafter(scale, np.float32(9))})


def test_every_number_and_every_connection_changes_the_hash() -> None:
    net = random_net("n", 4, 8, 1, 2)
    hashes = [changed.sha256() for changed in changes(net)]
    assert len(hashes) > 20
    assert len({net.sha256(), *hashes}) == 1 + len(hashes)


def test_no_scale_is_a_power_of_two() -> None:
    power = Layer(np.full((4, 3), 127 / 128, np.float32), np.zeros(4, np.float32))
    last = Layer(np.full((2, 4), 127 / 64, np.float32), np.zeros(2, np.float32))
    net = quantize_net(FloatNet(power, (), last), np.full((5, 3), 127 / 1024, np.float32), "p")
    scales = [*net.scales.values(), *(s for op in net.linears for s in op.weight_scale)]
    assert all(np.frexp(s)[0] != 0.5 for s in scales)


def test_the_integer_net_follows_the_float_net() -> None:
    rng = np.random.default_rng(1)

    def layer(outs: int, ins: int) -> Layer:
        return Layer(rng.normal(0, ins**-0.5, (outs, ins)).astype("f4"), np.zeros(outs, "f4"))

    net = FloatNet(layer(64, 12), ((layer(64, 64), layer(64, 64)),), layer(6, 64))
    inputs = rng.uniform(-1, 1, (2000, 12)).astype("f4")
    unit = net.with_unit_ranges(np.ones(12, "f4"), np.abs(net(inputs)).max(0))
    quantized = quantize_net(unit, inputs, "n")
    integers = np.rint(inputs / quantized.scales["input"]).astype(np.int8)
    result = run(quantized, integers) * quantized.scales["output"]
    error = result - unit(inputs)
    assert 10 * np.log10((unit(inputs) ** 2).mean() / (error**2).mean()) > 26


def test_a_planner_survives_its_folder_and_a_missing_field_is_named(tmp_path: Path) -> None:
    planner = random_planner()
    plan.save(planner, tmp_path)
    assert plan.load(tmp_path).model_sha256() == planner.model_sha256()
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"horizon"', '"horizont"'))
    with pytest.raises(KdpError, match=r"plan.json.*horizon"):
        plan.load(tmp_path)


def test_a_layer_that_amplifies_is_refused() -> None:
    wide = Layer(np.full((4, 3), 1000, np.float32), np.zeros(4, np.float32))
    last = Layer(np.full((2, 4), 1, np.float32), np.zeros(2, np.float32))
    with pytest.raises(KdpError, match="1 or more"):
        quantize_net(FloatNet(wide, (), last), np.full((5, 3), 1, np.float32), "wide")
