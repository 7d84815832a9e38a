# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Pace `real`: control step n begins n periods after the first, by absolute deadlines, whoever is late.

One request is under way at a time. While its reply is missing the plant goes on, and nothing new is asked;
a reply that comes late acts when it comes. A host that wakes too late skips the cycles whose time has passed:
the plant plays them with what acts meanwhile, and the device is asked once, for the cycle at hand. It never
catches up in a burst. What the device does in a silence, its own clock decides, and its next reply tells.
"""

from __future__ import annotations

import time

import numpy as np

from kdp_edge.hil.link import Asked, Link
from kdp_edge.hil.pace.flight import Flight
from kdp_edge.hil.pace.host import HostTime, look, wait_until
from kdp_edge.hil.pace.pacing import Answer, Plant
from kdp_edge.tasks.simulation import Outcome
from kdp_edge.wire import numbers
from kdp_edge.wire.protocol import Refused, StepReply

LATE_SHARE = 0.5  # of a period: a cycle that begins later than this is skipped


class RealTime:
    """See `Pacing`."""

    wire = numbers.Pace.REAL
    waits = False

    def __init__(self, link: Link, host: HostTime, meanwhile: np.ndarray | None = None) -> None:
        self._link, self._host, self._meanwhile = link, host, meanwhile
        self._period = host.period

    def begin(self, plant: Plant, action: np.ndarray) -> None:
        if not self._host.before:
            look(self._host)
        self._plant = plant
        self._flight = Flight(plant.substeps, action, self._meanwhile)
        self._waiting: tuple[int, np.ndarray | None, Asked] | None = None
        self._start: float | None = None
        self._last: float | None = None  # begin of the cycle before, None where one was skipped

    def exchange(self, step: int, observation: np.ndarray | None) -> list[Answer]:
        now = time.monotonic()
        if self._start is None:
            self._start = now  # RESET was answered just now
        due = self._start + step * self._period
        if now > due + LATE_SHARE * self._period:
            self._host.missed += 1
            self._last = None
            return self._answers(now)  # what came meanwhile, without waiting
        wait_until(due)
        began = time.monotonic()
        self._host.lateness.append(began - due)
        if self._last is not None:
            self._host.periods.append(began - self._last)
        self._last = began
        if self._waiting is None:
            self._waiting = (step, observation, self._link.ask(step, observation))
        return self._answers(due + self._period)

    def act(self, answer: Answer, action: np.ndarray) -> None:
        self._flight.send(answer.step + (answer.latency or 0.0) / self._period, action)

    def advance(self, step: int) -> Outcome:
        action, earlier = self._flight.step(step)
        return self._plant.step(action, earlier)

    def finish(self) -> list[Answer]:
        answers: list[Answer] = []
        while self._waiting is not None and not answers:
            answers = self._answers(time.monotonic() + self._period)
        return answers

    @property
    def acting(self) -> np.ndarray:
        return self._flight.acting

    def _answers(self, until: float) -> list[Answer]:
        """The reply that is waited for, if it comes before `until`."""
        if self._waiting is None or self._start is None:
            return []
        step, observation, asked = self._waiting
        reply: StepReply | Refused | None
        try:
            reply = self._link.answer(asked, until - time.monotonic())
        except Refused as refused:
            reply = refused
        if reply is None:
            return []
        self._waiting = None
        latency = max(time.monotonic() - self._start - step * self._period, 0.0)
        self._host.late_answers += latency > self._period
        return [Answer(step, observation, reply, asked.took, asked.sent, latency)]
