# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Windows, the key neighbours each is matched with, and the chances of drawing them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from kdp_edge.data.windows import Windows
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

SPREAD_STATES, SPREAD_SAMPLES = 512, 32
OWN_MOST = 100.0  # weight of one state's own window, as IQL's authors cut theirs


@dataclass(frozen=True)
class Matches:
    """Windows and their key neighbours on the training device.

    keys [M, obs]; flat [M, C]; pool int64 [M, n]: rows of neighbours; weight [M, n]: the chance
    with which each is drawn as a positive (sums to 1): key distance, advantage and trajectory
    together; cumulative float64 [M]: running sum of the chance with which each window is drawn as
    a condition (ends at 1); center [M, C], if given: the mean window of each key, and a neighbour
    stands for what was special about its window, not for how its key differs; own float64 [M], if
    given: running sum of the chance with which each window is drawn as the plan of its own state.
    """

    keys: Tensor
    flat: Tensor
    pool: Tensor
    weight: Tensor
    cumulative: Tensor
    center: Tensor | None = None
    own: Tensor | None = None

    def rows(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` conditions int64 [B], good trajectories more often, with replacement."""
        return drawn(self.cumulative, count, rng)

    def own_rows(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` windows int64 [B] as plans of their own states, good ones more often, with replacement."""
        return drawn(self.cumulative if self.own is None else self.own, count, rng)

    def draw(self, rows: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """`count` positives [B, count, C] for each of `rows` [B], with replacement."""
        running = self.running.index_select(0, rows)
        chance = torch.rand(len(rows), count, generator=rng, device=rng.device) * running[:, -1:]
        choice = torch.searchsorted(running, chance, right=True).clamp_(max=self.pool.shape[1] - 1)
        drawn = self.pool.view(-1).index_select(0, (rows[:, None] * self.pool.shape[1] + choice).view(-1))
        windows = self.residual.index_select(0, drawn).unflatten(0, (len(rows), count))
        return windows if self.center is None else windows + self.center.index_select(0, rows)[:, None]

    @cached_property
    def residual(self) -> Tensor:
        """What is special about each window [M, C]: all of it where there is no center."""
        return self.flat if self.center is None else self.flat - self.center

    @cached_property
    def running(self) -> Tensor:
        """Running sum of `weight` over the pool [M, n]."""
        return self.weight.cumsum(1)


def make_matches(
    config: RunConfig,
    windows: Windows,
    distance2: np.ndarray,
    pool: np.ndarray,
    verdict: Judge | None = None,
    trajectory: np.ndarray | None = None,
) -> Matches:
    """`verdict` and `trajectory` [N], of the data's transitions, tilt the draw; without them it is plain."""
    device = config.device
    rows = torch.as_tensor(pool.astype(np.int64), device=device)
    start = torch.as_tensor(windows.start, device=device)
    merit, chance, played = None, None, None
    if verdict is not None and trajectory is not None:
        worth = torch.as_tensor(trajectory, device=device)
        merit = verdict.of_data[start[rows]] / config.tilt + worth[start[rows]]
        chance = worth[start]
        played = chance + (verdict.of_data[start] / config.tilt).clamp(max=math.log(OWN_MOST))
    cumulative, own = (condition_chances(nats, len(start)).to(device) for nats in (chance, played))
    weight = match_weights(torch.as_tensor(distance2, device=device), merit, config.key_tau)
    keys, flat = (torch.as_tensor(array, device=device) for array in (windows.keys, windows.flat))
    return Matches(keys, flat, rows, weight, cumulative, own=own)


def drawn(cumulative: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """`count` rows int64 [B], with replacement; cumulative float64 [M]: running sum of chances, ends at 1."""
    chance = torch.rand(count, generator=rng, device=rng.device, dtype=torch.float64)
    return torch.searchsorted(cumulative, chance).clamp(max=len(cumulative) - 1)


def first_actions(windows: Windows, config: RunConfig) -> Tensor:
    """Actions of each window's first `critic_steps` steps, on the training device [M, steps * act]."""
    actions = config.shape.actions(windows.flat, config.critic_steps)
    return torch.as_tensor(actions.reshape(len(actions), -1).copy(), device=config.device)


def match_weights(distance2: Tensor, merit: Tensor | None, key_tau: float) -> Tensor:
    """softmax over the pool of -(distance / (key_tau * reach))^2 + merit.

    The reach of a window is the distance to the farthest neighbour of its pool: so as many
    neighbours count where keys are dense as where they are sparse, in few dimensions as in many
    (local scaling, Zelnik-Manor & Perona, NIPS 2004).

    Args:
        distance2: squared key distances [M, n], infinite where there is no neighbour.
        merit: of the neighbours, in nats [M, n].
    """
    reach2 = distance2.masked_fill(distance2.isinf(), 0.0).amax(-1, keepdim=True).clamp(min=1e-12)
    logits = -distance2 / (key_tau**2 * reach2)
    return (logits if merit is None else logits + merit).softmax(-1)


def condition_chances(merit: Tensor | None, count: int) -> Tensor:
    """Running sum, float64 [count], of softmax(merit) over all windows; uniform without it."""
    if merit is None:
        return torch.arange(1, count + 1, dtype=torch.float64) / count
    return merit.double().softmax(0).cumsum(0)


def column_weights(config: RunConfig) -> Tensor:
    """What each column of a window weighs in distances [C]: the actions that are played most."""
    weight = torch.ones(config.shape.size)
    weight[config.shape.action_columns()] = config.action_weight
    weight[config.shape.action_columns(config.chunk)] = config.played_weight
    return weight


@torch.no_grad()
def spread_ratio(
    net: ResidualMLP, matches: Matches, config: RunConfig, states: int = SPREAD_STATES, seed: int = 0
) -> float:
    """Spread of candidates / spread of the matched data they were drawn towards.

    Both are standard deviations within a condition, averaged over dimensions and `states`
    conditions; the data's is weighted by the chance of being drawn, with Bessel's correction.
    """
    rng = torch.Generator().manual_seed(seed)
    device = matches.keys.device
    rows = drawn(matches.cumulative.cpu(), states, rng).to(device)
    latents = torch.randn(states, SPREAD_SAMPLES, config.latent_dim, generator=rng).to(device)
    keys = matches.keys[rows][:, None].expand(-1, SPREAD_SAMPLES, -1)
    windows = net(torch.cat([keys, config.latent_scale * latents], -1))
    return (windows.std(1).mean() / _weighted_std(matches, rows).mean()).item()


def _weighted_std(matches: Matches, rows: Tensor) -> Tensor:
    weight = matches.weight[rows][..., None]
    windows = matches.residual[matches.pool[rows]]
    mean = (weight * windows).sum(1, keepdim=True)
    unbiased = (1 - weight.square().sum(1)).clamp(min=0.05)
    return ((weight * (windows - mean).square()).sum(1) / unbiased).sqrt()
