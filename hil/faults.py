# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Seeded faults of link, sensors, device, actuators and host. A run with the same seed repeats them.

A fault is written `NAME[=VALUE][@FROM:TO]`, FROM and TO in control steps of each episode:
`flip=0.02`, `stuck@100:120`, `reboot@50`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.hil.reactions import (
    ANSWERED,
    IN_TIME_AGAIN,
    LATCHED,
    LATCHED_BY_LATENESS,
    LATE,
    MISSED,
    NOT_TOLD,
    OLD,
    REFUSED,
    RESTARTED,
    RESUMED,
    RUNS_AGAIN,
    STOPS,
    TAKEN_OR_REFUSED,
    Reaction,
)


@dataclass(frozen=True)
class Kind:
    """One kind of fault: where it acts, its value, and what must follow from it."""

    place: str  # link, sensor, device, actuator or host
    default: float
    largest: float
    meaning: str
    reactions: tuple[Reaction, ...]
    least: float = 0.0  # the value is above it
    spans: bool = True  # whether it can be told its steps; a share of the link's frames cannot
    needs_steps: bool = False

    @property
    def expected(self) -> str:
        """What must follow, in words with their time limits."""
        return "; ".join(map(str, self.reactions))


def _frames(meaning: str, largest: float = 0.5, default: float = 0.02) -> Kind:
    return Kind("link", default, largest, f"share of frames, both ways, {meaning}", (ANSWERED,), spans=False)


_BLIND = (STOPS, LATCHED, RUNS_AGAIN)
KINDS = {
    "drop": _frames("that are lost"),
    "flip": _frames("with one bit flipped"),
    "lose": _frames("with one byte lost"),
    "insert": _frames("with one random byte more"),
    "truncate": _frames("that are cut short"),
    "noise": _frames("with random bytes in front"),
    "duplicate": _frames("that are sent twice", 1.0),
    "late": _frames("that arrive only with the next one"),
    "reorder": _frames("that arrive after the next one"),
    "split": _frames("that arrive in pieces", 1.0, 1.0),
    "cut": Kind(
        "link", 3.0, 20.0, "the first N requests of the step are lost", (ANSWERED,), needs_steps=True
    ),
    "off": Kind("sensor", 1.0, 1.0, "no observation", (MISSED, *_BLIND)),
    "intermittent": Kind("sensor", 0.1, 1.0, "share of observations that are missing", (MISSED, RUNS_AGAIN)),
    "garbage": Kind("sensor", 1.0, 1.0, "the observation is not a number", (REFUSED, *_BLIND)),
    "outside": Kind("sensor", 1.0, 1.0, "every value is 1e30", (REFUSED, *_BLIND)),
    "stuck": Kind("sensor", 1.0, 1.0, "the observation is frozen", (OLD,)),
    "delayed": Kind("sensor", 2.0, 100.0, "the observation is N steps old", (OLD,)),
    "wrong": Kind("sensor", 0.1, 1e6, "every value is off by X", (TAKEN_OR_REFUSED,)),
    "jump": Kind("sensor", 1.0, 1e6, "one value, drawn anew each step, is off by X", (TAKEN_OR_REFUSED,)),
    "overrun": Kind(
        "device", 1.5, 100.0, "a plan takes N deadlines (native only)",
        (LATE, LATCHED_BY_LATENESS, IN_TIME_AGAIN), least=1.0,
    ),
    "reboot": Kind("device", 1.0, 1.0, "it restarts before the step", (RESTARTED,), needs_steps=True),
    "hang": Kind(
        "device", 0.3, 2.0, "it stands still for N seconds (native and qemu only)", (ANSWERED,),
        needs_steps=True,
    ),
    "actuator-stuck": Kind("actuator", 1.0, 1e3, "the N-th actuator stays where it is", (NOT_TOLD,)),
    "actuator-saturated": Kind("actuator", 0.5, 1.0, "they reach N of their range", (NOT_TOLD,)),
    "actuator-delayed": Kind("actuator", 2.0, 100.0, "they do what was asked N steps ago", (NOT_TOLD,)),
    "stall": Kind("host", 0.2, 10.0, "it does nothing for N seconds", (ANSWERED,), needs_steps=True),
    "silence": Kind(
        "host", 1.0, 1.0, "it asks for no action; the one before goes on (lockstep only)", (RESUMED,),
        needs_steps=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One fault, in force from step `first` up to, not including, `last` of each episode."""

    name: str
    value: float
    first: int = 0
    last: int | None = None

    @property
    def place(self) -> str:
        """link, sensor, device, actuator or host."""
        return KINDS[self.name].place

    def active(self, step: int) -> bool:
        """Whether it is in force at control step `step`."""
        return self.first <= step and (self.last is None or step < self.last)

    def __str__(self) -> str:
        span = "" if self.first == 0 and self.last is None else f"@{self.first}:{self.last or ''}"
        return f"{self.name}={self.value:g}{span}"


def parse(text: str) -> Fault:
    """`NAME[=VALUE][@FROM[:TO]]` -> Fault; raises `KdpError` that says what is wrong."""
    head, at, span = text.partition("@")
    name, equals, value = head.partition("=")
    if name not in KINDS:
        raise unknown("fault", name, KINDS)
    kind = KINDS[name]
    try:
        number = float(value) if equals else kind.default
        start, colon, end = span.partition(":")
        first = int(start) if start else 0
        last = int(end) if end else None if colon or not at else first + 1
    except ValueError:
        raise KdpError(
            f"fault '{text}' is not of the form NAME[=VALUE][@FROM:TO], like flip=0.02@10:20"
        ) from None
    if not kind.least < number <= kind.largest:
        takes = f"{name} takes {kind.least:g} to {kind.largest:g}"
        raise KdpError(f"fault '{text}': {value} is out of range, {takes}")
    if first < 0 or (last is not None and last <= first):
        raise KdpError(f"fault '{text}': steps {span} are empty; FROM counts from 0 and TO comes after it")
    if kind.needs_steps and last is None:
        raise KdpError(f"fault '{name}' needs a step: {name}@50")
    if not kind.spans and at:
        raise KdpError(f"fault '{text}': shares of frames are in force all the time; leave out @{span}")
    return Fault(name, number, first, last)
