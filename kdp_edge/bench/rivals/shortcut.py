# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A shortcut model (Frans et al., arXiv 2410.12557): a flow that knows how far its next step goes.

s(x, t, d) moves a window by d * s from time t towards data at time 1. At the smallest step it is the flow's
velocity; a step of 2d learns to be two steps of d, taken by the running average, so that one step of
d = 1 takes noise to a window. This is also what a *trained* one-step diffusion is: the same net, taught to
jump, and not a denoiser asked for one step that it never learned.

The authors' settings (github.com/kvfrans/shortcut-models): 128 smallest steps, a quarter of the batch for
consistency of steps (`bootstrap_every` 4), targets from the average of weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.bench.rivals.stage import RivalStage
from kdp_edge.bench.rivals.transport import Move, TransportNet
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

HALVINGS = 7  # of the step: 2**7 = 128 smallest ones
ONE_STEP = (Move((0.0, 0.0), 1.0),)  # time 0, no halving
CONSISTENT = 0.25  # share of windows that learn from two half steps


class ShortcutStage(RivalStage[TransportNet]):
    """Trains velocities and shortcuts together; the one-step window gets the run's value gradient."""

    name = "shortcut"

    def __init__(self, config: RunConfig, matches: Matches, judge: Judge, rng: torch.Generator) -> None:
        net = TransportNet(config, levels=2)
        net.fit_columns(matches.flat.to(net.mean.device))
        super().__init__(config, matches, rng, net, judge)

    def _loss(self, *parts: Tensor) -> Tensor:
        state, noisy, level, halvings, velocity, *judged = parts
        count = int(self.batch * CONSISTENT)
        first = [part[:count] for part in (state, noisy, level, halvings)]
        target = torch.cat([self.two_halves(*first), velocity[count:]])
        error = self.online(state, noisy, level, halvings / HALVINGS) - target
        loss = (self.weight * error.square()).mean()
        if judged:
            seen, noise = judged
            windows = self.online.plain(self.online.move(seen, noise, ONE_STEP))
            loss = loss - self._value(seen, self._played(windows))
        return loss

    @torch.no_grad()
    def two_halves(self, state: Tensor, noisy: Tensor, level: Tensor, halvings: Tensor) -> Tensor:
        """Mean movement [B, C] of two steps of the average net, each half of 2**-halvings."""
        half, depth = 0.5 ** (halvings + 1), (halvings + 1) / HALVINGS
        first = self.average(state, noisy, level, depth)
        second = self.average(state, noisy + half[:, None] * first, level + half, depth)
        return (first + second) / 2

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """States, noisy windows, times, halvings of the step and velocities [steps, B, ...]; judged as well.

        The first quarter learns steps of 2**-halvings, 0 to HALVINGS - 1, from times that are multiples of
        its step; the rest the smallest step from any time.
        """
        state, drawn = self._matched(steps * self.batch)
        clean = (drawn - self.online.mean) / self.online.std
        noise = self._noise(*clean.shape)
        level = torch.rand(steps, self.batch, generator=self.rng, device=self.device)
        halvings = torch.full_like(level, HALVINGS)
        first = slice(0, int(self.batch * CONSISTENT))
        chosen = torch.rand(level[:, first].shape, generator=self.rng, device=self.device)
        halvings[:, first] = (chosen * HALVINGS).floor().clamp(max=HALVINGS - 1)
        count = 2 ** halvings[:, first]
        level[:, first] = (level[:, first] * count).floor().clamp(max=count - 1) / count
        noisy = noise.lerp(clean, level.view(-1, 1))
        state, noisy, velocity = (p.unflatten(0, (steps, -1)) for p in (state, noisy, clean - noise))
        parts = (state, noisy, level, halvings, velocity)
        return self._and_judged(parts, steps, self.config.window_dim)
