# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Behaviour cloning: the same backbone regresses on each state's own window, good or poor alike."""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.learn.feed import Feed
from kdp_edge.learn.learner import DTYPES, Learner, cosine
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.run import RunConfig


class CloneStage(Resumable):
    """As many steps as the generator, on as many windows per step; no tilt, no neighbours."""

    name = "clone"
    saved = ("learner", "feed")

    def __init__(self, config: RunConfig, keys: Tensor, flat: Tensor, rng: torch.Generator) -> None:
        """keys [M, obs] and flat [M, C]: of the data's windows."""
        self.keys, self.flat, self.rng = keys, flat, rng
        self.net = ResidualMLP(config.obs_dim, config.width, config.blocks, config.window_dim)
        self.net.to(keys.device)
        self.batch = config.batch * config.samples + config.anchor_batch
        self.dtype = DTYPES[config.precision]
        self.learner = Learner(self.net, self.dtype, config.lr)
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.steps
        self.done = 0
        self.loss = torch.zeros((), device=keys.device)

    def step(self) -> None:
        """One regression step on rows drawn evenly."""
        self.learner.at(cosine(self.done, self.total))
        self.loss = self.update(*self.feed.next())
        self.done += 1

    def _update(self, keys: Tensor, flat: Tensor) -> Tensor:
        loss = (self.net(keys).float() - flat).square().mean()
        self.learner.step(loss)
        return loss.detach()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """Keys [steps, B, obs] and their own windows [steps, B, C]."""
        count = steps * self.batch
        rows = self._rows(count)
        drawn = (self.keys.index_select(0, rows).to(self.dtype), self.flat.index_select(0, rows))
        return tuple(part.unflatten(0, (steps, self.batch)) for part in drawn)

    def _rows(self, count: int) -> Tensor:
        return torch.randint(len(self.keys), (count,), generator=self.rng, device=self.keys.device)

    def deployed(self) -> ResidualMLP:
        """The net in float32."""
        return self.learner.unrounded()

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}


class MeanStage(CloneStage):
    """The mean window of each key, on conditions drawn as the generator's are.

    A control variate: what neighbours differ by because their keys differ is taken out, so that
    matching widens no conditional distribution and shifts no plan where keys are sparse.
    """

    name = "mean"

    def __init__(self, config: RunConfig, matches: Matches, rng: torch.Generator) -> None:
        super().__init__(config, matches.keys, matches.flat, rng)
        self.matches, self.total = matches, config.mean_steps

    def _rows(self, count: int) -> Tensor:
        return self.matches.rows(count, self.rng)

    @torch.no_grad()
    def center(self) -> Tensor:
        """[M, C] of all keys."""
        net = self.deployed()
        return torch.cat([net(part) for part in self.matches.keys.split(8192)])
