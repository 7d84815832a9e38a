# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A MeanFlow policy (Geng et al., arXiv 2505.13447): the average velocity of a flow, one evaluation a window.

Time 1 is noise and time 0 data. u(z, r, t) is the mean velocity from t down to r, and z - u(z, 0, 1) is a
window. It learns the identity u = v - (t - r) du/dt, with the total derivative by a Jacobian-vector product
along (v, 0, 1), which no gradient passes.

The authors' settings: r differs from t for a quarter of the windows, times log-normal (-0.4, 1). Their loss
divides each error by its own size (p = 1); in a window's few dimensions that estimates no mean, so p is 0
here, which they tried as well. Products are float32: a derivative takes differences of what is rounded.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.bench.rivals.stage import RivalStage
from kdp_edge.bench.rivals.transport import Move, TransportNet
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.values import Judge
from kdp_edge.run import RunConfig

ONE_STEP = (Move((0.0, 1.0), -1.0),)
APART = 0.25  # share of windows whose r differs from t
LOGIT_MEAN, LOGIT_STD = -0.4, 1.0  # of times, before the logistic function


class MeanFlowStage(RivalStage[TransportNet]):
    """Trains the average velocity; its one-step window gets the run's value gradient."""

    name = "meanflow"

    def __init__(self, config: RunConfig, matches: Matches, judge: Judge, rng: torch.Generator) -> None:
        net = TransportNet(config, levels=2)
        net.fit_columns(matches.flat.to(net.mean.device))
        super().__init__(config, matches, rng, net, judge, precision="float32")

    def _loss(self, *parts: Tensor) -> Tensor:
        state, noisy, begin, end, velocity, *judged = parts
        target = self.target(state, noisy, begin, end, velocity)
        error = self.online(state, noisy, begin, end) - target
        loss = (self.weight * error.square()).mean()
        if judged:
            seen, noise = judged
            windows = self.online.plain(self.online.move(seen, noise, ONE_STEP))
            loss = loss - self._value(seen, self._played(windows))
        return loss

    @torch.no_grad()
    def target(self, state: Tensor, noisy: Tensor, begin: Tensor, end: Tensor, velocity: Tensor) -> Tensor:
        """v - (t - r) du/dt [B, C]; the first rows, whose r (`begin`) differs from t (`end`), need du/dt."""
        apart = int(len(noisy) * APART)
        slope = self.slope(*(part[:apart] for part in (state, noisy, begin, end, velocity)))
        target = velocity.clone()
        target[:apart] -= (end - begin)[:apart, None] * slope
        return target

    def slope(self, state: Tensor, noisy: Tensor, begin: Tensor, end: Tensor, velocity: Tensor) -> Tensor:
        """du/dt [B, C] along the flow: the derivative of u in the direction (v, 0, 1) of (z, r, t)."""

        def mean_velocity(noisy: Tensor, begin: Tensor, end: Tensor) -> Tensor:
            return self.online(state, noisy, begin, end)

        along = (velocity, torch.zeros_like(begin), torch.ones_like(end))
        slope: Tensor = torch.func.jvp(mean_velocity, (noisy, begin, end), along)[1]
        return slope

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """States, noisy windows, r, t, velocities [steps, B, ...]; states and noise to be judged, if any."""
        state, drawn = self._matched(steps * self.batch)
        clean = (drawn - self.online.mean) / self.online.std
        noise = self._noise(*clean.shape)
        times = (LOGIT_STD * self._noise(len(clean), 2) + LOGIT_MEAN).sigmoid()
        begin, end = times.amin(-1), times.amax(-1)
        noisy = clean.lerp(noise, end[:, None])
        parts = [part.unflatten(0, (steps, -1)) for part in (state, noisy, begin, end, noise - clean)]
        together = int(self.batch * APART)
        parts[2][:, together:] = parts[3][:, together:]
        return self._and_judged(parts, steps, self.config.window_dim)
