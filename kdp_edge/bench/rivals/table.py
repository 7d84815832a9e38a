# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""All that is trained beside a run, by name: what each needs, and who plans with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from kdp_edge.bench.beside import Baseline, Beside, Sampler, Trained
from kdp_edge.bench.diffusion import DiffusionStage
from kdp_edge.bench.rivals.driftql import DriftQLStage
from kdp_edge.bench.rivals.flow import EULER_STEPS, FlowStage, euler
from kdp_edge.bench.rivals.fql import FQLStage
from kdp_edge.bench.rivals.meanflow import ONE_STEP as MEAN_STEP
from kdp_edge.bench.rivals.meanflow import MeanFlowStage
from kdp_edge.bench.rivals.regression import (
    TD3BC_ALPHA,
    TD3BC_STEPS,
    AdvantageStage,
    BestCloneStage,
    DriftOffStage,
    PolicyStage,
    WeightedStage,
    best_windows,
)
from kdp_edge.bench.rivals.shortcut import ONE_STEP as SHORT_STEP
from kdp_edge.bench.rivals.shortcut import ShortcutStage
from kdp_edge.bench.rivals.transport import Schedule, TransportNet
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import CloneStage
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.prepare import ACTOR
from kdp_edge.learn.stage_runner import Stage
from kdp_edge.learn.train import GENERATOR
from kdp_edge.run import RunConfig

STEPS = (20, 5, 1)  # evaluations of a diffusion plan that are measured
FLOW_PLANNER = f"flow-{EULER_STEPS}"
# numbers of the stages, for their seeds; 0 to 2, 5 and 6 are the run's
DIFFUSION, CLONE, FLOW, FQL, MEANFLOW, SHORTCUT, DRIFTQL, WEIGHTED, IQL, BEST = 3, 4, *range(10, 18)

S = TypeVar("S", bound=Stage)


def _stage(beside: Beside, number: int, make: Callable[[RunConfig, torch.Generator], S]) -> S:
    """A stage of the run's configuration, trained to its end."""
    part, rng = beside.runner.seeded(beside.config, number)
    return beside.runner.run(make(part, rng))


def _diffusion(beside: Beside) -> Trained:
    net = _stage(beside, DIFFUSION, lambda c, rng: DiffusionStage(c, beside.matches, rng)).average

    def sampler(steps: int) -> Sampler:
        return lambda state, noise: net.sample(state, noise, steps)

    return Trained(net.state_dict(), {f"diffusion-{steps}": sampler(steps) for steps in STEPS})


def _clone(beside: Beside) -> Trained:
    stage = _stage(beside, CLONE, lambda c, rng: CloneStage(c, beside.matches.keys, beside.own, rng))
    return Trained(stage.deployed().state_dict())


def _moved(net: TransportNet, planner: str, schedule: Schedule) -> Trained:
    return Trained(net.state_dict(), {planner: lambda state, noise: net.sample(state, noise, schedule)})


def _flow_net(beside: Beside) -> TransportNet:
    return _stage(beside, FLOW, lambda c, rng: FlowStage(c, beside.matches, rng)).average


def _flow(beside: Beside) -> Trained:
    return _moved(_flow_net(beside), FLOW_PLANNER, euler())


def _fql(beside: Beside) -> Trained:
    flow, judge = _flow_net(beside), beside.prepared.verdict
    net = _stage(beside, FQL, lambda c, rng: FQLStage(c, beside.matches, flow, judge, rng)).deployed()
    return Trained(net.state_dict(), {"fql": lambda state, noise: net(torch.cat([state, noise], -1))})


def _meanflow(beside: Beside) -> Trained:
    judge = beside.prepared.verdict
    stage = _stage(beside, MEANFLOW, lambda c, rng: MeanFlowStage(c, beside.matches, judge, rng))
    return _moved(stage.average, "meanflow", MEAN_STEP)


def _shortcut(beside: Beside) -> Trained:
    judge = beside.prepared.verdict
    stage = _stage(beside, SHORTCUT, lambda c, rng: ShortcutStage(c, beside.matches, judge, rng))
    return _moved(stage.average, "shortcut", SHORT_STEP)


def _driftql(beside: Beside) -> Trained:
    judge = beside.prepared.verdict
    stage = _stage(beside, DRIFTQL, lambda c, rng: DriftQLStage(c, beside.matches, judge, rng))
    return Trained(stage.deployed().state_dict())


def _weighted(beside: Beside) -> Trained:
    judge = beside.prepared.verdict
    stage = _stage(beside, WEIGHTED, lambda c, rng: WeightedStage(c, beside.matches, judge, rng))
    return Trained(stage.deployed().state_dict())


def _iql(beside: Beside) -> Trained:
    start = torch.as_tensor(beside.prepared.source.windows.start, device=beside.config.device)
    advantage = beside.prepared.verdict.of_data[start]
    keys = beside.matches.keys
    stage = _stage(beside, IQL, lambda c, rng: AdvantageStage(c, keys, beside.own, advantage, rng))
    return Trained(stage.deployed().state_dict())


def _best(beside: Beside) -> Trained:
    source = beside.prepared.source
    rows = torch.from_numpy(best_windows(source.data, source.windows)).to(beside.config.device)
    keys, flat = beside.matches.keys[rows], beside.own[rows]
    stage = _stage(beside, BEST, lambda c, rng: BestCloneStage(c, keys, flat, rng))
    return Trained(stage.deployed().state_dict())


def _policy(beside: Beside) -> Trained:
    """The run's own policy where it has one: it was searched for, and trained for longer."""
    c = beside.config
    config = c if c.actor_steps else _authors_td3bc(c)
    make = TD3BCStage if c.actor_steps else PolicyStage
    data = beside.prepared.source.transitions(replace(config, n_step=1))
    part, rng = beside.runner.seeded(config, ACTOR)
    stage = beside.runner.run(make(part, data, rng))
    return Trained(stage.slow_actor.unrounded().state_dict())


def _authors_td3bc(config: RunConfig) -> RunConfig:
    hold = 1 / (TD3BC_ALPHA * config.act_dim)  # of the sum over actions; theirs is of the mean
    steps = min(TD3BC_STEPS, int(np.ceil(TD3BC_STEPS * config.steps / RunConfig.steps)))
    return replace(config, actor_steps=steps, actor_hold=hold, actor_ensemble=2, discount=0.99)


def _drift_off(beside: Beside) -> Trained:
    judge = beside.prepared.verdict
    stage = _stage(beside, GENERATOR, lambda c, rng: DriftOffStage(c, beside.matches, rng, judge))
    net: ResidualMLP = stage.deployed()
    size, scale = beside.config.latent_dim, beside.config.latent_scale

    def sampler(state: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return net(torch.cat([state, scale * noise[..., :size]], -1))

    return Trained(net.state_dict(), {"drift-off": sampler})


RANKED, ALONE = ("values", "critic"), ()
DIFFUSIONS = tuple(f"diffusion-{steps}" for steps in STEPS)
BASELINES = {
    baseline.name: baseline
    for baseline in (
        Baseline("diffusion", DIFFUSIONS, _diffusion, ("diffusion",), RANKED),
        Baseline("clone", ("clone",), _clone, ("clone",), ALONE),
        Baseline("flow", (FLOW_PLANNER,), _flow, ("flow",), RANKED),
        Baseline("fql", ("fql",), _fql, ("flow", "fql"), RANKED),
        Baseline("meanflow", ("meanflow",), _meanflow, ("meanflow",), RANKED),
        Baseline("shortcut", ("shortcut",), _shortcut, ("shortcut",), RANKED),
        Baseline("driftql", ("driftql",), _driftql, ("driftql",), RANKED),
        Baseline("weighted", ("weighted",), _weighted, ("weighted",), ("values",)),
        Baseline("iql", ("iql",), _iql, ("iql",), ("values",)),
        Baseline("bc-10", ("bc-10",), _best, ("bc-10",), ALONE),
        Baseline("td3bc", ("td3bc",), _policy, ("td3bc",), ("actor",)),
        Baseline("drift-off", ("drift-off",), _drift_off, ("drift-off",), RANKED),
    )
}
