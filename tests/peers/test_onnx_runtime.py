# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""ONNX Runtime on the exported models: equal to the reference where that is promised, close where not."""

from __future__ import annotations

import numpy as np
import pytest

from kdp_edge.exporters.agent.backends import OnnxRuntime
from kdp_edge.exporters.golden import net_inputs
from kdp_edge.exporters.jetson import decided_inputs
from kdp_edge.exporters.onnx_format import run_rounding_once, to_integer, to_qdq
from kdp_edge.quantization import reference
from kdp_edge.quantization.synthetic import random_net

SHAPES = [(19, 128, 2, 56), (1, 8, 0, 1), (43, 96, 3, 32), (7, 33, 1, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("optimize", [True, False])
def test_the_integer_form_equals_the_reference_on_every_output(
    shape: tuple[int, int, int, int], seed: int, optimize: bool
) -> None:
    net = random_net("net", *shape, seed)
    inputs = net_inputs(net)
    run = OnnxRuntime(to_integer(net), net, optimize)
    np.testing.assert_array_equal(run(inputs), reference.run(net, inputs))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_qdq_form_is_what_one_rounding_gives(shape: tuple[int, int, int, int], seed: int) -> None:
    net = random_net("net", *shape, seed)
    run = OnnxRuntime(to_qdq(net), net, optimize=False)
    inputs = decided_inputs(net)
    assert len(inputs) >= 1000
    np.testing.assert_array_equal(run(inputs), run_rounding_once(net, inputs)[0])
    anything = net_inputs(net)
    assert (run(anything) != run_rounding_once(net, anything)[0]).mean() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_one_rounding_stays_within_the_noise_of_int8(seed: int) -> None:
    net = random_net("net", 19, 128, 2, 56, seed)
    inputs = net_inputs(net)
    gap = np.abs(run_rounding_once(net, inputs)[0] - reference.run(net, inputs).astype(np.int32))
    assert gap.mean() < 0.25


def test_one_rounding_with_its_bias_equals_two_after_relu() -> None:
    net = random_net("net", 19, 128, 0, 56)
    inputs = net_inputs(net)
    first = reference.run_all(net, inputs)["hidden"]
    hidden_only = type(net)("net", net.operations[:1], net.scales, "input", "hidden")
    np.testing.assert_array_equal(run_rounding_once(hidden_only, inputs)[0], first)
