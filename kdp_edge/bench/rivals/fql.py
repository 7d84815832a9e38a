# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Flow Q-learning's policy (FQL; Park et al., arXiv 2502.02538): the flow in one step, pulled by values.

A one-step net (state, noise) -> window learns where ten Euler steps of the behaviour flow take the same
noise, and its played action raises Q: loss = distillation - improve * Q.

Their alpha weighs the distillation and depends on the task's rewards (10 by default, 10 to 1,000 on OGBench,
up to 30,000 on Adroit; github.com/seohongpark/fql); here Q is in standard deviations of the advantage and
weighs the run's `improve`, which is 1 / alpha. They learn Q and flow meanwhile; here Q is the run's and the
flow is finished first, so that its targets do not move.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from kdp_edge.bench.rivals.flow import euler
from kdp_edge.bench.rivals.stage import RivalStage
from kdp_edge.bench.rivals.transport import TransportNet
from kdp_edge.learn.generator import as_played
from kdp_edge.learn.learner import DTYPES, Rounded
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

BATCH = 256  # the authors'; each window costs the flow's ten evaluations
PLANS = 64  # of these windows are made of noise 0, as the planner's first candidate is


class FQLStage(RivalStage[ResidualMLP]):
    """Distils `flow` into one step, on as many windows a step as FQL's authors draw."""

    name = "fql"

    def __init__(
        self, config: RunConfig, matches: Matches, flow: TransportNet, judge: Judge, rng: torch.Generator
    ) -> None:
        self.mean, self.std = flow.mean, flow.std
        self.teacher = Rounded(copy.deepcopy(flow).requires_grad_(False), DTYPES[config.precision]).net
        inputs = config.obs_dim + config.window_dim
        net = ResidualMLP(inputs, config.width, config.blocks, config.window_dim)
        super().__init__(config, matches, rng, net, judge)

    def _loss(self, *parts: Tensor) -> Tensor:
        state, noise, target, *judged = parts
        windows = self._windows(torch.cat([state, *judged[:1]]), torch.cat([noise, *judged[1:]]))
        loss = (self.weight * (windows[: len(target)] - target).square()).mean()
        if judged:
            played = self._played(windows[len(target) :] * self.std + self.mean)
            loss = loss - self._value(judged[0], played)
        return loss

    def _windows(self, state: Tensor, noise: Tensor) -> Tensor:
        return self.online(torch.cat([state, noise], -1).to(self.dtype)).float()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """States, noise and the flow's windows [steps, BATCH, ...]; states and noise to be judged, if any."""
        state, _ = self._matched(steps * BATCH)
        state, noise = state.unflatten(0, (steps, BATCH)), self._noise(steps, BATCH, self.config.window_dim)
        noise[:, :PLANS] = 0.0
        with torch.no_grad():
            target = self.teacher.move(state, noise, euler())
        return self._and_judged([state, noise, target], steps, self.config.window_dim)

    @torch.no_grad()
    def deployed(self) -> ResidualMLP:
        """The running average in plain units, its actions as they are played; inputs [state | noise]."""
        net = copy.deepcopy(self.average)
        net.last.weight.mul_(self.std[:, None])
        net.last.bias.mul_(self.std).add_(self.mean)
        for rows in net.last.parameters():
            as_played(rows, self.config)
        return net
