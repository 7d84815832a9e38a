# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Of two equal ways the mean is none, and latent 0 is drawn by the nearest of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdp_edge.bench.ring import Forks, ring_data
from kdp_edge.data.windows import make_windows
from kdp_edge.learn.generator import nearest_mode
from kdp_edge.run import RunConfig
from kdp_edge.window import Normalizer


def test_without_a_temperature_every_matched_window_counts_alike() -> None:
    matched = torch.randn(5, 8, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(nearest_mode(torch.zeros(5, 3), matched, 0.0), matched.mean(1))


def test_a_plan_goes_to_the_mode_that_it_is_nearer_to() -> None:
    rng = torch.Generator().manual_seed(0)
    sides = torch.tensor([[-1.0], [1.0]]).repeat(4, 1).expand(8, 20)
    leaning = torch.randn(64, generator=rng).sign()
    plans = 0.2 * leaning[:, None].expand(64, 20)
    for _ in range(60):
        matched = sides + 0.1 * torch.randn(64, 8, 20, generator=rng)
        plans = plans + 0.3 * (nearest_mode(plans, matched, 0.1) - plans)
    torch.testing.assert_close(plans.mean(1), leaning, atol=0.1, rtol=0)


def test_in_the_noise_of_one_mode_the_target_is_its_mean_and_has_no_gradient() -> None:
    rng = torch.Generator().manual_seed(0)
    plans = torch.zeros(4000, 40, requires_grad=True)
    matched = 1.0 + 0.3 * torch.randn(4000, 8, 40, generator=rng)
    target = nearest_mode(plans, matched, 0.1)
    assert not target.requires_grad
    assert abs(float(target.mean()) - 1.0) < 0.1


def test_the_ring_s_data_go_both_ways_where_these_are_equal_and_never_stand_still() -> None:
    data = ring_data(300, seed=0)
    config = RunConfig("ring", "ring", 4, 2, horizon=8)
    windows = make_windows(data, Normalizer.fit(data.observations), 8)
    forks = Forks(data, windows, config, seed=0)
    own = torch.as_tensor(windows.flat[forks.rows][:, None])
    row = forks.row("data", own)
    assert row["between"] < 0.1 and row["clear"] == pytest.approx(1 - row["between"])
    shares = np.sign(forks._way(own, forks.rows)).mean()
    assert abs(shares) < 0.5, "either way"
    assert forks.row("still", torch.zeros(len(forks.rows), 4, 48))["between"] == 1
