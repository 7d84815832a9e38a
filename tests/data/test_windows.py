# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Windows and neighbours against their definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdp_edge.data.store import DataSet
from kdp_edge.data.windows import make_windows, nearest, window_starts
from kdp_edge.window import Normalizer

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=20)


def ends_of(lengths: list[int]) -> np.ndarray:
    ends = np.zeros(sum(lengths), bool)
    ends[np.cumsum(lengths) - 1] = True
    return ends


@given(LENGTHS, st.integers(1, 6))
def test_windows_never_cross_an_episode_end_and_none_is_left_out(lengths: list[int], horizon: int) -> None:
    episode = np.repeat(np.arange(len(lengths)), lengths)
    expected = [
        start
        for start in range(len(episode) - horizon + 1)
        if len(set(episode[start : start + horizon])) == 1
    ]
    assert window_starts(ends_of(lengths), horizon).tolist() == expected


def test_window_rows_are_normalised_observations_then_actions_of_each_step() -> None:
    rng = np.random.default_rng(0)
    lengths, horizon = [5, 9], 3
    obs, act = rng.normal(3, 2, (14, 4)).astype(np.float32), rng.uniform(-1, 1, (14, 2)).astype(np.float32)
    ends = ends_of(lengths)
    data = DataSet("t", obs, act, np.zeros(14, np.float32), obs, ends & False, ends, "", {})
    normalizer = Normalizer.fit(obs)
    windows = make_windows(data, normalizer, horizon)
    for row, start in enumerate(windows.start):
        for step in range(horizon):
            there = windows.flat[row].reshape(horizon, 6)[step]
            np.testing.assert_allclose(there[:4], (obs[start + step] - obs.mean(0)) / obs.std(0), rtol=1e-4)
            np.testing.assert_array_equal(there[4:], act[start + step])


@given(LENGTHS, st.integers(1, 6))
def test_windows_that_begin_at_every_step_stay_at_their_episodes_last(
    lengths: list[int], horizon: int
) -> None:
    count = sum(lengths)
    obs, act = np.arange(count, dtype=np.float32)[:, None], np.zeros((count, 1), np.float32)
    ends = ends_of(lengths)
    data = DataSet("t", obs, act, np.zeros(count, np.float32), obs, ends & False, ends, "", {})
    windows = make_windows(data, Normalizer(np.zeros(1), np.ones(1)), horizon, within=1)
    last = np.repeat(np.cumsum(lengths) - 1, lengths)
    assert windows.start.tolist() == list(range(count))
    seen = windows.flat.reshape(count, horizon, 2)[..., 0]
    assert seen.tolist() == [[min(i + step, last[i]) for step in range(horizon)] for i in range(count)]


def test_nearest_finds_what_a_full_search_finds() -> None:
    keys = np.random.default_rng(0).normal(size=(1500, 3)).astype(np.float32)
    distance2, row = nearest(keys, 8)
    full = ((keys[:, None] - keys[None]) ** 2).sum(-1)
    exact = np.sort(full, 1)[:, :8]
    assert (row[:, 0] == np.arange(len(keys))).all()
    np.testing.assert_allclose(np.take_along_axis(full, row, 1), distance2, atol=1e-4)
    assert np.mean(np.isclose(distance2, exact, atol=1e-4)) > 0.99


def test_a_constant_observation_does_not_divide_by_zero() -> None:
    obs = np.ones((10, 2), np.float32)
    assert np.isfinite(Normalizer.fit(obs)(obs)).all()
