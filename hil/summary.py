"""From recordings to the figures of a report: the entries of `devices` in report.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from kdp_edge.base.statistics import interval95
from kdp_edge.hil.scenario import WARM_UP, Recording, Step
from kdp_edge.tasks import Task
from kdp_edge.wire.twin import Flag, State

FAR = 0.05  # of an action's unit: more than int8 rounding in another order explains


def percentiles(values: list[float], names: tuple[str, ...] = ("p50", "p95", "p99", "max")) -> dict[str, Any]:
    """Percentiles that are themselves measured values; all None when there are none."""
    if not values:
        return dict.fromkeys(names)
    ranks = [100.0 if name == "max" else float(name[1:]) for name in names]
    found = np.percentile(np.asarray(values), ranks, method="inverted_cdf")
    return {name: float(value) for name, value in zip(names, found, strict=True)}


def device_entry(recording: Recording, task: Task) -> dict[str, Any]:
    """One value of `devices` in report.json; what a device does not have is None."""
    returns = [e.episode_return for e in recording.episodes if e.finished]
    mean = float(np.mean(returns)) if returns else None
    entry = {
        "episodes": len(returns),
        "returns": returns,
        "lengths": [e.steps for e in recording.episodes if e.finished],
        "return_mean": mean,
        "return_ci95": list(interval95(returns)) if returns else None,
        "score_mean": None if mean is None else task.score(mean),
        "wall_seconds": recording.wall_seconds,
        "steps": len(recording.steps),
    }
    return entry if recording.hello is None else entry | _answers(recording) | _times(recording)


def device_times(recording: Recording) -> list[float]:
    """Time of each plan by the device's own clock, in the clock's unit, warm-up included."""
    clock = recording.clock
    if clock is None:
        return []
    times = [s.ticks * clock.per_tick for s in recording.steps if s.flags & Flag.PLANNED]
    # a timer slower than the core counts instructions in steps; there are no halves of them
    return [float(round(t)) for t in times] if clock.unit == "instructions" else times


def misses(steps: list[Step]) -> int:
    """Control steps without a fresh action in time that no injected fault explains."""
    return sum(bool(s.flags & (Flag.OVERRUN | Flag.MISSED)) and not s.fault for s in steps)


def _answers(recording: Recording) -> dict[str, Any]:
    steps = recording.steps
    assert recording.hello is not None
    gaps = [s.action_gap for s in steps if s.action_gap is not None]
    same = [s.same_candidate_gap for s in steps if s.same_candidate_gap is not None]
    states = [s.state for s in steps]
    telemetry = recording.telemetry
    return {
        "action_gap_max": max(gaps, default=None),
        "action_gap_p50": percentiles(gaps)["p50"],
        "action_gap_same_candidate_max": max(same, default=None),
        "action_gap_same_candidate_p50": percentiles(same)["p50"],
        "replies": recording.replies,
        "mismatched_replies": recording.mismatched,
        "exact": recording.exact,
        "twin_gap_max": max((s.twin_gap for s in steps if s.twin_gap is not None), default=None),
        "far_share": float(np.mean([(s.twin_gap or 0.0) > FAR for s in steps])) if steps else None,
        "mismatches": [asdict(m) for m in recording.mismatches],
        "deadline_misses": misses(steps),
        "fallback_steps": sum(state != State.RUNNING for state in states),
        "states": {s.name.lower(): states.count(s) for s in State},
        "faults_injected": {k: v for k, v in sorted(recording.injected.items()) if v},
        "limited_steps": sum(bool(s.flags & Flag.LIMITED) for s in steps),
        "flash_bytes": recording.flash_bytes,
        "ram_bytes": recording.ram_bytes,
        "stack_bytes": telemetry.stack_bytes or None if telemetry else None,
        "stack_high_water_bytes": telemetry.stack_high_water_bytes or None if telemetry else None,
        "link": asdict(recording.counters),
        "lost": recording.lost,
        "hello": asdict(recording.hello),
        "telemetry": asdict(telemetry) if telemetry else None,
    }


def _times(recording: Recording) -> dict[str, Any]:
    clock, times = recording.clock, device_times(recording)
    trips = [1e3 * s.rtt for s in recording.steps if s.rtt is not None]
    # a run shorter than the warm-up is all there is to report
    skip = WARM_UP if len(trips) > WARM_UP else 0
    return {
        "rtt_ms": percentiles(trips[skip:]),
        "warm_up": {"steps": skip, "rtt_ms_max": max(trips[:skip], default=None)},
        "echo_ms": percentiles([1e3 * t for t in recording.echo_rtt]),
        "device_time": None
        if clock is None
        else {
            "unit": clock.unit,
            "source": clock.source,
            "hz": clock.hz,
            **percentiles(times[skip:] if clock.source == "os" else times),
        },
        "device_ms": None if clock is None else percentiles([1e3 * t / clock.hz for t in times]),
    }
