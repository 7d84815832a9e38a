# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Tables of activations: TensorFlow Lite for Microcontrollers' own bytes, whatever the scales."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdp_edge.exporters.agent.backends import OnnxRuntime
from kdp_edge.exporters.golden import net_inputs
from kdp_edge.exporters.onnx_format import to_integer, to_qdq
from kdp_edge.exporters.tflite import to_tflite
from kdp_edge.exporters.tflm import interpret
from kdp_edge.exporters.trt_rules import check as broken_rules
from kdp_edge.quantization import integer_net, reference
from kdp_edge.quantization.integer_net import IntegerNet, Table
from kdp_edge.quantization.tables import TANH_SCALE, clear_output_scale, clear_scale, table
from tests.actors import KINDS, actor_net, integer_actor, unit_inputs


class TableOnly(IntegerNet):
    """A net of nothing but a table on one number."""

    input_size = output_size = 1  # type: ignore[assignment]

    def sizes(self) -> dict[str, int]:
        return {"input": 1, "output": 1}


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(["tanh", "elu"]), reach=st.floats(0.01, 40), ratio=st.floats(0.3, 3))
def test_a_table_is_what_tflite_micro_computes(kind: str, reach: float, ratio: float) -> None:
    wanted = (
        TANH_SCALE if kind == "tanh" else clear_output_scale(kind, np.float32(max(ratio * reach, 1) / 127))
    )
    scale = clear_scale(kind, np.float32(reach / 127), wanted)
    entries = table(kind, scale, wanted)
    scales = {"input": scale, "output": wanted}
    net = TableOnly("t", (Table("op", "input", "output", kind, entries),), scales, "input", "output")
    every = np.arange(-128, 128, dtype=np.int8)[:, None]
    np.testing.assert_array_equal(interpret(to_tflite(net), every)[:, 0], entries)


@pytest.mark.parametrize("kind", KINDS)
def test_every_runtime_answers_as_the_reference(kind: str) -> None:
    net = integer_actor(kind)
    inputs = net_inputs(net)[::3]
    expected = reference.run(net, inputs)
    assert len(np.unique(expected)) > 100, "this would compare nothing"
    np.testing.assert_array_equal(interpret(to_tflite(net), inputs), expected)
    np.testing.assert_array_equal(OnnxRuntime(to_integer(net), net)(inputs), expected)
    assert broken_rules(to_qdq(net)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_integers_stay_within_the_noise_of_int8(kind: str) -> None:
    net, floating = integer_actor(kind), actor_net(kind)
    inputs = unit_inputs(net.input_size, 1000, seed=9)
    steps = np.rint(inputs / net.scales["input"]).astype(np.int8)
    found = reference.run(net, steps) * net.scales[net.output_name]
    error = found - floating(inputs).clip(-1, 1)
    assert np.sqrt(np.mean(error**2)) < 0.015  # two steps of 1 / 127


def test_a_net_with_tables_survives_a_file(tmp_path) -> None:
    net = integer_actor("elu")
    integer_net.save(net, tmp_path / "n.safetensors")
    again = integer_net.load(tmp_path / "n.safetensors")
    assert again.sha256() == net.sha256()
    entries = net.operations[1].table.copy()
    entries[3] += 1
    changed = (net.operations[0], Table(**{**vars(net.operations[1]), "table": entries}), *net.operations[2:])
    assert IntegerNet(net.name, changed, net.scales, "input", net.output_name).sha256() != net.sha256()
