# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The plan of latent 0 as what was played in its own state, by advantage, and as nothing of neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from kdp_edge.bench.rivals.regression import AdvantageStage
from kdp_edge.data.windows import Windows
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import OWN_MOST, Matches, make_matches
from kdp_edge.learn.values import Ensemble, Judge
from kdp_edge.run import RunConfig

STATES, EACH = 4, 100
TILT = 1 / 3  # so that IQL's own temperature of 3 is the same
CONFIG = RunConfig(
    "t", "t", STATES, 1, horizon=1, latent_dim=8, width=32, blocks=1, steps=600, batch=8, samples=4,
    anchor_batch=256, anchor=30.0, anchor_own=1, tilt=TILT, lr=3e-3, ema=0.05,
)  # fmt: skip


def played() -> tuple[Windows, np.ndarray]:
    """Each of four states many times, half of its actions around 0.5 and good; neighbours all lie elsewhere.

    Returns:
        windows and the advantage of each.
    """
    rng = np.random.default_rng(0)
    state = np.repeat(np.arange(STATES), EACH)
    keys = np.eye(STATES, dtype=np.float32)[state]
    good = rng.random(len(state)) < 0.5
    actions = np.where(good, 0.5, -0.5) + rng.normal(0, 0.1, len(state)) + 0.2 * state
    flat = np.concatenate([keys, actions[:, None]], 1).astype(np.float32)
    advantage = np.where(good, 0.3, -0.3) + rng.normal(0, 0.1, len(state))
    return Windows(np.arange(len(state)), keys, flat), advantage.astype(np.float32)


def matched(config: RunConfig, worth: np.ndarray | None = None) -> tuple[Matches, Tensor]:
    """Matches whose every neighbour is of another state, and the windows' advantages."""
    windows, advantage = played()
    pool = np.stack([(np.arange(len(advantage)) + EACH + i) % len(advantage) for i in range(8)], 1)
    judge = Judge(cast(Ensemble, None), torch.from_numpy(advantage), 1.0)
    worth = np.zeros(len(advantage), np.float32) if worth is None else worth
    matches = make_matches(config, windows, np.ones(pool.shape, np.float32), pool, judge, worth)
    return matches, judge.of_data


def plans(config: RunConfig) -> Tensor:
    """Actions of latent 0 in each state [S]."""
    torch.manual_seed(0)
    stage = GeneratorStage(config, matched(config)[0], torch.Generator().manual_seed(0))
    while stage.done < stage.total:
        stage.step()
    return cast(Tensor, stage.deployed()(torch.eye(STATES, STATES + config.latent_dim)))[:, -1].detach()


def test_the_plan_is_the_mean_of_its_states_own_actions_by_their_advantage() -> None:
    windows, advantage = played()
    weight = np.exp(advantage / TILT)
    mean = [np.average(windows.flat[one, -1], weights=weight[one]) for one in windows.keys.T.astype(bool)]
    np.testing.assert_allclose(plans(CONFIG).numpy(), mean, atol=0.04)


def test_it_is_the_policy_of_iql() -> None:
    matches, advantage = matched(CONFIG)
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    rival = AdvantageStage(replace(CONFIG, latent_dim=0), matches.keys, matches.flat, advantage, rng)
    while rival.done < rival.total:
        rival.step()
    theirs = rival.deployed()(torch.eye(STATES))[:, -1].detach()
    torch.testing.assert_close(plans(CONFIG), theirs, atol=0.06, rtol=0)


def test_matched_windows_of_other_states_would_tell_another_plan() -> None:
    assert (plans(replace(CONFIG, anchor_own=0)) - plans(CONFIG)).abs().max() > 0.15


def test_no_single_window_outweighs_all_others_and_good_episodes_count() -> None:
    matches, advantage = matched(CONFIG, worth=np.repeat([0.0, 1.0], 200).astype(np.float32))
    assert matches.own is not None
    chance = matches.own.diff(prepend=torch.zeros(1, dtype=torch.float64))
    expected = (advantage / TILT).exp() * torch.tensor([1.0, np.e]).repeat_interleave(200)
    torch.testing.assert_close(chance, (expected / expected.sum()).double(), rtol=1e-4, atol=1e-9)
    windows, _ = played()
    one = np.zeros(len(advantage), np.float32)
    one[7] = 3.0
    judge = Judge(cast(Ensemble, None), torch.from_numpy(one), 1.0)
    pool = np.zeros((len(one), 1), np.int64)
    cut = make_matches(CONFIG, windows, np.ones(pool.shape, np.float32), pool, judge, 0 * one).own
    assert cut is not None
    assert (cut[7] - cut[6]) / cut[0] == pytest.approx(OWN_MOST, rel=1e-6)
