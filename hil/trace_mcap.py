# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""run.mcap: everything that a run saw and did, on the plant's clock, for Foxglove and other readers of MCAP.

Messages are JSON with their schemas embedded, one object a control step on each topic of a device:

    /DEVICE/observation   as it was sent, by the signals' names; null where a value is no number
    /DEVICE/action        as it was applied, in the robot's units
    /DEVICE/twin          the predicted action, and whether every byte of the reply was the predicted one
    /DEVICE/float         the float policy's action for the same observation
    /DEVICE/plan          state, flags, candidate, age, times, reward and return so far
    /DEVICE/plant         MuJoCo's positions before the step
    /DEVICE/log           what is worth a line: state changes, faults, mismatches, lost links

Log time is simulated time in nanoseconds; the episodes stand one behind the other, the same seed of every
device at the same time. The model card is attached. https://mcap.dev/spec
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kdp_edge.hil.scenario import Recording, Step
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.wire.numbers import Flag, State

FILE = "run.mcap"
CARD = "MODEL_CARD.md"
INFO, WARNING, ERROR = 2, 3, 4  # levels of foxglove.Log
_NUMBER, _TEXT, _WHOLE, _TRUTH = (
    {"type": "number"},
    {"type": "string"},
    {"type": "integer"},
    {"type": "boolean"},
)
_MAYBE = {"type": ["number", "null"]}
# https://docs.foxglove.dev/docs/visualization/message-schemas/log
_LOG = {
    "timestamp": {"type": "object", "properties": {"sec": _WHOLE, "nsec": _WHOLE}},
    "level": _WHOLE, "message": _TEXT, "name": _TEXT, "file": _TEXT, "line": _WHOLE,
}  # fmt: skip
_PLAN = {
    "state": _TEXT, "state_number": _WHOLE, **{flag.name.lower(): _TRUTH for flag in Flag if flag.name},
    "fault": _TEXT, "candidate": _WHOLE, "age": _WHOLE, "ticks": _WHOLE, "device_ms": _MAYBE,
    "round_trip_ms": _MAYBE, "latency_ms": _MAYBE, "action_gap": _MAYBE, "reward": _NUMBER, "return": _NUMBER,
}  # fmt: skip


@dataclass(frozen=True)
class Timeline:
    """Where a control step stands on the plant's clock."""

    seeds: Sequence[int]
    max_steps: int
    rate_hz: float

    def nanoseconds(self, seed: int, step: int) -> int:
        """Simulated time of a control step; each episode has as much room as the longest may take."""
        return round(1e9 * (self.seeds.index(seed) * self.max_steps + step) / self.rate_hz)


def topic_of(device: str) -> str:
    """A device's name as the first part of its topics; Foxglove's message paths take no other characters."""
    return "/" + re.sub(r"\W+", "_", device)


def key_of(signal: str) -> str:
    """A signal's name as a field of a message."""
    return re.sub(r"\W+", "_", signal)


def write_mcap(
    path: Path, recordings: Sequence[Recording], spec: PlanSpec, times: Timeline, card: str
) -> None:
    """Write the file; the same recordings give the same bytes."""
    with path.open("wb") as stream:
        _write(stream, recordings, spec, times, card)


def _write(
    stream: IO[bytes], recordings: Sequence[Recording], spec: PlanSpec, times: Timeline, card: str
) -> None:
    from mcap.writer import Writer

    writer = Writer(stream)
    writer.start(profile="", library="kdp-edge")
    writer.add_metadata("kdp-edge", {"task": spec.task, "seeds": " ".join(map(str, times.seeds))})
    if card:
        writer.add_attachment(0, 0, CARD, "text/markdown", card.encode())
    schemas = {
        name: writer.register_schema(
            "foxglove.Log" if name == "log" else f"kdp_edge.{name}", "jsonschema", text
        )
        for name, text in _schemas(spec).items()
    }
    rows = []
    for recording in recordings:
        channels: dict[str, int] = {}
        for name, at, message in _messages(recording, spec, times):
            if name not in channels:
                topic, about = f"{topic_of(recording.device)}/{name}", {"device": recording.device}
                channels[name] = writer.register_channel(topic, "json", schemas[name], about)
            rows.append((at, channels[name], message))
    # in the order of time, as readers that stream want it; sorting keeps each device's own order
    for at, channel, message in sorted(rows, key=lambda row: row[0]):
        data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
        writer.add_message(channel, log_time=at, data=data, publish_time=at)
    writer.finish()  # type: ignore[no-untyped-call]


def _schemas(spec: PlanSpec) -> dict[str, bytes]:
    observation = _signals(spec.obs_names, spec.obs_units)
    action = _signals(spec.act_names, spec.act_units)
    properties: dict[str, dict[str, Any]] = {
        "observation": observation,
        "action": action,
        "twin": action | {"matched": _TRUTH},
        "float": action,
        "plan": _PLAN,
        "plant": {"qpos": {"type": "array", "items": _NUMBER}},
        "log": _LOG,
    }
    return {
        name: json.dumps({"type": "object", "title": name, "properties": fields}).encode()
        for name, fields in properties.items()
    }


def _signals(names: Sequence[str], units: Sequence[str]) -> dict[str, Any]:
    return {
        key_of(name): _MAYBE | {"description": f"{name} in {unit}"}
        for name, unit in zip(names, units, strict=True)
    }


def _messages(
    recording: Recording, spec: PlanSpec, times: Timeline
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(topic's last part, simulated time, message) in the order of a device's steps."""
    observed, acted = ([key_of(name) for name in names] for names in (spec.obs_names, spec.act_names))
    before: int | None = None
    seed, total, at = None, 0.0, 0
    for step in recording.steps:
        if step.seed != seed:
            seed, total, before = step.seed, 0.0, None
        total += step.reward
        at = times.nanoseconds(step.seed, step.step)
        if step.observation:
            yield "observation", at, _named(observed, step.observation)
        # at pace device it acts later than it was asked for
        yield "action", at + round(1e9 * (step.latency or 0.0)), _named(acted, step.action)
        if step.twin_action:
            yield "twin", at, _named(acted, step.twin_action) | {"matched": step.matched}
        if step.float_action:
            yield "float", at, _named(acted, step.float_action)
        if step.pose:
            yield "plant", at, {"qpos": list(step.pose)}
        yield "plan", at, _plan(recording, step, total)
        for level, line in _lines(step, before):
            yield "log", at, _log(at, level, line, recording.device, step)
        before = step.state
    if recording.lost and recording.steps:
        yield "log", at, _log(at, ERROR, recording.lost, recording.device, recording.steps[-1])


def _named(names: Sequence[str], values: Sequence[float]) -> dict[str, float | None]:
    # a row without an action (nothing was applied) has no values
    return {name: value if math.isfinite(value) else None for name, value in zip(names, values, strict=False)}


def _plan(recording: Recording, step: Step, total: float) -> dict[str, Any]:
    found = {
        "candidate": step.candidate, "age": step.age, "ticks": step.ticks, "fault": step.fault,
        "device_ms": device_ms(recording, step), "action_gap": step.action_gap,
        "round_trip_ms": None if step.rtt is None else 1e3 * step.rtt,
        "latency_ms": None if step.latency is None else 1e3 * step.latency,
        "reward": step.reward, "return": total,
    }  # fmt: skip
    if step.state is not None:
        found |= {"state": State(step.state).name.lower(), "state_number": step.state}
        found |= {flag.name.lower(): bool(step.flags & flag) for flag in Flag if flag.name}
    return {name: value for name, value in found.items() if value is not None}


def device_ms(recording: Recording, step: Step) -> float | None:
    """Time of a step's plan by the device's own clock; None without one, or without a plan."""
    clock = recording.clock
    if clock is None or not step.flags & Flag.PLANNED:
        return None
    return 1e3 * clock.seconds(step.ticks)


def _lines(step: Step, before: int | None) -> Iterator[tuple[int, str]]:
    if step.step == 0:
        yield INFO, f"episode with seed {step.seed}"
    if (
        step.state is not None
        and step.state != before
        and (before is not None or step.state != State.RUNNING)
    ):
        worse = before is None or step.state > before
        yield WARNING if worse else INFO, f"state {State(step.state).name.lower()}"
    if step.fault:
        yield WARNING, f"fault {step.fault}"
    if not step.matched:
        yield ERROR, "the reply is not the predicted one"


def _log(at: int, level: int, line: str, device: str, step: Step) -> dict[str, Any]:
    timestamp = {"sec": at // 10**9, "nsec": at % 10**9}
    where = f"seed {step.seed}"
    return {
        "timestamp": timestamp, "level": level, "message": line, "name": device, "file": where,
        "line": step.step,
    }  # fmt: skip
