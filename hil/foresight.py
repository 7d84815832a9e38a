# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plans of many control steps made at once, so that predicting every reply costs a loop little.

A plan is a function of its observation, episode and number. Which plans will be asked for is guessed from
what the device said; a wrong guess costs time and nothing else: what is missing is made when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from kdp_edge.quantization.float_planner import FloatPlan
from kdp_edge.quantization.plan import Plan

Made = TypeVar("Made", Plan, FloatPlan)


class Planning(Protocol[Made]):
    """`IntegerPlanner` or `FloatPlanner`."""

    def plan(self, observation: np.ndarray, episode: int, index: int) -> Made:
        """One plan."""

    def plans(self, observations: np.ndarray, episode: int, indices: list[int]) -> list[Made]:
        """The same for several observations of an episode, float32 [n, obs_dim]."""


@dataclass
class Foresight(Generic[Made]):
    """A planner whose next plans may be made ahead."""

    planner: Planning[Made]
    _made: dict[tuple[bytes, int, int], Made] = field(default_factory=dict)

    def prepare(self, observations: list[np.ndarray], episode: int, first: int) -> None:
        """Make the plans with numbers `first`, `first + 1`, ... for these observations."""
        self._made.clear()
        if len(observations) > 1:
            indices = [*range(first, first + len(observations))]
            plans = self.planner.plans(np.stack(observations), episode, indices)
            keys = (
                (seen.tobytes(), episode, index) for seen, index in zip(observations, indices, strict=True)
            )
            self._made.update(zip(keys, plans, strict=True))

    def plan(self, observation: np.ndarray, episode: int, index: int) -> Made:
        """The plan, whether it was made or not."""
        made = self._made.pop((observation.tobytes(), episode, index), None)
        return self.planner.plan(observation, episode, index) if made is None else made
