# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Trajectory weights: good episodes more often, never only a lucky few."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdp_edge.data.store import DataSet
from kdp_edge.data.trajectory import effective, temperature, trajectory_merit


def data_of(returns: list[float], length: int = 5) -> DataSet:
    """Episodes of equal length with these returns."""
    rewards = np.repeat(np.array(returns, np.float32) / length, length)
    ends = np.zeros(len(rewards), bool)
    ends[length - 1 :: length] = True
    obs = np.zeros((len(rewards), 1), np.float32)
    return DataSet("t", obs, obs, rewards, obs, ends & False, ends, "", {})


@given(st.lists(st.floats(-5, 5), min_size=8, max_size=60, unique=True), st.floats(0.05, 0.9))
def test_enough_episodes_stay_effective(quality: list[float], share: float) -> None:
    values = np.array(quality)
    found = temperature(values, 0.2, share)
    assert found >= 0.2
    assert effective(values, found) >= share * len(values) * (1 - 1e-6)


def test_the_wanted_temperature_is_kept_where_it_leaves_enough() -> None:
    two_levels = np.array([-1.0] * 50 + [1.0] * 50)
    assert temperature(two_levels, 0.2, 0.25) == 0.2


def test_better_episodes_weigh_more_and_all_transitions_of_one_alike() -> None:
    merit = trajectory_merit(data_of([1.0, 2.0, 3.0, 10.0]), 0.5, 0.25).reshape(4, 5)
    assert (np.diff(merit[:, 0]) > 0).all()
    assert (merit == merit[:, :1]).all()


def test_equal_episodes_are_not_told_apart() -> None:
    assert not trajectory_merit(data_of([3.0, 3.0, 3.0]), 0.2, 0.25).any()
