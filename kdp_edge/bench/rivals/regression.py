# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Deterministic rivals: what is left of KDP without its drift, and without its matches.

Each answers with one window, so there is nothing to rank.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from kdp_edge.bench.rivals.stage import RivalStage
from kdp_edge.data.store import DataSet
from kdp_edge.data.windows import Windows
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import CloneStage
from kdp_edge.learn.generator import GeneratorStage
from kdp_edge.learn.matches import OWN_MOST, Matches, column_weights, drawn
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

BEST_SHARE = 0.1  # of the episodes: the 10 % of %BC (Chen et al., arXiv 2106.01345)
IQL_BETA = (
    3.0  # inverse temperature of IQL's authors; theirs of rewards per 1,000, ours of standard deviations
)
TD3BC_ALPHA = 2.5  # of TD3+BC's authors: Q / mean |Q| weighs so much beside the mean squared distance
TD3BC_STEPS = 30_000  # where the run has no policy of its own; its authors take a million


class WeightedStage(RivalStage[ResidualMLP]):
    """Weighted regression: the mean of matched windows, and the value gradient of its played action."""

    name = "weighted"

    def __init__(self, config: RunConfig, matches: Matches, judge: Judge, rng: torch.Generator) -> None:
        net = ResidualMLP(config.obs_dim, config.width, config.blocks, config.window_dim)
        super().__init__(config, matches, rng, net, judge)
        self.scale = column_weights(config).to(self.device)

    def _loss(self, *parts: Tensor) -> Tensor:
        state, target = parts
        windows = self.online(state.to(self.dtype)).float()
        loss = (self.config.anchor or 1.0) * (windows - target).square().mean()
        if self.gradient is not None:
            count = self.config.improve_batch
            value = self.gradient.value(state[:count], self._played(windows[:count] / self.scale))
            loss = loss - self.config.improve * value
        return loss

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """States [steps, B, obs] and weighted windows matched with them [steps, B, C]."""
        state, drawn = self._matched(steps * self.batch)
        return tuple(part.unflatten(0, (steps, self.batch)) for part in (state, drawn * self.scale))

    @torch.no_grad()
    def deployed(self) -> ResidualMLP:
        """The running average in plain units."""
        net = copy.deepcopy(self.average)
        net.last.weight.div_(self.scale[:, None])
        net.last.bias.div_(self.scale)
        return net


class AdvantageStage(CloneStage):
    """IQL's policy (Kostrikov et al., arXiv 2110.06169): cloning, each window by exp(beta * advantage)."""

    name = "iql"

    def __init__(
        self, config: RunConfig, keys: Tensor, flat: Tensor, advantage: Tensor, rng: torch.Generator
    ) -> None:
        """`advantage` [M]: of the first action of each window, in its standard deviations."""
        super().__init__(config, keys, flat, rng)
        weight = (IQL_BETA * advantage).exp().clamp(max=OWN_MOST)
        self.cumulative = (weight.double() / weight.double().sum()).cumsum(0)

    def _rows(self, count: int) -> Tensor:
        """Drawn by weight instead of weighing a loss: the same mean, at less variance."""
        return drawn(self.cumulative, count, self.rng)


class BestCloneStage(CloneStage):
    """%BC: cloning of the best episodes alone."""

    name = "bc-10"


def best_windows(data: DataSet, windows: Windows, share: float = BEST_SHARE) -> np.ndarray:
    """Rows int64 of the windows in the best `share` of the episodes, by return; of one episode at least."""
    episode = np.concatenate([[0], np.cumsum(data.ends)[:-1]])
    returns = np.bincount(episode, weights=data.rewards)
    count = max(1, int(np.ceil(share * len(returns))))
    best = np.argsort(-returns, kind="stable")[:count]
    return np.flatnonzero(np.isin(episode[windows.start], best))


class PolicyStage(TD3BCStage):
    """TD3+BC (Fujimoto & Gu, arXiv 2106.06860) with its authors' weight, where the run has no such policy."""

    name = "td3bc"


class DriftOffStage(GeneratorStage):
    """KDP's generator with the drift zeroed: anchor and value gradient alone move it."""

    name = "drift-off"

    def _drift(self, windows: Tensor, positives: Tensor) -> Tensor:
        return torch.zeros_like(windows)
