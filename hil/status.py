# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How far a device is: what somebody who watches wants to see, read off its recording while it is filled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.summary import misses

LAST = 200  # control steps that rate and latency are taken from

Observer = Callable[
    [Recording], None
]  # is handed a recording before its first step; another thread may read it


def unobserved(recording: Recording) -> None:
    """The observer of a run that nobody watches."""


@dataclass(frozen=True)
class Status:
    """A device in the middle of its part."""

    device: str
    steps: int
    seconds: float  # since its first step
    rate: float | None = None  # control steps a second, lately
    misses: int = 0  # of the deadline, and observations that did not come
    latency_ms_p50: float | None = None  # round trips, lately
    latency_ms_p99: float | None = None
    return_mean: float | None = None  # of the episodes that ended
    episodes: int = 0  # that ended
    return_now: float = 0.0  # of the episode that is played


Show = Callable[[Status], None]


def unseen(status: Status) -> None:
    """A status that nobody looks at."""


class Watched:
    """A recording that is filled by another thread, looked at now and then; costs that thread nothing."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._start = time.monotonic()
        self._seen, self._misses = 0, 0
        self._marks: list[tuple[float, int]] = []

    def status(self) -> Status:
        """How it stands now."""
        recording, now = self.recording, time.monotonic()
        count = len(recording.steps)
        self._misses += misses(recording, self._seen, count)
        self._seen = count
        self._marks = [*self._marks[-10:], (now, count)]
        (then, before), ended = self._marks[0], list(recording.episodes)
        lately = recording.steps[max(0, count - LAST) : count]
        trips = [1e3 * step.rtt for step in lately if step.rtt is not None]
        rest = count - sum(episode.steps for episode in ended)
        return Status(
            recording.device,
            count,
            now - self._start,
            rate=(count - before) / (now - then) if now > then else None,
            misses=self._misses,
            latency_ms_p50=float(np.percentile(trips, 50)) if trips else None,
            latency_ms_p99=float(np.percentile(trips, 99)) if trips else None,
            return_mean=float(np.mean([e.episode_return for e in ended])) if ended else None,
            episodes=len(ended),
            return_now=sum(step.reward for step in recording.steps[count - rest : count])
            if rest > 0
            else 0.0,
        )
