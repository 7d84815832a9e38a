# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Quality figures against data whose quality is known."""

from __future__ import annotations

import numpy as np
import pytest

from kdp_edge.data.quality import GRID, measure, occupancy
from kdp_edge.data.store import DataSet


def data_set(observations: np.ndarray, actions: np.ndarray, ends: np.ndarray) -> DataSet:
    count = len(observations)
    return DataSet(
        "t", observations, actions, np.ones(count, np.float32), observations, ends & False, ends, "",
        {"task": "hopper-medium"},
    )  # fmt: skip


def test_returns_lengths_saturation_and_constants_are_counted() -> None:
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(300, 11)).astype(np.float32)
    observations[:, 4] = 2.0
    actions = np.where(rng.random((300, 3)) < 0.25, 1.0, 0.2).astype(np.float32)
    ends = np.isin(np.arange(300), (99, 299))
    quality = measure(data_set(observations, actions, ends))
    assert quality.episodes == 2 and sum(quality.returns.counts) == 2
    assert quality.lengths.edges[0] == 100 and quality.lengths.edges[-1] == 200
    assert quality.saturated == pytest.approx(0.25, abs=0.04)
    assert quality.constant == [quality.observations[4].name]
    assert quality.duplicates == 0


def test_coverage_tells_a_line_from_a_cloud() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.uniform(-1, 1, (20000, 2))
    line = np.outer(rng.uniform(-1, 1, 20000), [1.0, 0.5])
    assert (occupancy(cloud) > 0).sum() > 5 * (occupancy(line) > 0).sum()
    assert occupancy(cloud).shape == (GRID, GRID) and occupancy(cloud).sum() == 20000
