# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the generator and its rivals are trained on: data -> windows -> values -> tilted matches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.data.store import DataSet
from kdp_edge.data.trajectory import trajectory_merit
from kdp_edge.data.windows import Windows, cached_nearest, make_windows
from kdp_edge.learn import distributed
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import MeanStage
from kdp_edge.learn.matches import Matches, make_matches
from kdp_edge.learn.stage_runner import StageRunner
from kdp_edge.learn.values import IQLStage, Judge, Transitions, judge, make_transitions
from kdp_edge.run import RunConfig
from kdp_edge.window import Normalizer

VALUES, MEAN, ACTOR = 0, 5, 6  # numbers of the stages, for their seeds


@dataclass(frozen=True)
class Source:
    """A data set as windows.

    distance2 float32 [M, n], pool int32 [M, n]: of each window's key neighbours, nearest first.
    """

    data: DataSet
    normalizer: Normalizer
    windows: Windows
    distance2: np.ndarray
    pool: np.ndarray

    @classmethod
    def of(cls, config: RunConfig, data: DataSet) -> Source:
        """Cut `data` into windows and find every window's neighbours."""
        normalizer = Normalizer.fit(data.observations)
        windows = make_windows(data, normalizer, config.horizon, config.within)
        with distributed.first_alone():
            distance2, pool = cached_nearest(data, windows, config.within, config.pool)
        return cls(data, normalizer, windows, distance2, pool)

    def transitions(self, config: RunConfig) -> Transitions:
        """What values are learned from, on normalised observations."""
        state, following = (
            self.normalizer(seen) for seen in (self.data.observations, self.data.next_observations)
        )
        return make_transitions(self.data, state, following, config)

    def matches(self, config: RunConfig, verdict: Judge) -> Matches:
        """Matches whose draw is tilted by advantages and by returns of whole trajectories."""
        worth = trajectory_merit(self.data, config.trajectory_tilt, config.trajectory_share)
        return make_matches(config, self.windows, self.distance2, self.pool, verdict, worth)

    def untilted(self, config: RunConfig) -> Matches:
        """Matches drawn by their key distance alone."""
        return make_matches(config, self.windows, self.distance2, self.pool)


@dataclass(frozen=True)
class Prepared:
    """A source, the judge of actions in it, and the matches that the generator is drawn towards."""

    source: Source
    verdict: Judge
    matches: Matches


def prepare(config: RunConfig, data: DataSet, runner: StageRunner) -> Prepared:
    """Values, mean windows and, where the recipe has it, a policy better than the data's.

    Raises:
        KdpError: there is a policy to move the mean windows to, and no mean windows.
    """
    if config.actor_steps and not config.mean_steps:
        raise KdpError("actor_steps moves mean windows, and mean_steps is 0; expected more than 0")
    source = Source.of(config, data)
    transitions = source.transitions(config)
    part, rng = runner.seeded(config, VALUES)
    verdict = judge(runner.run(IQLStage(part, transitions, rng)))
    matches = source.matches(config, verdict)
    if config.mean_steps:
        part, rng = runner.seeded(config, MEAN)
        mean = runner.run(MeanStage(part, matches, rng))
        matches = replace(matches, center=mean.center())
    if config.actor_steps:
        single = source.transitions(replace(config, n_step=1))
        part, rng = runner.seeded(config, ACTOR)
        actor = runner.run(TD3BCStage(part, single, rng))
        matches = led(matches, actor, config)
        verdict = actor.judge(verdict)
    return Prepared(source, verdict, matches)


@torch.no_grad()
def led(matches: Matches, actor: TD3BCStage, config: RunConfig) -> Matches:
    """The matches, with windows moved by as much as their played mean actions are from the policy's.

    What is special about a window stays: candidates spread around the better plan as the data do
    around theirs.
    """
    if matches.center is None:
        raise ValueError("matches without mean windows")
    mean, center = matches.center, matches.center.clone()
    states, actions = config.shape.observations(mean), config.shape.actions(center)  # a view to write into
    for step in range(config.chunk):
        actions[:, step] = actor.actions(states[:, step] if step else matches.keys)
    return replace(matches, flat=matches.residual + center, center=center)
