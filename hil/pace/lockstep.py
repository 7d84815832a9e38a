# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Pace `lockstep`: the plant stands still until the device has answered."""

from __future__ import annotations

import numpy as np

from kdp_edge.hil.pace.pacing import Answer, Answering, Plant, ask
from kdp_edge.tasks.simulation import Outcome
from kdp_edge.wire import numbers


class Lockstep:
    """See `Pacing`."""

    wire = numbers.Pace.LOCKSTEP
    waits = True

    def __init__(self, link: Answering) -> None:
        self._link = link

    def begin(self, plant: Plant, action: np.ndarray) -> None:
        self._plant, self.acting = plant, action

    def exchange(self, step: int, observation: np.ndarray | None) -> list[Answer]:
        return [ask(self._link, step, observation)]

    def act(self, answer: Answer, action: np.ndarray) -> None:
        self.acting = action

    def finish(self) -> list[Answer]:
        return []

    def advance(self, step: int) -> Outcome:
        return self._plant.step(self.acting)
