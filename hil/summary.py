# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""From recordings to the figures of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdp_edge.base.statistics import compare, rounded95, success_summary
from kdp_edge.hil.devices.device import WALL, DeviceClock
from kdp_edge.hil.pace.host import HostTime
from kdp_edge.hil.result import DeviceResult, DeviceTime, HostFitness, Percentiles, Played, WarmUp
from kdp_edge.hil.scenario import WARM_UP, Recording, Step
from kdp_edge.tasks import Task
from kdp_edge.wire.numbers import Flag, State
from kdp_edge.wire.protocol import Hello

FAR = 0.05  # of an action's unit: more than int8 rounding in another order explains


RANKS = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def percentiles(values: list[float]) -> Percentiles:
    """Percentiles that are themselves measured values."""
    return Percentiles(**_at_ranks(values))


def _at_ranks(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    found = np.percentile(np.asarray(values), list(RANKS.values()), method="inverted_cdf")
    return {name: float(value) for name, value in zip(RANKS, found, strict=True)}


def device_entry(recording: Recording, task: Task) -> Played | DeviceResult:
    """What a recording says, the float policy's and a device's."""
    returns = [e.episode_return for e in recording.episodes if e.finished]
    mean = float(np.mean(returns)) if returns else None
    recorded = [s.recorded_gap for s in recording.steps if s.recorded_gap is not None]
    played = Played(
        episodes=len(returns),
        returns=returns,
        lengths=[e.steps for e in recording.episodes if e.finished],
        return_mean=mean,
        return_ci95=rounded95(returns, 6) if returns else None,
        score_mean=None if mean is None or recorded else task.score(mean),
        wall_seconds=recording.wall_seconds,
        steps=len(recording.steps),
        **_successes([e.success for e in recording.episodes if e.finished]),
        recorded_gap_p50=percentiles(recorded).p50,
        recorded_gap_p95=percentiles(recorded).p95,
    )
    if recording.hello is None:
        return played
    return DeviceResult(**vars(played), **_answers(recording, recording.hello), **_times(recording))


def _successes(found: list[bool | None]) -> dict[str, Any]:
    return {"successes": [one for one in found if one is not None], **success_summary(found)}


def device_times(recording: Recording) -> list[float]:
    """Time of each plan by the device's own clock, in the clock's unit.

    Without the warm-up where an operating system shares the processor; a board's plans count from the first.
    """
    clock = recording.clock
    if clock is None:
        return []
    # a run shorter than the warm-up is all there is to report
    skip = WARM_UP if clock.source == "os" and len(recording.steps) > WARM_UP else 0
    return [clock.units(s.ticks) for s in recording.steps[skip:] if s.flags & Flag.PLANNED]


def worst_episode(steps: Sequence[Step]) -> int:
    """The seed of the episode with most fail-safe, faults and mismatches; without any, of the first."""
    trouble: dict[int, int] = {}
    for step in steps:
        odd = (step.state or State.RUNNING) != State.RUNNING or bool(step.fault) or not step.matched
        trouble[step.seed] = trouble.get(step.seed, 0) + odd
    return max(trouble, key=lambda seed: trouble[seed])


def misses(recording: Recording, first: int = 0, last: int | None = None) -> int:
    """Control steps without a fresh action in time that no injected fault explains.

    Counted from step `first` of the recording up to, not including, `last`.

    An emulated core's own timer runs faster than the real core's would, so there the deadline is also held
    against the instructions at the core's clock.
    """
    limit = math.inf
    clock = recording.clock
    if clock is not None and clock.source == "icount" and recording.hello is not None:
        limit = recording.hello.deadline_us * 1e-6 * clock.hz / clock.per_tick  # ticks
    late = Flag.OVERRUN | Flag.MISSED
    return sum((bool(s.flags & late) or s.ticks > limit) and not s.fault for s in recording.steps[first:last])


def two_clocks(recording: Recording) -> str:
    """What to know of a device whose own fail-safe keeps another time than the report; else empty."""
    clock = recording.clock
    if clock is None or clock.own_hz is None:
        return ""
    return (
        f"{recording.device}: its own fail-safe counts {clock.own_hz / 1e6:.4g} million instructions to a "
        f"second, this report {clock.hz / 1e6:.4g} million, as the real core has cycles: a plan that is late "
        "here was perhaps not replaced there"
    )


def _answers(recording: Recording, hello: Hello) -> dict[str, Any]:
    steps = recording.steps
    gaps = [s.action_gap for s in steps if s.action_gap is not None]
    same = [s.same_candidate_gap for s in steps if s.same_candidate_gap is not None]
    states = [s.state for s in steps]
    telemetry = recording.telemetry
    return {
        "action_gap_max": max(gaps, default=None),
        "action_gap_p50": percentiles(gaps).p50,
        "action_gap_same_candidate_max": max(same, default=None),
        "action_gap_same_candidate_p50": percentiles(same).p50,
        "replies": recording.replies,
        "mismatched_replies": recording.mismatched,
        "exact": recording.exact,
        "twin_gap_max": max((s.twin_gap for s in steps if s.twin_gap is not None), default=None),
        "far_share": float(np.mean([(s.twin_gap or 0.0) > FAR for s in steps])) if steps else None,
        "mismatches": recording.mismatches,
        "deadline_misses": misses(recording),
        "fallback_steps": sum(state not in (None, State.RUNNING) for state in states),
        "states": {s.name.lower(): states.count(s) for s in State},
        "faults_injected": {k: v for k, v in sorted(recording.injected.items()) if v},
        "limited_steps": sum(bool(s.flags & Flag.LIMITED) for s in steps),
        "flash_bytes": recording.flash_bytes,
        "ram_bytes": recording.ram_bytes,
        "stack_bytes": telemetry.stack_bytes or None if telemetry else None,
        "stack_high_water_bytes": telemetry.stack_high_water_bytes or None if telemetry else None,
        "link": recording.counters,
        "lost": recording.lost,
        "restarted": recording.restarted,
        "address": recording.address,
        "skipped_steps": sum(s.state is None for s in recording.steps),
        "own_steps": recording.own_steps,
        "latency_ms": _latencies(recording),
        "host": _host(recording.host, recording.clock),
        "late_round_trips": _late_round_trips(steps, hello),
        "hello": hello,
        "telemetry": telemetry,
    }


def without_host_time(entry: Played | DeviceResult) -> Played | DeviceResult:
    """What does not depend on how fast this computer is."""
    if not isinstance(entry, DeviceResult):
        return replace(entry, wall_seconds=0.0)
    return replace(
        entry,
        wall_seconds=0.0,
        rtt_ms=Percentiles(),
        warm_up=WarmUp(0, None),
        echo_ms=Percentiles(),
        late_round_trips=0,
    )


def _latencies(recording: Recording) -> Percentiles | None:
    found = [1e3 * s.latency for s in recording.steps if s.latency is not None]
    return percentiles(found) if found else None


def _host(host: HostTime | None, clock: DeviceClock | None) -> HostFitness | None:
    if host is None:
        return None
    before, lateness, periods = (
        percentiles([1e3 * t for t in times]) for times in (host.before, host.lateness, host.periods)
    )
    unfit = host.why_unfit
    if unfit is None and host.late_answers and clock is not None and clock.source == WALL:
        unfit = (
            f"{host.late_answers} answers of the emulator were late: it is as fast as this computer lets it"
        )
    return HostFitness(host.permitted, before, lateness, periods, host.missed, host.late_answers, unfit)


def _late_round_trips(steps: list[Step], hello: Hello) -> int:
    period = 1e3 / hello.rate_mhz if hello.rate_mhz else math.inf
    return sum(s.rtt is not None and s.rtt > period for s in steps)


def _times(recording: Recording) -> dict[str, Any]:
    clock, times = recording.clock, device_times(recording)
    trips = [1e3 * s.rtt for s in recording.steps if s.rtt is not None]
    # a run shorter than the warm-up is all there is to report
    skip = WARM_UP if len(trips) > WARM_UP else 0
    found = {
        "rtt_ms": percentiles(trips[skip:]),
        "warm_up": WarmUp(skip, max(trips[:skip], default=None)),
        "echo_ms": percentiles([1e3 * t for t in recording.echo_rtt]),
    }
    if clock is None:
        return found | {"device_time": None, "device_ms": None}
    in_ms = percentiles([1e3 * t / clock.hz for t in times])
    deadline = recording.hello.deadline_us / 1e3 if recording.hello else 0.0
    return found | {
        "device_time": DeviceTime(**_at_ranks(times), unit=clock.unit, source=clock.source, hz=clock.hz),
        "device_ms": in_ms,
        "deadline_share": in_ms.max / deadline if in_ms.max is not None and deadline else None,
    }


def against_float(one: DeviceResult, floating: Played | None, point: float) -> DeviceResult:
    """`one` with its returns held against the float policy's, where both played the same episodes."""
    if floating is None or len(one.returns) != len(floating.returns) or not one.returns:
        return one
    found = compare(one.returns, floating.returns, point)
    interval = None if found.interval is None else list(found.interval)
    return replace(one, float_difference=found.difference, float_difference_ci95=interval)
