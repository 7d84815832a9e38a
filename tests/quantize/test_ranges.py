# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Ranges of observations: none without width, none in another unit than the signal's own."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from kdp_edge.quantization.plan_spec import accepted
from kdp_edge.quantization.policy import coarse_signals
from kdp_edge.window import Normalizer, float32_step, int8_levels


@pytest.mark.parametrize("value", [0.0, 1.0, -3e-5, 1e6, -1e6, 1.7e9, 2.0**24, 1e30])
@pytest.mark.parametrize("flips", [0, 1])
def test_the_accepted_range_of_a_constant_has_width(value: float, flips: int) -> None:
    states = np.full((50, 1), value, np.float32)
    states[7 : 7 + flips] = np.nextafter(states[7 : 7 + flips], np.float32(np.inf))
    normalizer = Normalizer.fit(states)
    low, high = (bound.astype(np.float32) for bound in accepted(states, normalizer))
    one = np.float32(value)
    for _ in range(8):
        one = np.nextafter(one, np.float32(np.inf))
    assert low[0] < value and one < high[0]
    assert np.abs(normalizer(states)).max() <= 1  # rounding is not taken for a signal


@pytest.mark.parametrize("unit", [1e-12, 3e-7, 1.0, 1e6])
def test_a_signal_is_normalised_whatever_its_unit(unit: float) -> None:
    signal = np.random.default_rng(0).normal(size=(500, 1))
    states = (unit * (signal + 100)).astype(np.float32)
    normalizer = Normalizer.fit(states)
    assert normalizer(states).std() == pytest.approx(1, rel=1e-2)
    low, high = accepted(states, normalizer)
    assert high[0] - low[0] == pytest.approx(5 * (states.max() - states.min()), rel=1e-3)


def test_one_glitch_takes_the_levels_of_its_signal_alone() -> None:
    states = np.random.default_rng(0).normal(size=(900, 3)).astype(np.float32)
    states[:, 2] = np.arange(900) % 50 == 0  # a contact: two values need no more levels
    assert (int8_levels(states) > 100).all()
    states[100, 0] = 1e4
    assert int8_levels(states)[0] == 1 and (int8_levels(states)[1:] > 100).all()


def test_a_float32_step_is_the_distance_of_neighbours() -> None:
    values = np.array([[1.0, -(2.0**24), 1.7e9]])
    np.testing.assert_array_equal(float32_step(values)[1:], [2.0, 128.0])
    assert float32_step(values)[0] == np.finfo(np.float32).eps


@dataclass(frozen=True)
class FakeRun:
    """What `coarse_signals` reads of a run."""

    states: np.ndarray
    fitted: Normalizer

    def calibration(self) -> np.ndarray:
        return self.states

    def normalizer(self) -> Normalizer:
        return self.fitted


@pytest.mark.parametrize("sampled", [True, False])
def test_a_glitch_is_named_whether_it_is_among_the_calibration_states_or_not(sampled: bool) -> None:
    states = np.random.default_rng(0).normal(size=(900, 3)).astype(np.float32)
    states[:, 2] = 7.0
    assert coarse_signals(FakeRun(states, Normalizer.fit(states)), reaching(states)) == {}
    states[100, 0] = 1e4
    seen = states if sampled else np.delete(states, 100, 0)
    assert coarse_signals(FakeRun(seen, Normalizer.fit(states)), reaching(states)) == {"a": 1}


def test_a_glitch_that_the_int8_does_not_reach_takes_no_levels() -> None:
    states = np.random.default_rng(0).normal(size=(900, 3)).astype(np.float32)
    planner = reaching(states)
    states[100, 0] = 40  # four dozen levels for all others, if it counted
    assert "a" not in coarse_signals(FakeRun(states, Normalizer.fit(states)), planner)
    assert int8_levels(states)[0] < 32


def reaching(states: np.ndarray) -> SimpleNamespace:
    """A planner whose int8 reach the farthest of `states`."""
    mean = states.mean(0)
    reach = np.maximum(np.abs(states - mean).max(0), 1e-4)
    lists = {"obs_offset": mean, "obs_gain": 127 / reach}
    return SimpleNamespace(spec=SimpleNamespace(obs_names=["a", "b", "c"], float32=lists.__getitem__))
