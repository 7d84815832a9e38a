# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How well the host keeps its own time: what it was permitted, and how late its cycles began."""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

JITTER_SHARE = 0.1  # of a period: beyond it a host can say nothing about a device
CYCLES = 50  # of the look before a run
PRIORITY = 40  # SCHED_FIFO: above ordinary processes, below the kernel's interrupt threads
_MCL_CURRENT, _MCL_FUTURE = 1, 2


@dataclass
class HostTime:
    """Cycles of the host at pace `real`, in seconds; the look before the run apart."""

    period: float
    permitted: dict[str, str] = field(default_factory=dict)  # what was asked of the system -> what it said
    before: list[float] = field(default_factory=list)  # lateness of each cycle, in the look before the run
    lateness: list[float] = field(default_factory=list)  # of each cycle that began
    periods: list[float] = field(default_factory=list)  # from one begin to the next, skipped cycles apart
    missed: int = 0  # cycles that were skipped, since their time had passed
    late_answers: int = 0  # that came after their own cycle

    @property
    def jitter(self) -> float:
        """What 99 % of the cycles stay below, before and in the run: the larger of the two."""
        return max((float(np.percentile(v, 99)) for v in (self.before, self.lateness) if v), default=0.0)

    @property
    def why_unfit(self) -> str | None:
        """Why this host cannot judge a device, if it cannot."""
        if self.missed:
            return f"the host missed {self.missed} cycles of its own"
        if self.jitter > JITTER_SHARE * self.period:
            return (
                f"the host's own cycles begin up to {1e3 * self.jitter:.2f} ms late (99 %), more than a "
                f"tenth of the period of {1e3 * self.period:.3g} ms"
            )
        return None


def look(host: HostTime) -> None:
    """Wait for `CYCLES` deadlines and do nothing else: the host's own fitness, before any device is asked."""
    begin = time.monotonic()
    for number in range(1, CYCLES + 1):
        due = begin + number * host.period
        wait_until(due)
        host.before.append(time.monotonic() - due)


def wait_until(due: float) -> None:
    """Sleep to an absolute time of `time.monotonic`; Python's sleep is clock_nanosleep to a deadline."""
    while (left := due - time.monotonic()) > 0:
        time.sleep(left)


@contextmanager
def undisturbed() -> Iterator[dict[str, str]]:
    """Ask the system for SCHED_FIFO, locked memory and a processor of our own; say what it permitted."""
    said: dict[str, str] = {}
    scheduler, policy = os.sched_getscheduler(0), os.sched_getparam(0)
    processors = os.sched_getaffinity(0)
    collecting = gc.isenabled()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        gc.disable()  # a collection takes milliseconds, and comes when it likes
        said["SCHED_FIFO"] = _asked(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY)))
        locked = libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0
        said["mlockall"] = "used" if locked else f"not permitted ({os.strerror(ctypes.get_errno())})"
        last = max(processors)
        said["CPU pinning"] = (
            _asked(lambda: os.sched_setaffinity(0, {last})) if len(processors) > 1 else "one processor only"
        )
        yield said
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, scheduler, policy)
        with suppress(OSError):
            os.sched_setaffinity(0, processors)
        libc.munlockall()
        if collecting:
            gc.enable()


def _asked(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except OSError as error:
        return f"not permitted ({error.strerror})"
    return "used"
