# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the stages of rivals share: steps, batches and average as the generator's, and its value gradient."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from kdp_edge.learn.feed import Feed
from kdp_edge.learn.generator import CLIP_NORM, EMA_WARMUP
from kdp_edge.learn.learner import DTYPES, Learner, Rounded, cosine, flatten
from kdp_edge.learn.matches import Matches, column_weights
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

Net = TypeVar("Net", bound=nn.Module)


class ValueGradient:
    """Mean value of played actions in the eyes of the least convinced member, in the judge's units.

    The same that the generator gets (`GeneratorStage`), at the run's weight `improve`.
    """

    def __init__(self, config: RunConfig, judge: Judge) -> None:
        self.dtype = DTYPES[config.precision]
        self.q, self.unit = Rounded(copy.deepcopy(judge.q), self.dtype).net, judge.unit

    def value(self, state: Tensor, actions: Tensor) -> Tensor:
        """Of `actions` [B, act] in plain units, played in `state` [B, obs]: a scalar."""
        inputs = torch.cat([state, actions.clamp(-1, 1)], -1)
        return self.unit * self.q(inputs.to(self.dtype)).float().min(0).values.mean()


class RivalStage(Resumable, Generic[Net]):
    """Trains `online` for as many steps as the generator; `average` follows it as the generator's does."""

    name: str
    saved = ("learner", "average", "feed")

    def __init__(
        self,
        config: RunConfig,
        matches: Matches,
        rng: torch.Generator,
        net: Net,
        judge: Judge | None = None,
        precision: str | None = None,
    ) -> None:
        """
        Args:
            judge: of played actions; where there is none, or `improve` is 0, no value pulls.
            precision: of products, where it is not the run's.
        """
        self.config, self.matches, self.rng = config, matches, rng
        self.device = matches.keys.device
        self.online = net.to(self.device)
        self.average = copy.deepcopy(self.online).requires_grad_(False)
        self.averaged = flatten(self.average)
        self.dtype = DTYPES[precision or config.precision]
        self.learner = Learner(self.online, self.dtype, config.lr, betas=(0.9, 0.95), clip=CLIP_NORM)
        weight = column_weights(config).to(self.device).square()
        self.weight = weight / weight.mean()
        self.batch = config.batch * config.samples + config.anchor_batch
        self.gradient = ValueGradient(config, judge) if config.improve and judge is not None else None
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.steps
        self.done = 0
        self.loss = torch.zeros((), device=self.device)

    def step(self) -> None:
        """One update."""
        self.learner.at(cosine(self.done, self.total))
        self.loss = self.update(0.1 if self.done < EMA_WARMUP else self.config.ema, *self.feed.next())
        self.done += 1

    def _update(self, follow: float, *parts: Tensor) -> Tensor:
        loss = self._loss(*parts)
        self.learner.step(loss)
        self.averaged.lerp_(self.learner.vector, follow)
        return loss.detach()

    @abstractmethod
    def _loss(self, *parts: Tensor) -> Tensor:
        """Of what `_draw` gave for this step."""

    @abstractmethod
    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """What `steps` steps read, each tensor [steps, ...]."""

    def _matched(self, count: int) -> tuple[Tensor, Tensor]:
        """States [count, obs] and a matched window for each [count, C], drawn as the generator's are."""
        rows = self.matches.rows(count, self.rng)
        return self.matches.keys.index_select(0, rows), self.matches.draw(rows, 1, self.rng)[:, 0]

    def _noise(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.rng, device=self.device)

    def _and_judged(self, parts: Sequence[Tensor], steps: int, size: int) -> tuple[Tensor, ...]:
        """`parts`, and where a value pulls, states and noise whose windows are judged [steps, J, ...].

        The noise is that of a candidate for each condition, then 0 for plans.
        """
        if self.gradient is None:
            return tuple(parts)
        c = self.config
        drawn = self._noise(steps, c.batch, size)
        noise = torch.cat([drawn, drawn.new_zeros(steps, c.improve_batch, size)], 1)
        state, _ = self._matched(steps * noise.shape[1])
        return *parts, state.unflatten(0, (steps, -1)), noise

    def _value(self, state: Tensor, actions: Tensor) -> Tensor:
        """`improve` times the value of candidates' and of plans' actions, which weigh alike [J, act]."""
        assert self.gradient is not None
        count = self.config.batch
        candidates = self.gradient.value(state[:count], actions[:count])
        return self.config.improve * (candidates + self.gradient.value(state[count:], actions[count:]))

    def _played(self, windows: Tensor) -> Tensor:
        """Actions of the first step of windows [..., C]."""
        return windows[..., self.config.obs_dim : self.config.obs_dim + self.config.act_dim]

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}
