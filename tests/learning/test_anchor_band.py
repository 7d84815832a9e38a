# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Latent 0 regresses on the mean of what was done in a state, or on its median."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdp_edge.learn.generator import GeneratorStage, median_cost
from kdp_edge.learn.matches import Matches, condition_chances
from kdp_edge.run import RunConfig

CONFIG = RunConfig(
    "t", "t", 1, 1, horizon=2, latent_dim=2, width=8, blocks=1, batch=4, samples=4, positives=4,
    anchor_batch=16, anchor=3.0,
)  # fmt: skip
GRID = torch.linspace(-1.2, 1.2, 2401)[:, None]


def least(actions: torch.Tensor, band: float) -> float:
    """Where the mean cost of a plan to all of `actions` is least, to 0.001."""
    cost = torch.stack([median_cost(GRID - action, torch.tensor([band])) for action in actions]).mean(0)
    return GRID[cost.argmin()].item()


def test_without_a_band_the_least_cost_is_at_the_mean_and_with_a_narrow_one_at_the_median() -> None:
    torch.manual_seed(0)
    pushes = torch.tanh(1.5 + 1.5 * torch.randn(501))  # a policy near its actuator's limit, cut there
    assert least(pushes, 0.0) == pytest.approx(pushes.mean().item(), abs=2e-3)
    assert least(pushes, 0.01) == pytest.approx(np.median(pushes.numpy()), abs=1e-2)
    assert pushes.median() > pushes.mean() + 0.1, "a mean of these pushes less"


def test_of_two_ways_the_least_cost_is_within_the_band_of_what_most_do() -> None:
    """Seven in ten at 1, the others at -1: 0.7 * (1 - x) = 0.3 * band, by hand."""
    ways = torch.tensor([1.0] * 7 + [-1.0] * 3)
    assert least(ways, 0.0) == pytest.approx(0.4, abs=1e-3)
    assert least(ways, 0.05) == pytest.approx(1 - 0.3 * 0.05 / 0.7, abs=1e-3)


def test_actions_have_the_band_and_observations_none() -> None:
    rng = torch.Generator().manual_seed(0)
    keys, flat = torch.randn(32, 1, generator=rng), torch.randn(32, 4, generator=rng)
    own = torch.arange(32)[:, None]
    matches = Matches(keys, flat, own, torch.ones(32, 1), condition_chances(None, 32))
    losses = {}
    for band in (0.0, 0.05):
        torch.manual_seed(0)
        config = replace(CONFIG, anchor_band=band)
        stage = GeneratorStage(config, matches, torch.Generator().manual_seed(0))
        np.testing.assert_allclose(stage.band, [0, band * config.played_weight, 0, band * 2.0])
        with torch.no_grad():
            inputs, _, target = stage.feed.next()
            gap = stage.online(inputs)[-CONFIG.anchor_batch :] - target[:, 0]
        stage.feed.used -= 1  # the step reads the same
        stage.step()
        losses[band] = stage.loss.item(), 3.0 * median_cost(gap, stage.band).mean().item()
    (mean, of_mean), (median, of_median) = losses[0.0], losses[0.05]
    assert mean - median == pytest.approx(of_mean - of_median, rel=1e-4)
