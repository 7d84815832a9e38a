# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`agent.py --bench N`: plans on request at the control rate, and where their time goes.

queue      from the sending of a request until this process, and on a GPU its stream, begins to work on it
copy       numbers on their way to and from the runtime: units, and on a GPU its memory
execution  the nets; on a GPU by its own clock
plan       a whole plan as it is served, from the request in hand to its actions: what the deadline is for

Half of the requests are answered as served, and half in parts, whose measuring costs some time itself.
Requests come from another process: while a plan takes longer than a period they wait, and the queue shows it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.agent.backends import Backend, DevicePlanner
from kdp_edge.exporters.agent.spent import Spent

SETTLED = 10  # requests before it counts
PATIENCE = 10.0  # seconds beyond a period in which a request must come
_REQUESTS = """
import sys, time
period, count = float(sys.argv[1]), int(sys.argv[2])
due = time.monotonic()
for _ in range(count):
    due += period
    time.sleep(max(0.0, due - time.monotonic()))
    sys.stdout.buffer.write(time.monotonic_ns().to_bytes(8, "little"))
    sys.stdout.buffer.flush()
"""


class _InParts:
    """A back end that notes what its parts take."""

    def __init__(self, backend: Backend, spent: Spent) -> None:
        self._backend, self._spent = backend, spent

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return self._backend.timed(inputs, self._spent)

    def timed(self, inputs: np.ndarray, spent: Spent) -> np.ndarray:
        """See `Backend.timed`."""
        return self._backend.timed(inputs, spent)


def bench(planner: DevicePlanner, count: int) -> dict[str, object]:
    """Times of `count` plans as served and as many in parts.

    Returns:
        Microseconds (mean, p50, p99, worst) by what they were spent on; `late`: plans beyond the deadline.
    """
    spec, spent = planner.spec, Spent()
    critic = planner.critic_backend
    in_parts = replace(
        planner,
        generator_backend=_InParts(planner.generator_backend, spent),
        critic_backend=_InParts(critic, spent) if critic is not None else None,
    )
    observation = np.asarray(spec.obs_offset, np.float32)
    times: dict[str, list[int]] = {name: [] for name in ("queue", "copy", "execution", "plan")}
    for index, sent in enumerate(_requests(1 / spec.rate_hz, SETTLED + 2 * count)):
        start = time.monotonic_ns()
        spent.queue = spent.copy = spent.execution = 0
        (in_parts if index % 2 else planner).plan(observation, 1, index)
        took = time.monotonic_ns() - start
        if index < SETTLED:
            continue
        if index % 2:
            times["queue"].append(start - sent + spent.queue)
            times["copy"].append(spent.copy)
            times["execution"].append(spent.execution)
        else:
            times["plan"].append(took)
    return {
        "plans": count,
        "k": spec.k,
        "rate_hz": spec.rate_hz,
        "deadline_us": spec.deadline_us,
        "late": sum(took > 1000 * spec.deadline_us for took in times["plan"]),
        **{f"{name}_us": _summary(found) for name, found in times.items()},
    }


def _summary(nanoseconds: list[int]) -> dict[str, float]:
    values = np.asarray(nanoseconds) / 1000
    p50, p99 = np.percentile(values, [50, 99])
    known = {"mean": values.mean(), "p50": p50, "p99": p99, "worst": values.max()}
    return {name: round(float(value), 1) for name, value in known.items()}


def _requests(period: float, count: int) -> Iterator[int]:
    """When each request was sent, in nanoseconds of the system's monotonic clock, as it arrives."""
    command = [sys.executable, "-I", "-c", _REQUESTS, str(period), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        try:
            for _ in range(count):
                ready, _, _ = select.select([pipe], [], [], period + PATIENCE)
                sent = os.read(pipe, 8) if ready else b""
                if len(sent) != 8:
                    raise KdpError("the process that sends requests has ended; try again", DEVICE_MISSING)
                yield int.from_bytes(sent, "little")
        finally:
            process.kill()
