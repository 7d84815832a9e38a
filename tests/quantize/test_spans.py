# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How far an observation's int8 reaches: as far as pays for the actions that are played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kdp_edge.quantization.limits import Wishes
from kdp_edge.quantization.policy import integers_of
from kdp_edge.quantization.spans import signal_spans
from kdp_edge.run import Run
from tests.export.runs import write_run

COUNT = 4096


def played(states: np.ndarray) -> np.ndarray:
    """A steep policy of both signals, at its limits where a state is far out."""
    return np.tanh(2 * states).astype(np.float32)


def error(states: np.ndarray, spans: np.ndarray) -> float:
    """Squared error of the actions where int8 reach `spans`."""
    step = spans / 127
    told = step * np.rint(states / step).clip(-128, 127)
    return float(np.square(played(told.astype(np.float32)) - played(states)).mean())


@pytest.fixture()
def states() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32)


def test_what_is_spread_evenly_is_reached_to_its_farthest_value(states: np.ndarray) -> None:
    np.testing.assert_array_equal(signal_spans(states, played), np.abs(states).max(0))


@pytest.mark.parametrize("outliers", [1, 20])
def test_outliers_do_not_take_the_levels_of_the_rest(states: np.ndarray, outliers: int) -> None:
    states[:outliers, 1] = 30
    spans, farthest = signal_spans(states, played), np.abs(states).max(0)
    assert spans[0] == farthest[0] and spans[1] < farthest[1] / 3
    assert error(states, spans) < error(states, farthest) / 5


def test_rare_values_that_decide_what_is_played_stay_in_reach(states: np.ndarray) -> None:
    states[:, 1] = np.where(np.arange(COUNT) % 400 == 0, 20, 0)  # a switch, pressed now and then

    def pressed(seen: np.ndarray) -> np.ndarray:
        return (seen[:, 1:] / 20 - 0.5).astype(np.float32)

    assert signal_spans(states, pressed)[1] == 20


def test_a_signal_that_nothing_reads_and_one_that_never_moves_stay(states: np.ndarray) -> None:
    states[:, 0] *= 10
    states[:, 1] = 0

    def deaf(seen: np.ndarray) -> np.ndarray:
        return np.zeros((len(seen), 1), np.float32)

    np.testing.assert_array_equal(signal_spans(states, deaf), [np.abs(states[:, 0]).max(), np.float32(1e-4)])


def test_outliers_of_a_run_shorten_its_planners_reach(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    plain = integers_of(Run.load(path)).spec
    states = load_file(path / "calibration.safetensors")["observations"]
    np.testing.assert_allclose(127 / plain.float32("obs_gain"), np.abs(states).max(0), rtol=1e-3)
    states[:4, 5] = 60
    save_file({"observations": states}, path / "calibration.safetensors")
    planner = integers_of(Run.load(path))
    reach = 127 / planner.spec.float32("obs_gain")
    assert reach[5] < 30, "of 60"
    np.testing.assert_array_equal(np.delete(planner.spec.obs_gain, 5), np.delete(plain.obs_gain, 5))
    assert planner.quantize_observation(states[0])[5] == 127, "what lies beyond is read as its limit"


def test_a_reach_does_not_depend_on_how_many_steps_are_played(tmp_path: Path) -> None:
    """Engines and fine-tuning read the trained layers in the units of the run, whatever a device plays."""
    path = write_run(tmp_path / "run")
    states = load_file(path / "calibration.safetensors")["observations"]
    for signal in range(11):
        states[20 * signal : 20 * signal + 12, signal] = 12 + 2 * signal
    save_file({"observations": states}, path / "calibration.safetensors")
    gains = [integers_of(Run.load(path), wishes=Wishes(chunk=chunk)).spec.obs_gain for chunk in (1, 2, 4)]
    assert gains[0] == gains[1] == gains[2]
