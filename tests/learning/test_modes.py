# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where data go on in two ways from alike states it is seen, and noise or a slope is not taken for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.data.store import DataSet
from kdp_edge.learn.modes import forks
from kdp_edge.learn.recipes import FORKS, choices
from tests.learning.traits import MEDIUM_EXPERT

LENGTH, SIGNALS = 20, 3


def data(offset: np.ndarray, noise: float, slope: float = 0.0) -> DataSet:
    """Episodes [E] whose two actions are `offset`, noise, and `slope` times the first signal."""
    rng = np.random.default_rng(0)
    count = len(offset) * LENGTH
    seen = rng.normal(size=(count, SIGNALS)).astype(np.float32)
    played = np.repeat(offset, LENGTH)[:, None] + noise * rng.normal(size=(count, 2)) + slope * seen[:, :1]
    ends = np.tile(np.arange(LENGTH) == LENGTH - 1, len(offset))
    rewards = np.zeros(count, np.float32)
    return DataSet("d", seen, played.astype(np.float32), rewards, seen, ends & False, ends, "", {})


COIN = np.random.default_rng(1).choice([-0.8, 0.8], 300)


def test_a_coin_that_is_tossed_per_episode_is_seen_in_its_noise() -> None:
    assert forks(data(COIN, noise=0.2)) > 0.9


def test_a_coin_is_seen_beside_what_the_state_says() -> None:
    assert forks(data(COIN, noise=0.1, slope=0.3)) > 0.5


def test_a_way_that_the_state_tells_is_no_fork() -> None:
    told = data(COIN, noise=0.1)
    told.observations[:, 0] = np.repeat(COIN, LENGTH)
    assert forks(told) < FORKS
    switch = data(np.zeros(300), noise=0.1)
    switch.actions[:] += np.sign(switch.observations[:, :1])
    assert forks(switch) < FORKS


@pytest.mark.parametrize("slope", [0.0, 2.0])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_noise_and_what_the_state_says_are_no_ways(noise: float, slope: float) -> None:
    assert forks(data(np.zeros(300), noise, slope)) < FORKS


def test_ways_whose_noise_is_as_wide_as_they_are_apart_are_one() -> None:
    assert forks(data(COIN, noise=0.8)) < FORKS


def test_too_few_windows_say_nothing() -> None:
    assert forks(data(COIN[:3], noise=0.2)) == 0


def test_latent_0_is_a_mode_where_there_are_two_ways_and_metrics_say_so() -> None:
    for share, tau, word in ((0.0, 0.0, "mean"), (0.02, 0.1, "one of them")):
        chosen = choices(replace(MEDIUM_EXPERT, forks=share), 8.0)
        (anchor,) = [choice for choice in chosen if "anchor_tau" in choice.settings]
        assert anchor.settings["anchor_tau"] == tau and word in anchor.why
