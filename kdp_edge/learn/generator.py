# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The one-step generator and its training stage: (observation, latent) -> window of H steps."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.learn.drift import drift_field
from kdp_edge.learn.feed import Feed
from kdp_edge.learn.learner import DTYPES, Learner, Rounded, cosine, flatten
from kdp_edge.learn.matches import Matches, column_weights, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

EMA_WARMUP = 200  # steps in which the average follows fast
CLIP_NORM = 2.0
STEEP = 4.0  # of a distance beyond a band of 0.05, so that it draws as a squared one does at 0.2


class GeneratorStage(Resumable):
    """Trains the generator with the drift field, on windows whose columns are weighted.

    `average` is the exponential moving average (EMA) of the trained net's weights; `deployed()` is that net
    in plain units.
    """

    name = "generator"
    saved = ("learner", "average", "feed")

    def __init__(
        self, config: RunConfig, matches: Matches, rng: torch.Generator, judge: Judge | None = None
    ) -> None:
        """`judge`: of played actions, needed only where the configuration weighs it (`improve`).

        Raises:
            KdpError: the configuration weighs it, and there is none.
        """
        self.config, self.matches, self.rng = config, matches, rng
        self.device = matches.keys.device
        sizes = (config.obs_dim + config.latent_dim, config.width, config.blocks, config.window_dim)
        self.online = ResidualMLP(*sizes).to(self.device)
        self.average = copy.deepcopy(self.online).requires_grad_(False)
        self.averaged = flatten(self.average)
        self.dtype = DTYPES[config.precision]
        self.learner = Learner(self.online, self.dtype, config.lr, betas=(0.9, 0.95), clip=CLIP_NORM)
        self.weight = column_weights(config).to(self.device)
        self.band = torch.zeros_like(self.weight)
        actions = torch.from_numpy(config.shape.action_columns())
        self.band[actions] = config.anchor_band * self.weight[actions]
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        if config.improve:
            if judge is None:
                raise KdpError(f"improve is {config.improve} without values to judge by; expected 0")
            self.q, self.unit = Rounded(copy.deepcopy(judge.q), self.dtype).net, judge.unit
        self.total = config.steps
        self.done = 0
        self.loss = torch.zeros((), device=self.device)

    def step(self) -> None:
        """One update."""
        self.learner.at(cosine(self.done, self.total))
        follow = 0.1 if self.done < EMA_WARMUP else self.config.ema
        self.loss = self.update(*self.feed.next(), follow)
        self.done += 1

    def _update(self, inputs: Tensor, positives: Tensor, target: Tensor, follow: float) -> Tensor:
        """Drift for B conditions of G samples, the anchor of latent 0, and the judged gain."""
        c = self.config
        windows, anchored = self.online(inputs).float().split([c.batch * c.samples, len(target)])
        windows = windows.view(c.batch, c.samples, -1)
        loss = (windows - (windows + self._drift(windows, positives)).detach()).square().mean()
        if c.anchor:  # latent 0 is the deterministic plan: it regresses on matched windows or its own
            gap = anchored - nearest_mode(anchored, target, c.anchor_tau)
            cost = median_cost(gap, self.band) if c.anchor_band else gap.square()
            loss = loss + c.anchor * cost.mean()
        if c.improve:
            loss = loss - c.improve * self._judged(inputs, windows, anchored)
        self.learner.step(loss)
        self.averaged.lerp_(self.learner.vector, follow)
        return loss.detach()

    def _drift(self, windows: Tensor, positives: Tensor) -> Tensor:
        """Where the windows [B, G, C] should move; what else moves them is measured without it."""
        return drift_field(windows, positives, self.config.taus)

    def _judged(self, inputs: Tensor, windows: Tensor, plans: Tensor) -> Tensor:
        """Mean value of played actions: of a candidate of each condition, plus that of plans of latent 0.

        In the judge's units, in the eyes of the least convinced member of its ensemble. With the
        drift as what holds a policy to the data, this is the policy gradient of TD3+BC (Fujimoto &
        Gu, arXiv 2106.06860), at values that were learned beforehand.
        """
        c = self.config
        count, played = c.improve_batch, slice(c.obs_dim, c.obs_dim + c.act_dim)
        state = inputs[:, : c.obs_dim]
        state = torch.cat([state[: c.batch * c.samples : c.samples], state[c.batch * c.samples :][:count]])
        weighted = torch.cat([windows[:, 0, played], plans[:count, played]])
        actions = (weighted / self.weight[played]).clamp(-1, 1)
        value = self.q(torch.cat([state, actions.to(self.dtype)], -1)).float().min(0).values
        candidates, planned = value.split([c.batch, len(value) - c.batch])
        return self.unit * (candidates.mean() + planned.sum() / max(len(planned), 1))

    def _draw(self, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """What `steps` steps read.

        Returns:
            inputs of the net [steps, B * G + anchored, obs + latent], weighted positives of the
            B conditions [steps, B, P, C], and of the anchored rest [steps, anchored, P or 1, C].
        """
        c, rng = self.config, self.rng
        anchored = c.anchor_batch if c.anchor else 0
        rows = self.matches.rows(steps * c.batch, rng)
        fixed = (self.matches.own_rows if c.anchor_own else self.matches.rows)(steps * anchored, rng)
        positives = self.matches.draw(rows, c.positives, rng) * self.weight
        target = self._target(fixed) * self.weight
        keys = self.matches.keys
        latents = torch.randn(len(rows) * c.samples, c.latent_dim, generator=rng, device=self.device)
        sampled = torch.cat([keys.index_select(0, rows.repeat_interleave(c.samples)), latents], -1)
        zeros = torch.zeros(len(fixed), c.latent_dim, device=self.device)
        planned = torch.cat([keys.index_select(0, fixed), zeros], -1)
        parts = (sampled, c.batch * c.samples), (planned, anchored)
        inputs = torch.cat([part.unflatten(0, (steps, count)) for part, count in parts], 1)
        positives = positives.unflatten(0, (steps, c.batch))
        return inputs.to(self.dtype), positives, target.unflatten(0, (steps, anchored))

    def _target(self, rows: Tensor) -> Tensor:
        """Windows that the plans of latent 0 for conditions `rows` [B] regress on [B, P or 1, C].

        Of their own: the policy of IQL (Kostrikov et al., arXiv 2110.06169), whose mean is that of actions
        played in the very state, and no neighbour's.
        """
        if self.config.anchor_own:
            return self.matches.flat.index_select(0, rows)[:, None]
        return self.matches.draw(rows, self.config.positives if self.config.anchor_tau else 1, self.rng)

    @torch.no_grad()
    def deployed(self, lead: float | None = None) -> ResidualMLP:
        """The running average, column weights folded into its last layer, its actions as they are played.

        Args:
            lead: None: the configuration's.
        """
        config = self.config if lead is None else replace(self.config, lead=lead)
        net = copy.deepcopy(self.average)
        net.last.weight.div_(self.weight[:, None])
        net.last.bias.div_(self.weight)
        for rows in net.last.parameters():
            as_played(rows, config)
        return net

    def metrics(self) -> dict[str, float]:
        return {
            "loss": self.loss.item(),
            "spread_ratio": spread_ratio(self.deployed(), self.matches, self.config),
        }


@torch.no_grad()
def as_played(rows: Tensor, config: RunConfig) -> None:
    """Make a last layer answer with the actions as they are played: read ahead, times the gain.

    Read ahead: what a window holds for a step is right at its beginning; a plan that takes time acts
    later, and then for a whole step. So the actions due `config.lead` of a step later are taken, by
    interpolation; the window's last step has nothing behind it and stays. The gain: a plan that regresses on
    what was played is weaker than what was played.

    Args:
        rows: one for each number of a window [C, ...], changed in place.
    """
    steps = torch.from_numpy(config.shape.action_columns()).view(config.horizon, config.act_dim)
    for now, then in pairwise(steps):  # in order: `then` is as it was
        rows[now] = (1 - config.lead) * rows[now] + config.lead * rows[then]
    enlarge(rows, config, config.gain)


@torch.no_grad()
def enlarge(rows: Tensor, config: RunConfig, gain: float) -> None:
    """Make all actions of a last layer `gain` times as large; `rows` as in `as_played`."""
    rows[torch.from_numpy(config.shape.action_columns())] *= gain


def median_cost(gap: Tensor, band: Tensor) -> Tensor:
    """The cost whose least is the median of what is regressed on, within `band`, or the mean.

    Behaviour that is near an actuator's limit and varies is cut there: its mean is weaker than what it does
    most, and a plan that is a mean pushes less than any policy of the data. Huber's cost (1964) is square
    within the band and linear beyond.

    Args:
        gap: between a plan and a matched window [B, C].
        band: half width of the band [C]; 0: the squared distance.

    Returns:
        cost [B, C].
    """
    far = gap.abs()
    huber = STEEP * torch.where(far < band, far.square(), band * (2 * far - band))
    return torch.where(band > 0, huber, gap.square())


def nearest_mode(plans: Tensor, matched: Tensor, tau: float) -> Tensor:
    """What the plan of latent 0 regresses on: the mean of its matched windows, those near it most.

    A step of mean shift (Cheng, 1995) from the plan as it is: in one mode's noise all windows are about as
    far, and count alike; of several modes the plan's own draws it, and the plan ends on one of them instead
    of between all.

    Args:
        plans: of latent 0 [B, C].
        matched: windows drawn for each [B, P, C].
        tau: temperature, as a share of a plan's mean distance; 0: all windows count alike.

    Returns:
        targets [B, C]; no gradient flows through them.
    """
    if not tau:
        return matched.mean(1)
    distance = (matched - plans.detach()[:, None]).norm(dim=-1)
    weight = (-distance / (tau * distance.mean(1, keepdim=True) + 1e-8)).softmax(-1)
    return (weight[..., None] * matched).sum(1)
