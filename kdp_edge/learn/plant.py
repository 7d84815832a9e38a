# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The plant as the data show it, used while training only: does a plan bear weaker actuators?

A plan that regresses on what was played is weaker than what was played, and a gait may stand near an edge on
that side: a little more mass, and it falls. Nothing of it shows in the data's states. So an ensemble of nets
learns from the data what a step does, the plan plays in it with its actions made weaker, and if it falls
more often so, or often at all, it is played with a gain: a gain margin, as of any controller, of a plant
known by its data alone. Rollouts stay with one member each (TS-infinity, Chua et al., NeurIPS 2018).

The model tells plans with an edge from plans without. Which gain is best it does not tell (docs/recipe.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kdp_edge.data.store import DataSet
from kdp_edge.learn.feed import Feed
from kdp_edge.learn.learner import DTYPES, Learner, cosine
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.run import RunConfig
from kdp_edge.window import Normalizer

MEMBERS, WIDTH = 4, 256
FAR = 12.0  # standard deviations of a signal: no state lies beyond
SLACK = 0.15  # more falls than that are an edge
EDGE = 0.25  # share of the rollouts with weaker actuators; if more of them end, an edge is near
GAIN = 1.05  # of a plan near an edge
STARTS, STEPS = 256, 400  # of the rollouts

Plan = Callable[[Tensor], Tensor]  # normalised states [E, obs] -> actions [E, act], shares


@dataclass(frozen=True)
class PlantSteps:
    """What the plant did in each step of the data, on the training device.

    inputs [N, obs + act]: normalised state and action; moved [N, obs]: how far the state went, in `scale`
    [obs] of its normalised signals; ended [N]: 1 where the environment ended the episode; first int64 [E]:
    rows of episodes' first steps.
    """

    inputs: Tensor
    moved: Tensor
    ended: Tensor
    scale: Tensor
    first: Tensor

    @classmethod
    def of(cls, data: DataSet, normalizer: Normalizer, device: str) -> PlantSteps:
        """All steps of `data`."""
        state, following = (normalizer(seen) for seen in (data.observations, data.next_observations))
        moved = following - state
        scale = moved.std(0) + 1e-6
        first = np.flatnonzero(np.concatenate([[True], data.ends[:-1]]))
        arrays = np.concatenate([state, data.actions], 1), moved / scale, data.terminals.astype(np.float32)
        inputs, relative, ended, unit, rows = (
            torch.as_tensor(np.ascontiguousarray(array), device=device) for array in (*arrays, scale, first)
        )
        return cls(inputs, relative, ended, unit, rows)


class PlantNets(nn.Module):
    """M independent residual nets of three layers: [M, B, obs + act] -> [M, B, obs + 1].

    The last number is the logit of an episode's end.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.w0, self.b0 = _layer(inputs, WIDTH)
        self.w1, self.b1 = _layer(WIDTH, WIDTH)
        self.w2, self.b2 = _layer(WIDTH, WIDTH)
        self.w3, self.b3 = _layer(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        hidden = nn.functional.silu(torch.baddbmm(self.b0, x, self.w0))
        hidden = hidden + nn.functional.silu(torch.baddbmm(self.b1, hidden, self.w1))
        hidden = hidden + nn.functional.silu(torch.baddbmm(self.b2, hidden, self.w2))
        return torch.baddbmm(self.b3, hidden, self.w3)


def _layer(inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
    weight = torch.randn(MEMBERS, inputs, outputs) / math.sqrt(inputs)
    return nn.Parameter(weight), nn.Parameter(torch.zeros(MEMBERS, 1, outputs))


class PlantStage(Resumable):
    """Regression on steps of the data, each member on batches of its own."""

    name = "plant"
    saved = ("learner", "feed")

    def __init__(self, config: RunConfig, steps: PlantSteps, rng: torch.Generator) -> None:
        self.config, self.steps, self.rng = config, steps, rng
        net = PlantNets(steps.inputs.shape[1], len(steps.scale) + 1).to(rng.device)
        self.dtype = DTYPES[config.precision]
        self.learner = Learner(net, self.dtype, config.value_lr, decay=1e-5)
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.plant_steps
        self.done = 0
        self.loss = torch.zeros((), device=rng.device)

    def step(self) -> None:
        """One update."""
        self.learner.at(cosine(self.done, self.total))
        self.loss = self.update(*self.feed.next())
        self.done += 1

    def _update(self, inputs: Tensor, moved: Tensor, ended: Tensor) -> Tensor:
        """Where the state goes, by Huber's cost, and whether the episode ends."""
        made = self.learner.net(inputs).float()
        gap = nn.functional.huber_loss(made[..., :-1], moved) * moved.shape[-1]
        loss = gap + nn.functional.binary_cross_entropy_with_logits(made[..., -1], ended)
        self.learner.step(loss * MEMBERS)
        return loss.detach()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """Inputs [steps, M, B, in], moves [steps, M, B, obs] and ends [steps, M, B]."""
        known, shape = self.steps, (steps, MEMBERS, self.config.plant_batch)
        count = math.prod(shape)
        rows = torch.randint(len(known.inputs), (count,), generator=self.rng, device=self.rng.device)
        drawn = (part.index_select(0, rows) for part in (known.inputs, known.moved, known.ended))
        inputs, moved, ended = (part.unflatten(0, shape) for part in drawn)
        return inputs.to(self.dtype), moved, ended

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}

    @torch.no_grad()
    def fallen(self, plan: Plan, starts: Tensor, weaker: float = 0.0, steps: int = STEPS) -> float:
        """Share of the rollouts from `starts` [E, obs], M dividing E, that end within `steps` steps.

        Args:
            weaker: share of an action that is lost.
        """
        net, state = self.learner.unrounded(), starts
        standing = torch.ones(len(starts), dtype=torch.bool, device=starts.device)
        for _ in range(steps):
            actions = (1 - weaker) * plan(state).clamp(-1, 1)
            both = torch.cat([state, actions], -1).unflatten(0, (MEMBERS, -1))
            made = net(both).flatten(0, 1)
            moved = (state + made[:, :-1] * self.steps.scale).clamp(-FAR, FAR)
            standing &= made[:, -1] <= 0
            state = torch.where(standing[:, None], moved, state)
        return 1 - standing.float().mean().item()

    def starts(self, rng: torch.Generator) -> Tensor:
        """Half of them episodes' first states, half any state of the data [STARTS, obs], in any order."""
        known = self.steps
        chosen = torch.randint(len(known.first), (STARTS // 2,), generator=rng, device=rng.device)
        any_row = torch.randint(len(known.inputs), (STARTS // 2,), generator=rng, device=rng.device)
        rows = torch.cat([known.first[chosen], any_row])
        order = torch.randperm(STARTS, generator=rng, device=rng.device)
        return known.inputs[rows[order], : len(known.scale)]


@dataclass(frozen=True)
class Brace:
    """How a plan is played, and the shares of rollouts that ended, which say so.

    gain, lead: of its actions. usual: share for the plan as it is. weaker: with weaker actuators.
    """

    gain: float
    lead: float
    usual: float
    weaker: float

    @classmethod
    def of(cls, usual: float, weaker: float, config: RunConfig) -> Brace:
        """An edge is near where clearly more rollouts end with weaker actuators, or many do.

        There the gain is `GAIN`, and the lead none if the run was told so (`led_at_edge`).
        """
        if weaker <= min(EDGE, usual + SLACK):
            return cls(1.0, config.lead, usual, weaker)
        return cls(GAIN, config.lead if config.led_at_edge else 0.0, usual, weaker)

    def to_json(self) -> dict[str, float]:
        return {
            "gain": self.gain,
            "lead": self.lead,
            "fallen": round(self.usual, 3),
            "fallen_weaker": round(self.weaker, 3),
        }
