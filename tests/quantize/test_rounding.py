# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Weights rounded together: their layer's sums come closer than with the nearest integers."""

from __future__ import annotations

import numpy as np
import pytest

from kdp_edge.quantization import reference
from kdp_edge.quantization.float_net import FloatNet, Layer
from kdp_edge.quantization.integer_net import IntegerNet
from kdp_edge.quantization.post_training import quantize_net
from kdp_edge.quantization.rounding import rounded_together


@pytest.fixture(scope="module")
def states() -> np.ndarray:
    """float32 [3000, 24] from -1 to 1, of 8 directions and a little of its own: as signals of a robot are."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(3000, 8)) @ rng.normal(size=(8, 24)) + 0.1 * rng.normal(size=(3000, 24))
    return (mixed / np.abs(mixed).max(0)).astype(np.float32)


@pytest.fixture(scope="module")
def net(states: np.ndarray) -> FloatNet:
    rng = np.random.default_rng(1)

    def layer(outputs: int, inputs: int) -> Layer:
        weight = rng.standard_t(3, (outputs, inputs)) * inputs**-0.5  # few large weights, as trained ones
        return Layer(weight.astype(np.float32), rng.normal(0, 0.1, outputs).astype(np.float32))

    made = FloatNet(layer(48, 24), ((layer(48, 48), layer(48, 48)),), layer(5, 48))
    return made.with_unit_ranges(np.ones(24, np.float32), np.abs(made(states)).max(0))


def steps(net: IntegerNet, inputs: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(inputs / net.scales["input"]), -128, 127).astype(np.int8)


def together(net: FloatNet, inputs: np.ndarray, per_channel: bool = True) -> tuple[IntegerNet, IntegerNet]:
    one_by_one = quantize_net(net, inputs, "n", per_channel)
    (inner, branch), wanted = net.blocks[0], net.activations(inputs)
    layers = {"first": net.first, "block0_inner": inner, "block0_branch": branch, "last": net.last}
    integers = steps(one_by_one, inputs)
    return one_by_one, rounded_together(one_by_one, layers, wanted, integers, per_channel)


@pytest.mark.parametrize("per_channel", [True, False])
def test_answers_to_states_it_was_not_fitted_to_come_closer(
    net: FloatNet, states: np.ndarray, per_channel: bool
) -> None:
    seen, unseen = states[:2000], states[2000:]

    def error(made: IntegerNet) -> float:
        found = reference.run(made, steps(made, unseen)) * made.scales["output"]
        return float(np.square(found - net(unseen)).mean())

    one_by_one, made = together(net, seen, per_channel)
    assert error(made) < 0.9 * error(one_by_one)
    assert made.scales == one_by_one.scales
    for op in made.linears:
        assert (np.unique(op.weight_scale).size == 1) is not per_channel


@pytest.mark.parametrize("count", [1, 7])
def test_few_states_leave_the_trained_weights(net: FloatNet, states: np.ndarray, count: int) -> None:
    one_by_one, made = together(net, np.repeat(states[:count], 3, 0))
    for before, after in zip(one_by_one.linears, made.linears, strict=True):
        gap = after.weight * after.weight_scale[:, None] - before.weight * before.weight_scale[:, None]
        assert np.std(gap) < 0.25 * np.std(before.weight * before.weight_scale[:, None])
