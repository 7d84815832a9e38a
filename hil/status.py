# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How far a device is: what somebody who watches wants to see, read off its recording while it is filled."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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
    """A recording that is filled by another thread, looked at now and then.

    A look reads what came since the last one, which takes some tens of microseconds.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._start = time.monotonic()
        self._seen, self._misses, self._seed, self._return = 0, 0, -1, 0.0
        self._marks: deque[tuple[float, int]] = deque(maxlen=10)
        self._trips: deque[float] = deque(maxlen=LAST)

    def status(self) -> Status:
        """How it stands now."""
        recording, now = self.recording, time.monotonic()
        # the newest row may lack its reward; it counts at the next look
        count = max(self._seen, len(recording.steps) - 1)
        for step in recording.steps[self._seen : count]:
            if step.seed != self._seed:
                self._seed, self._return = step.seed, 0.0
            self._return += step.reward
            if step.rtt is not None:
                self._trips.append(1e3 * step.rtt)
        self._misses += misses(recording, self._seen, count)
        self._seen = count
        self._marks.append((now, count))
        (then, before), ended, trips = self._marks[0], list(recording.episodes), sorted(self._trips)
        return Status(
            recording.device,
            count,
            now - self._start,
            rate=(count - before) / (now - then) if now > then else None,
            misses=self._misses,
            latency_ms_p50=trips[len(trips) // 2] if trips else None,
            latency_ms_p99=trips[(99 * len(trips)) // 100] if trips else None,
            return_mean=sum(e.episode_return for e in ended) / len(ended) if ended else None,
            episodes=len(ended),
            return_now=self._return,
        )
