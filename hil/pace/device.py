# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Pace `device`: the link runs in lockstep, and the plant pays what the device's own clock says.

A device plans one observation at a time: while it is busy it is not asked, and its own time delays the next
question. Time on the link passes beside that: several actions may be under way.

A plan that was made ahead took its time behind the answer before: only what is left of it when the next
observation comes is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdp_edge.hil.pace.flight import Flight
from kdp_edge.hil.pace.pacing import Answer, Answering, Plant, ask
from kdp_edge.tasks.simulation import Outcome
from kdp_edge.wire import numbers
from kdp_edge.wire.protocol import StepReply

_SLACK = 1e-9  # of a control step
_AHEAD = int(numbers.Flag.AHEAD)


class DevicePace:
    """See `Pacing`.

    Args:
        seconds: what a reply took on the device, by its own clock.
        link: says the seconds there and back when an episode begins.
        period: seconds of a control step.
        meanwhile: the action that acts until one arrives, float32 [act_dim]; None: the one before it.
    """

    wire = numbers.Pace.LOCKSTEP
    waits = True

    def __init__(
        self,
        link_to: Answering,
        seconds: Callable[[StepReply], float],
        link: Callable[[], float],
        period: float,
        meanwhile: np.ndarray | None = None,
    ) -> None:
        self._link, self._seconds, self._on_link = link_to, seconds, link
        self._period, self._meanwhile = period, meanwhile

    def begin(self, plant: Plant, action: np.ndarray) -> None:
        self._plant, self._begun, self._free, self._late = plant, 0.0, 0.0, self._on_link()
        self._flight = Flight(plant.substeps, action, self._meanwhile)

    def exchange(self, step: int, observation: np.ndarray | None) -> list[Answer]:
        if self._free > step + _SLACK:
            return []
        answer = ask(self._link, step, observation)
        own, ahead = 0.0, 0
        if isinstance(answer.reply, StepReply):
            own, ahead = self._seconds(answer.reply), answer.reply.flags & _AHEAD
        since = self._begun if ahead else step  # when the device began with what took this time
        self._free = max(since + own / self._period, step)
        self._begun = self._free if ahead else step
        return [replace(answer, latency=(self._free - step) * self._period + self._late)]

    def act(self, answer: Answer, action: np.ndarray) -> None:
        self._flight.send(answer.step + (answer.latency or 0.0) / self._period, action)

    def finish(self) -> list[Answer]:
        return []

    def advance(self, step: int) -> Outcome:
        action, earlier = self._flight.step(step)
        return self._plant.step(action, earlier)

    @property
    def acting(self) -> np.ndarray:
        return self._flight.acting
