# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Neighbours: how they are weighed, and what of their windows a condition is shown."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdp_edge.data.windows import nearest
from kdp_edge.learn.clone import MeanStage
from kdp_edge.learn.matches import Matches, condition_chances, match_weights
from kdp_edge.run import RunConfig


@settings(deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_weights_depend_on_no_unit_of_the_keys(unit: float, seed: int) -> None:
    distance2 = torch.rand(5, 8, generator=torch.Generator().manual_seed(seed)).sort().values
    distance2[0, 5:] = torch.inf  # fewer neighbours were found
    merit = torch.zeros(5, 8)
    plain, scaled = (match_weights(scale * distance2, merit, 0.35) for scale in (1.0, unit**2))
    torch.testing.assert_close(plain, scaled, rtol=1e-3, atol=1e-5)
    assert (plain[0, 5:] == 0).all()


def test_windows_that_coincide_weigh_alike() -> None:
    torch.testing.assert_close(match_weights(torch.zeros(2, 4), None, 0.35), torch.full((2, 4), 0.25))


def linear(count: int, noise: float) -> tuple[Matches, torch.Tensor]:
    """Windows that are a linear function of sparse keys, plus noise; every neighbour weighs alike."""
    rng = torch.Generator().manual_seed(0)
    keys = torch.randn(count, 3, generator=rng)
    mean = keys @ torch.randn(3, 5, generator=rng)
    flat = mean + noise * torch.randn(count, 5, generator=rng)
    _, pool = nearest(keys.numpy(), 8)
    matches = Matches(
        keys, flat, torch.from_numpy(pool), torch.full((count, 8), 1 / 8), condition_chances(None, count)
    )
    return matches, mean


def test_a_neighbour_stands_for_what_is_special_about_its_window() -> None:
    matches, mean = linear(64, noise=0.1)
    centered = Matches(matches.keys, matches.flat, matches.pool, matches.weight, matches.cumulative, mean)
    rows = torch.arange(64)
    errors = []
    for one in (matches, centered):
        drawn = one.draw(rows, 200, torch.Generator().manual_seed(1))
        errors.append((drawn - mean[:, None]).square().mean().sqrt().item())
    assert abs(errors[1] - 0.1) < 0.02, "only the noise is left"
    assert errors[0] > 5 * errors[1], "without the mean, the keys' distance widens every condition"


def test_the_own_window_stays_as_it_is_whatever_the_mean() -> None:
    matches, _ = linear(16, noise=0.1)
    own = torch.arange(16)[:, None].expand(-1, 8).contiguous()
    wrong = torch.full_like(matches.flat, 3.0)
    alone = Matches(matches.keys, matches.flat, own, matches.weight, matches.cumulative, wrong)
    drawn = alone.draw(torch.arange(16), 2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn, matches.flat[:, None].expand(-1, 2, -1))


def test_mean_windows_are_learned() -> None:
    matches, mean = linear(512, noise=0.3)
    config = RunConfig(
        "t", "t", 3, 2, horizon=1, width=64, mean_steps=400, batch=16, samples=4, anchor_batch=64
    )
    torch.manual_seed(0)
    stage = MeanStage(config, matches, torch.Generator().manual_seed(0))
    while stage.done < stage.total:
        stage.step()
    error = (stage.center() - mean).square().mean().sqrt()
    assert error < 0.2, "less than the noise of one window"
