# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The value gradient moves plans where values say, as far as the drift lets it."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from kdp_edge.base.errors import KdpError
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import Matches, condition_chances
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.values import Ensemble, Judge
from kdp_edge.run import RunConfig

KEYS = 256


class Rising(nn.Module):
    """Values of two members that rise by one with the action, which follows the state."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(2, 1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x[:, 1]


def upward() -> Judge:
    return Judge(cast(Ensemble, Rising()), torch.zeros(KEYS), 1.0)


def plan(improve: float, judge: Judge | None, precision: str = "float32") -> tuple[Tensor, Tensor]:
    """First actions of latent 0 and of drawn candidates, trained on actions around 0."""
    config = RunConfig(
        "t", "t", 1, 1, horizon=1, latent_dim=2, width=16, blocks=1, steps=300, batch=16, samples=8,
        positives=8, anchor_batch=64, improve=improve, improve_batch=32, precision=precision, ema=0.05,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(0)
    keys = torch.randn(KEYS, 1, generator=rng)
    flat = torch.cat([keys, 0.2 * torch.randn(KEYS, 1, generator=rng)], 1)
    pool = torch.randint(KEYS, (KEYS, 32), generator=rng)
    matches = Matches(keys, flat, pool, torch.full((KEYS, 32), 1 / 32), condition_chances(None, KEYS))
    torch.manual_seed(0)
    stage = GeneratorStage(config, matches, torch.Generator().manual_seed(0), judge)
    while stage.done < stage.total:
        stage.step()
    net: ResidualMLP = stage.deployed()
    latents = torch.randn(KEYS, 2, generator=rng)
    return net(torch.cat([keys, 0 * latents], 1))[:, 1], net(torch.cat([keys, latents], 1))[:, 1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_plans_and_candidates_rise_with_the_value_and_stay_near_the_data(precision: str) -> None:
    plain, _ = plan(0.0, upward(), precision)
    better, candidates = plan(1.0, upward(), precision)
    assert plain.mean().abs() < 0.05
    assert 0.03 < better.mean() < 0.12, "a played action weighs 4, so that 8 d^2 = d and d = 1 / 16"
    assert 0.01 < candidates.mean() < 0.12


def test_no_judge_is_needed_where_nothing_is_judged() -> None:
    assert plan(0.0, None)[0].isfinite().all()


def test_without_a_judge_nothing_can_be_weighed() -> None:
    with pytest.raises(KdpError, match=r"improve is 1\.0 without values to judge by"):
        plan(1.0, None)
