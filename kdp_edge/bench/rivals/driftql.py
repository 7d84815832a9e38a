# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Drift Q-learning's policy (DriftQL; Houssaini et al., arXiv 2606.00350): a drift of actions, and Q.

A one-step net (state, noise) -> actions. Its samples of a state are drawn to one action of the data and
pushed apart by each other, with a Laplace kernel whose rows are normalised; loss = drift - improve * Q.

The authors' settings (github.com/DT6A/driftql): 32 samples a state, one positive, temperature 0.2 of
distances over sqrt(dimensions), noise of as many numbers as actions, targets clipped to -1..1, step 1. Their
alpha (drift's weight) and temperature are chosen per task (3 to 5,000; 0.05 to 0.9); here the temperature is
their default and `improve`, in standard deviations of the advantage, is the run's. They learn Q meanwhile;
here it is the run's. Where they have one action, the actions of a whole window stand, so that plans are
chunked and read ahead as KDP's are; the positive is drawn from the run's matches.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from kdp_edge.bench.rivals.stage import RivalStage
from kdp_edge.learn.generator import as_played
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

SAMPLES = 32  # `drift_ngen`
TEMPERATURE = 0.2  # `drift_temp`
FAR = 1e6  # the distance at which a sample sees itself
TINY = 1e-12  # below a distance's square root


def action_drift(samples: Tensor, positive: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Where samples [B, G, A] should move for a positive [B, A]: attraction less kernel-weighted repulsion.

    V = (a+ - x) - sum_j w_j (x_j - x), with w the softmax over the other samples of
    -|x_j - x| / (sqrt(A) * temperature).
    """
    distance = (samples[:, :, None] - samples[:, None]).square().sum(-1).add(TINY).sqrt()
    distance.diagonal(dim1=1, dim2=2).fill_(FAR)
    weight = (-distance / (samples.shape[-1] ** 0.5 * temperature)).softmax(-1)
    return (positive[:, None] - samples) - (weight @ samples - samples)


class DriftQLStage(RivalStage[ResidualMLP]):
    """Trains the net on as many samples a step as the generator makes windows."""

    name = "driftql"

    def __init__(self, config: RunConfig, matches: Matches, judge: Judge, rng: torch.Generator) -> None:
        self.columns = torch.from_numpy(config.shape.action_columns())
        self.size = len(self.columns)
        net = ResidualMLP(config.obs_dim + self.size, config.width, config.blocks, self.size)
        super().__init__(config, matches, rng, net, judge)
        self.columns = self.columns.to(self.device)
        self.states = max(1, self.batch // SAMPLES)

    def _loss(self, *parts: Tensor) -> Tensor:
        state, noise, positive, *judged = parts
        seen = torch.cat([state.repeat_interleave(SAMPLES, 0), *judged[:1]])
        actions = self._actions(seen, torch.cat([noise.flatten(0, 1), *judged[1:]]))
        samples = actions[: noise.shape[0] * SAMPLES].clamp(-1, 1).view_as(noise)
        target = (samples + action_drift(samples, positive)).clamp(-1, 1).detach()
        loss = (samples - target).square().mean()
        if judged:
            loss = loss - self._value(judged[0], actions[-len(judged[0]) :, : self.config.act_dim])
        return loss

    def _actions(self, state: Tensor, noise: Tensor) -> Tensor:
        return self.online(torch.cat([state, noise], -1).to(self.dtype)).float()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """States [steps, S, obs], noise [steps, S, G, A], actions of the data [steps, S, A]; to be judged."""
        state, drawn = self._matched(steps * self.states)
        positive = drawn.index_select(-1, self.columns).clamp(-1, 1)
        noise = self._noise(steps, self.states, SAMPLES, self.size)
        parts = (state.unflatten(0, (steps, -1)), noise, positive.unflatten(0, (steps, -1)))
        return self._and_judged(parts, steps, self.size)

    @torch.no_grad()
    def deployed(self) -> ResidualMLP:
        """The running average, its actions as they are played; inputs [state | noise]."""
        net = copy.deepcopy(self.average)
        for rows in net.last.parameters():
            windows = rows.new_zeros(self.config.window_dim, *rows.shape[1:])
            windows[self.columns] = rows
            as_played(windows, self.config)
            rows.copy_(windows[self.columns])
        return net
