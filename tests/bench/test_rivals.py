# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every rival does what its paper says: on known distributions, and against independent calculations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from kdp_edge.bench.rivals import meanflow, shortcut
from kdp_edge.bench.rivals.driftql import SAMPLES, DriftQLStage, action_drift
from kdp_edge.bench.rivals.flow import FlowStage, euler
from kdp_edge.bench.rivals.fql import FQLStage
from kdp_edge.bench.rivals.meanflow import MeanFlowStage
from kdp_edge.bench.rivals.regression import (
    IQL_BETA,
    AdvantageStage,
    DriftOffStage,
    WeightedStage,
    best_windows,
)
from kdp_edge.bench.rivals.shortcut import HALVINGS, ShortcutStage
from kdp_edge.bench.rivals.transport import TransportNet
from kdp_edge.data.store import DataSet
from kdp_edge.data.windows import Windows
from kdp_edge.learn.drift import drift_field
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import OWN_MOST, Matches
from kdp_edge.learn.values import Ensemble, Judge
from kdp_edge.run import RunConfig

TINY = RunConfig(
    "t", "t", 1, 1, horizon=1, width=32, steps=600, batch=16, samples=8, anchor_batch=128, lr=3e-3
)
SHORT = replace(TINY, steps=200)
STATE = 0.2
SPREAD = 0.25


def matches_of(noise: Tensor) -> Matches:
    """Windows whose single action is the state plus `noise` [M]."""
    rng = torch.Generator().manual_seed(0)
    state = torch.rand(len(noise), 1, generator=rng) * 2 - 1
    own = torch.arange(len(noise))[:, None]
    chances = torch.arange(1, len(noise) + 1, dtype=torch.float64) / len(noise)
    return Matches(state, torch.cat([state, state + noise[:, None]], 1), own, torch.ones_like(state), chances)


def gaussian() -> Matches:
    return matches_of(SPREAD * torch.randn(4000, generator=torch.Generator().manual_seed(1)))


def two_modes() -> Matches:
    return matches_of(0.5 * torch.sign(torch.rand(4000, generator=torch.Generator().manual_seed(1)) - 0.5))


def judge() -> Judge:
    torch.manual_seed(3)
    return Judge(Ensemble(2, 2, 8).requires_grad_(False), torch.zeros(1), 1.0)


def trained(stage: Any) -> Any:
    torch.set_num_threads(1)
    while stage.done < stage.total:
        stage.step()
    return stage


def seeded(seed: int = 0) -> torch.Generator:
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def conditions(count: int = 1000, numbers: int = 2) -> tuple[Tensor, Tensor]:
    noise = torch.randn(count, numbers, generator=torch.Generator().manual_seed(7))
    return torch.full((count, 1), STATE), noise


@pytest.fixture(scope="module")
def flow() -> TransportNet:
    """Of two modes, trained once."""
    found: TransportNet = trained(FlowStage(TINY, two_modes(), seeded())).average
    return found


def test_ten_steps_along_the_flow_find_both_modes(flow: TransportNet) -> None:
    action = flow.sample(*conditions(), euler())[:, 1]
    near = ((action - STATE).abs() - 0.5).abs() < 0.2
    assert near.float().mean() > 0.75
    assert 0.35 < (action > STATE).float().mean() < 0.65


@pytest.mark.parametrize(
    "make, schedule, least",
    [(MeanFlowStage, meanflow.ONE_STEP, 0.4), (ShortcutStage, shortcut.ONE_STEP, 0.7)],
    ids=["meanflow", "shortcut"],
)
def test_one_evaluation_has_mean_and_spread_of_the_data(make: Any, schedule: Any, least: float) -> None:
    """Velocities alone give the mean, without spread; MeanFlow has 0.53 of it here, 0.76 in 1,500 steps."""
    stage = trained(make(TINY, gaussian(), judge(), seeded()))
    action = stage.average.sample(*conditions(), schedule)[:, 1]
    assert action.mean() == pytest.approx(STATE, abs=0.08)
    assert least < action.std() / SPREAD < 1.3


def test_fql_learns_where_the_flow_takes_the_same_noise(flow: TransportNet) -> None:
    stage = FQLStage(TINY, two_modes(), flow, judge(), seeded(1))
    state, noise, target = (part[0] for part in stage._draw(1))
    followed = noise.clone()
    for step in range(10):  # Euler's method, written out
        level = torch.full((len(noise),), step / 10)
        followed = followed + flow(state, followed, level) / 10
    torch.testing.assert_close(target, followed)
    net = trained(stage).deployed()
    state, noise = conditions()
    wanted = flow.sample(state, noise, euler())[:, 1]
    found = net(torch.cat([state, noise], -1))[:, 1]
    assert (found - wanted).abs().mean() < 0.3 * wanted.std()
    near = ((found - STATE).abs() - 0.5).abs() < 0.25
    assert near.float().mean() > 0.6, "one step keeps the modes"


def test_the_slope_of_meanflow_is_a_finite_difference_along_the_flow() -> None:
    stage = MeanFlowStage(TINY, gaussian(), judge(), seeded())
    net = stage.online.double()
    state, noisy = (part.double() for part in conditions(50))
    begin, end = torch.full((50,), 0.3).double(), torch.full((50,), 0.8).double()
    velocity = torch.randn(50, 2, generator=torch.Generator().manual_seed(2)).double()
    net.net.double()
    slope = stage_slope(stage, state, noisy, begin, end, velocity)
    small = 1e-6
    after = net.net(features(state, noisy + small * velocity, begin, end + small))
    before = net.net(features(state, noisy - small * velocity, begin, end - small))
    torch.testing.assert_close(slope, (after - before) / (2 * small), rtol=1e-4, atol=1e-5)


def stage_slope(stage: MeanFlowStage, *parts: Tensor) -> Tensor:
    with torch.no_grad():
        return stage.slope(*parts).double()


def features(state: Tensor, noisy: Tensor, *levels: Tensor) -> Tensor:
    angles = [level[:, None] * torch.tensor([1.0, 2.0, 4.0, 8.0]) * (np.pi / 2) for level in levels]
    return torch.cat([state, noisy, *(f for angle in angles for f in (angle.sin(), angle.cos()))], -1)


def test_a_shortcut_learns_two_half_steps_of_the_average_net() -> None:
    stage = ShortcutStage(TINY, gaussian(), judge(), seeded())
    state, noisy = conditions(6)
    level, halvings = torch.tensor([0.0, 0.5, 0.25, 0.0, 0.875, 0.75]), torch.tensor([0, 1, 2, 6, 3, 2])
    found = stage.two_halves(state, noisy, level, halvings.float())
    for i, count in enumerate(halvings.tolist()):
        half, depth = torch.tensor([0.5 ** (count + 1)]), torch.tensor([(count + 1) / HALVINGS])
        row, time = slice(i, i + 1), level[i : i + 1]
        middle = noisy[row] + half * stage.average(state[row], noisy[row], time, depth)
        end = middle + half * stage.average(state[row], middle, time + half, depth)
        torch.testing.assert_close(found[row], (end - noisy[row]) / (2 * half), rtol=1e-4, atol=1e-5)


def test_shortcuts_begin_at_multiples_of_their_step_and_end_within_the_way() -> None:
    stage = ShortcutStage(TINY, gaussian(), judge(), seeded())
    _, _, level, halvings, _ = stage._draw(4)
    short = slice(0, stage.batch // 4)
    step = 0.5 ** halvings[:, short]
    assert set(halvings[:, short].flatten().tolist()) == set(map(float, range(HALVINGS)))
    assert (level[:, short] % step == 0).all() and (level[:, short] + step <= 1).all()
    assert (halvings[:, stage.batch // 4 :] == HALVINGS).all()


def test_the_drift_of_actions_is_its_formula() -> None:
    rng = torch.Generator().manual_seed(4)
    samples, positive = torch.randn(3, 5, 2, generator=rng), torch.randn(3, 2, generator=rng)
    found = action_drift(samples, positive, 0.3)
    for b in range(3):
        for i in range(5):
            others = [j for j in range(5) if j != i]
            kernel = [
                math.exp(-(samples[b, i] - samples[b, j]).norm().item() / (2**0.5 * 0.3)) for j in others
            ]
            push = sum(
                k * (samples[b, j] - samples[b, i]) for k, j in zip(kernel, others, strict=True)
            ) / sum(kernel)
            wanted = positive[b] - samples[b, i] - push
            torch.testing.assert_close(found[b, i], wanted, rtol=1e-4, atol=1e-5)


def test_samples_closer_than_the_kernel_are_pushed_apart_as_much_as_they_are_drawn_together() -> None:
    """So the spread of DriftQL is no larger than its temperature, and below that what it happens to be."""
    samples = 0.01 * torch.randn(1, 6, 2, generator=torch.Generator().manual_seed(4))
    found = action_drift(samples, torch.tensor([[0.5, -0.5]]), temperature=1e3)
    torch.testing.assert_close(found - found.mean(1, keepdim=True), (samples - samples.mean(1)) / 5)
    apart = action_drift(100 * samples, torch.zeros(1, 2), temperature=1e-3)  # each sees its nearest alone
    nearest = torch.cdist(samples, samples).add(10 * torch.eye(6)).argmin(-1)[0]
    torch.testing.assert_close(apart[0], -100 * samples[0, nearest], rtol=1e-3, atol=1e-3)


def test_driftql_plays_around_the_mean_of_the_data() -> None:
    net = trained(DriftQLStage(SHORT, gaussian(), judge(), seeded())).deployed()
    action = net(torch.cat(conditions(numbers=1), -1))[:, 0]
    assert action.mean() == pytest.approx(STATE, abs=0.1)
    assert action.std() < SPREAD


def fql(config: RunConfig, matches: Matches, verdict: Judge, rng: torch.Generator) -> FQLStage:
    flow = FlowStage(config, matches, torch.Generator().manual_seed(0)).average
    return FQLStage(config, matches, flow, verdict, rng)


def one_step(stage: Any, schedule: Any) -> Tensor:
    return stage.average.sample(*conditions(), schedule)[:, 1:]


@pytest.mark.parametrize(
    "make, act",
    [
        (MeanFlowStage, lambda stage: one_step(stage, meanflow.ONE_STEP)),
        (ShortcutStage, lambda stage: one_step(stage, shortcut.ONE_STEP)),
        (fql, lambda stage: stage.deployed()(torch.cat(conditions(), -1))[:, 1:]),
        (DriftQLStage, lambda stage: stage.deployed()(torch.cat(conditions(numbers=1), -1))),
        (WeightedStage, lambda stage: stage.deployed()(conditions()[0])[:, 1:]),
    ],
    ids=["meanflow", "shortcut", "fql", "driftql", "weighted"],
)
def test_values_pull_the_actions_that_are_played(make: Any, act: Callable[[Any], Tensor]) -> None:
    verdict, values = judge(), []
    for improve in (0.0, 5.0):
        config = replace(TINY, steps=100, improve=improve, improve_batch=64)
        actions = act(trained(make(config, gaussian(), verdict, seeded()))).clamp(-1, 1)
        state = torch.full((len(actions), 1), STATE)
        values.append(verdict.q(torch.cat([state, actions], -1)).min(0).values.mean().item())
    assert values[1] > values[0] + 0.02


def test_weighted_regression_is_the_mean_of_the_matches() -> None:
    net = trained(WeightedStage(SHORT, two_modes(), judge(), seeded())).deployed()
    assert net(torch.tensor([[STATE]]))[0, 1] == pytest.approx(STATE, abs=0.12)


def test_best_cloning_sees_the_best_tenth_of_the_episodes_alone() -> None:
    returns = np.array([3, 9, 1, 4, 8, 2, 0, 7, 5, 6, 10, -1])
    lengths = np.array([4, 3, 5, 2, 4, 4, 3, 3, 6, 2, 3, 5])
    ends = np.concatenate([np.arange(1, n + 1) == n for n in lengths])
    rewards = np.repeat(returns / lengths, lengths)
    begin = np.cumsum(lengths) - lengths
    start = np.concatenate([b + np.arange(n - 1) for b, n in zip(begin, lengths, strict=True)])
    data = cast(DataSet, SimpleNamespace(ends=ends, rewards=rewards))
    found = best_windows(data, Windows(start, np.empty(0), np.empty(0)))
    inside = [b + i for b, n in ((begin[1], 3), (begin[10], 3)) for i in range(n - 1)]
    assert start[found].tolist() == inside  # 12 episodes: the best two


def test_iql_draws_windows_by_their_advantage() -> None:
    advantage = torch.tensor([-1.0, 0.0, 0.5, 3.0])
    flat, keys = torch.zeros(4, 2), torch.zeros(4, 1)
    stage = AdvantageStage(TINY, keys, flat, advantage, seeded())
    share = torch.bincount(stage._rows(200_000), minlength=4) / 200_000
    weight = torch.tensor([min(math.exp(IQL_BETA * a), OWN_MOST) for a in advantage.tolist()])
    torch.testing.assert_close(share, weight / weight.sum(), rtol=0.05, atol=1e-3)


def test_without_drift_nothing_draws_the_candidates() -> None:
    alone = replace(TINY, anchor=0.0, positives=4)
    losses = []
    for make in (DriftOffStage, GeneratorStage):
        stage = make(alone, gaussian(), seeded())
        stage.step()
        losses.append(stage.loss.item())
    assert losses[0] == 0 and losses[1] > 0
    samples, positives = torch.randn(2, 3, 2), torch.randn(2, 4, 2)
    assert drift_field(samples, positives, alone.taus).abs().sum() > 0
    assert not DriftOffStage(alone, gaussian(), seeded())._drift(samples, positives).any()


def test_driftql_makes_as_many_windows_a_step_as_the_generator() -> None:
    stage = DriftQLStage(TINY, gaussian(), judge(), seeded())
    assert stage.states * SAMPLES == stage.batch == TINY.batch * TINY.samples + TINY.anchor_batch
