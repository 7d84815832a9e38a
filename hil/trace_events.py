# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""trace.json: where the wall-clock of each control step went, for Perfetto and chrome://tracing.

A device is a process with four tracks: host, link down, plan, link up. What the link takes is the round trip
without the plan, by the device's own clock; of a device whose clock is not this world's (emulated, native) it
is the median round trip of the bare link. It is divided by the bytes of each direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from kdp_edge.hil.scenario import Recording, Step
from kdp_edge.hil.trace_mcap import device_ms
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.wire.frame import OVERHEAD
from kdp_edge.wire.numbers import Flag, State

FILE = "trace.json"
HOST, DOWN, PLAN, UP = range(1, 5)
TRACKS = {HOST: "host", DOWN: "link down", PLAN: "plan", UP: "link up"}
_FRAME = OVERHEAD + 2  # bytes around a payload: head, CRC, stuffing and end (docs/protocol.md)
_OTHER_CLOCK = ("icount",)


def trace_events(recordings: Sequence[Recording], spec: PlanSpec) -> dict[str, Any]:
    """The object of the Trace Event Format; times in microseconds since the first request of each device."""
    events: list[dict[str, Any]] = []
    for process, recording in enumerate(recordings, start=1):
        if recording.hello is not None:
            events += _of_device(process, recording, spec)
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _of_device(process: int, recording: Recording, spec: PlanSpec) -> Iterator[dict[str, Any]]:
    yield _meta("process_name", process, 0, recording.device)
    for track, name in TRACKS.items():
        yield _meta("thread_name", process, track, name)
    bare = median(recording.echo_rtt) if recording.echo_rtt else 0.0
    sent, got = 12 + 4 * spec.obs_dim + _FRAME, 18 + 4 * spec.act_dim + _FRAME
    down_share = sent / (sent + got)
    start, free, before = None, None, None
    for step in recording.steps:
        if step.sent is None or step.rtt is None:
            continue
        start = step.sent if start is None else start
        at = step.sent - start
        if free is not None and at > free:
            yield _slice("host", process, HOST, free, at - free, {})
        plan = _plan_seconds(recording, step, bare)
        if step.flags & Flag.AHEAD and free is not None:  # it was made behind the answer before
            seconds = min((device_ms(recording, step) or 0.0) / 1e3, max(at - free, 0.0))
            yield _slice("plan ahead", process, PLAN, free, seconds, {"seed": step.seed, "step": step.step})
            plan = 0.0
        link = step.rtt - plan
        about = {"seed": step.seed, "step": step.step, "device_ms": device_ms(recording, step)}
        yield _slice("link down", process, DOWN, at, link * down_share, {})
        yield _slice("plan", process, PLAN, at + link * down_share, plan, about)
        yield _slice(
            "link up", process, UP, at + step.rtt - link * (1 - down_share), link * (1 - down_share), {}
        )
        free = at + step.rtt
        for line in _marks(step, before):
            yield {"name": line, "ph": "i", "s": "p", "pid": process, "tid": HOST, "ts": _us(free)}
        before = step.state


def _plan_seconds(recording: Recording, step: Step, bare: float) -> float:
    """What the device took of a round trip, never more than all of it."""
    assert step.rtt is not None
    clock, own = recording.clock, device_ms(recording, step)
    if clock is None or clock.source in _OTHER_CLOCK or own is None:
        return max(0.0, step.rtt - bare)
    return min(step.rtt, own / 1e3)


def _marks(step: Step, before: int | None) -> Iterator[str]:
    if step.state is not None and step.state != before and before is not None:
        yield f"state {State(step.state).name.lower()}"
    if step.fault:
        yield f"fault {step.fault}"
    if not step.matched:
        yield "mismatch"


def _meta(what: str, process: int, track: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": track, "args": {"name": name}}


def _slice(
    name: str, process: int, track: int, start: float, seconds: float, about: dict[str, Any]
) -> dict[str, Any]:
    event = {"name": name, "ph": "X", "pid": process, "tid": track, "ts": _us(start), "dur": _us(seconds)}
    return event | ({"args": about} if about else {})


def _us(seconds: float) -> float:
    return round(1e6 * seconds, 1)
