# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A policy better than the data's: found where the data know of it, and led to by matched windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.matches import Matches, condition_chances
from kdp_edge.learn.prepare import led, prepare
from kdp_edge.learn.values import Judge, Transitions
from kdp_edge.run import RunConfig

COUNT = 4096
CONFIG = RunConfig(
    "t", "t", 1, 1, horizon=2, value_batch=256, value_lr=3e-3, discount=0.5,
    actor_steps=600, actor_width=32, actor_ensemble=3, actor_hold=0.01,
)  # fmt: skip


def transitions(best: float) -> Transitions:
    """One step from any state, rewarded by how near the action is to `best`; the data play 0 and noise."""
    rng = torch.Generator().manual_seed(0)
    states, following = torch.randn(2, COUNT, 1, generator=rng)
    actions = (0.3 * torch.randn(COUNT, 1, generator=rng)).clamp(-1, 1)
    rewards = 1 - (actions[:, 0] - best).square()
    inputs = torch.cat([states, actions], 1)
    return Transitions(
        inputs, following, rewards / (1 - CONFIG.discount), rewards,
        torch.arange(COUNT), torch.full((COUNT,), CONFIG.discount),
    )  # fmt: skip


def trained(best: float, **changes: float | str) -> TD3BCStage:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # small products: threads that wait for each other cost more
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    stage = TD3BCStage(config, transitions(best), torch.Generator().manual_seed(0))
    while stage.done < stage.total:
        stage.step()
    return stage


STATES = torch.linspace(-1, 1, 9)[:, None]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_policy_finds_the_action_that_the_data_only_try(precision: str) -> None:
    actions = trained(0.5, precision=precision).actions(STATES)
    assert actions.shape == (9, 1) and actions.dtype == torch.float32
    assert (actions - 0.5).abs().max() < 0.12


def test_a_policy_that_is_held_stays_with_the_data() -> None:
    assert trained(0.5, actor_hold=30.0).actions(STATES).abs().max() < 0.12


def test_its_values_are_those_of_the_policy() -> None:
    stage = trained(0.5, actor_steps=1500)
    known = Judge(stage.slow_critics.unrounded(), torch.zeros(COUNT), 1.0)
    judge = stage.judge(known)
    assert torch.equal(judge.of_data, known.of_data)
    best, zero = torch.full_like(STATES, 0.5), torch.zeros_like(STATES)
    values = judge.q(torch.cat([STATES, best], 1))
    assert values.shape == (3, 9)
    # the best action earns 1, later ones 0.96: targets are made with noise; the data's play earns 0.66
    assert (values - (1 + 0.96)).abs().max() < 0.1
    # 0.25 more than action 0, in units of the spread of (a - 0.5)^2 over the data: sqrt(0.3^2 + 2 * 0.3^4)
    assert (judge.gain(STATES, best, zero) - 0.25 / 0.326).abs().max() < 0.1


def windows(count: int = 64) -> Matches:
    rng = torch.Generator().manual_seed(1)
    keys, flat = torch.randn(count, 1, generator=rng), torch.randn(count, 4, generator=rng)
    pool = torch.randint(count, (count, 8), generator=rng)
    weight, chances = torch.full((count, 8), 1 / 8), condition_chances(None, count)
    return Matches(keys, flat, pool, weight, chances, torch.randn(count, 4, generator=rng))


def test_windows_are_moved_to_the_policy_and_keep_what_is_special_about_them() -> None:
    actor, matches = trained(0.5, actor_steps=50), windows()
    assert matches.center is not None

    def moved(chunk: int) -> tuple[Tensor, Tensor]:
        found = led(matches, actor, replace(CONFIG, chunk=chunk))
        assert found.center is not None
        torch.testing.assert_close(found.residual, matches.residual)
        torch.testing.assert_close(found.flat - found.center, found.residual)
        return found.center, actor.actions(matches.center[:, 2:3])

    center, later = moved(1)
    torch.testing.assert_close(center[:, 1:2], actor.actions(matches.keys))
    torch.testing.assert_close(center[:, [0, 2, 3]], matches.center[:, [0, 2, 3]])
    center, later = moved(2)
    torch.testing.assert_close(center[:, 3:4], later, msg="the second action follows the mean second state")


def test_a_policy_without_mean_windows_is_refused() -> None:
    config = replace(CONFIG, mean_steps=0)
    with pytest.raises(KdpError, match=r"actor_steps moves mean windows, and mean_steps is 0"):
        prepare(config, np.zeros(0), None)  # type: ignore[arg-type]
