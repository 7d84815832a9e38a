# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Flow matching on matched windows (Lipman et al., arXiv 2210.02747): FQL's behaviour flow.

A window goes in a straight line from noise at time 0 to data at time 1; the net learns the mean velocity of
all lines through a point, and ten Euler steps follow it, as many as FQL's authors take.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.bench.rivals.stage import RivalStage
from kdp_edge.bench.rivals.transport import Move, Schedule, TransportNet
from kdp_edge.learn.matches import Matches
from kdp_edge.run import RunConfig

EULER_STEPS = 10  # of FQL's authors: `flow_steps` of github.com/seohongpark/fql


def euler(steps: int = EULER_STEPS) -> Schedule:
    """Along the flow in equal steps."""
    return tuple(Move((i / steps,), 1 / steps) for i in range(steps))


class FlowStage(RivalStage[TransportNet]):
    """Regresses on the velocity of straight lines, at times drawn evenly. No value pulls: ten steps do."""

    name = "flow"

    def __init__(self, config: RunConfig, matches: Matches, rng: torch.Generator) -> None:
        net = TransportNet(config, levels=1)
        net.fit_columns(matches.flat.to(net.mean.device))
        super().__init__(config, matches, rng, net)

    def _loss(self, *parts: Tensor) -> Tensor:
        state, noisy, level, velocity = parts
        return (self.weight * (self.online(state, noisy, level) - velocity).square()).mean()

    def _draw(self, steps: int) -> tuple[Tensor, ...]:
        """States, points on lines, their times and velocities [steps, B, ...]."""
        state, drawn = self._matched(steps * self.batch)
        clean = (drawn - self.online.mean) / self.online.std
        noise = self._noise(*clean.shape)
        level = torch.rand(len(clean), generator=self.rng, device=self.device)
        noisy = noise.lerp(clean, level[:, None])
        parts = (state, noisy, level, clean - noise)
        return tuple(part.unflatten(0, (steps, self.batch)) for part in parts)
