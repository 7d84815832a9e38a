# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Seeded faults: on the link, of the sensors, of the device. A run with the same seed repeats them.

A fault is written `NAME[=VALUE][@FROM:TO]`, FROM and TO in control steps of each episode:
`flip=0.02`, `stuck@100:120`, `reboot@50`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.hil.pipes import Pipe


@dataclass(frozen=True)
class Kind:
    """One kind of fault: where it acts, its value's default and limit, what must follow."""

    place: str  # link, sensor or device
    default: float
    largest: float
    meaning: str
    expected: str


_RETRIED = "requests are repeated; every accepted reply is the predicted one"
_FALLBACK = "the rest of the last plan, then the safe action, then a latched stop"
_OLD = "planned from the old observation"
KINDS = {
    "drop": Kind("link", 0.02, 0.5, "share of frames lost, both ways", _RETRIED),
    "flip": Kind("link", 0.02, 0.5, "share of frames with one bit flipped", _RETRIED),
    "duplicate": Kind("link", 0.02, 1.0, "share of frames sent twice", "the copy changes nothing"),
    "truncate": Kind("link", 0.02, 0.5, "share of frames cut short", _RETRIED),
    "noise": Kind("link", 0.02, 0.5, "share of frames with random bytes in front", _RETRIED),
    "split": Kind("link", 1.0, 1.0, "share of frames that arrive in pieces", "nothing changes"),
    "off": Kind("sensor", 1.0, 1.0, "no observation", _FALLBACK),
    "intermittent": Kind("sensor", 0.1, 1.0, "share of observations missing", "the last plan goes on"),
    "garbage": Kind("sensor", 1.0, 1.0, "observation is not a number", _FALLBACK),
    "stuck": Kind("sensor", 1.0, 1.0, "observation frozen", _OLD),
    "wrong": Kind("sensor", 0.1, 100.0, "offset on every value", "planned from the wrong observation"),
    "delayed": Kind("sensor", 2.0, 100.0, "observation is N steps old", _OLD),
    "overrun": Kind("device", 1.5, 100.0, "plans take N deadlines (native only)", _FALLBACK),
    "reboot": Kind("device", 1.0, 1.0, "restart before a step", "refuses to act until RESET, then plans"),
}


@dataclass(frozen=True)
class Fault:
    """One fault, in force from step `first` up to, not including, `last` of each episode."""

    name: str
    value: float
    first: int = 0
    last: int | None = None

    @property
    def place(self) -> str:
        """link, sensor or device."""
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
    if not 0 < number <= kind.largest:
        raise KdpError(f"fault '{text}': {value} is out of range, {name} takes 0 to {kind.largest:g}")
    if first < 0 or (last is not None and last <= first):
        raise KdpError(f"fault '{text}': steps {span} are empty; FROM counts from 0 and TO comes after it")
    if name == "reboot" and last is None:
        raise KdpError("fault 'reboot' needs a step: reboot@50")
    if kind.place == "link" and at:
        raise KdpError(f"fault '{text}': faults of the link are in force all the time; leave out @{span}")
    return Fault(name, number, first, last)


class FaultyPipe:
    """A pipe that damages frames in both directions; `injected` counts what it did."""

    def __init__(self, pipe: Pipe, faults: list[Fault], seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self._pipe = pipe
        self._shares = {fault.name: fault.value for fault in faults}
        self._rng = np.random.default_rng(seed)
        self._incoming = bytearray()
        self._ready = bytearray()

    def write(self, data: bytes) -> None:
        """Send `data` after damaging its frames."""
        for frame in _frames(data):
            for piece in self._damaged(frame):
                self._pipe.write(piece)

    def read(self, timeout: float) -> bytes:
        """Bytes of damaged frames, whole or not."""
        if not self._ready:
            self._incoming += self._pipe.read(timeout)
            end = self._incoming.rfind(b"\0") + 1
            for frame in _frames(bytes(self._incoming[:end])):
                self._ready += b"".join(self._damaged(frame))
            del self._incoming[:end]
        # pieces show that no reader counts on whole frames
        size = (
            int(self._rng.integers(1, len(self._ready) + 1)) if self._ready and self._hits("split") else None
        )
        data = bytes(self._ready[:size])
        del self._ready[: len(data)]
        return data

    def close(self) -> None:
        """Close the pipe underneath."""
        self._pipe.close()

    def _hits(self, name: str) -> bool:
        hit = name in self._shares and self._rng.random() < self._shares[name]
        self.injected[name] += hit
        return hit

    def _damaged(self, frame: bytes) -> list[bytes]:
        """What becomes of one frame (its final zero included): pieces to send, perhaps none."""
        rng = self._rng
        if self._hits("drop"):
            return []
        if self._hits("truncate"):
            frame = frame[: int(rng.integers(0, len(frame)))]
        if frame and self._hits("flip"):
            at = int(rng.integers(0, len(frame)))
            frame = frame[:at] + bytes([frame[at] ^ 1 << int(rng.integers(0, 8))]) + frame[at + 1 :]
        if self._hits("noise"):
            frame = rng.bytes(int(rng.integers(1, 80))) + frame
        if self._hits("duplicate"):
            frame = frame + frame
        if len(frame) > 1 and self._hits("split"):
            at = int(rng.integers(1, len(frame)))
            return [frame[:at], frame[at:]]
        return [frame] if frame else []


def _frames(data: bytes) -> list[bytes]:
    """Cut behind every zero."""
    parts = data.split(b"\0")
    frames = [part + b"\0" for part in parts[:-1]]
    return [*frames, parts[-1]] if parts[-1] else frames


class Sensor:
    """What the device gets to see of the environment's observations."""

    def __init__(self, faults: list[Fault], seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self._faults = faults
        self._rng = np.random.default_rng(seed)
        self._history: list[np.ndarray] = []

    def start_episode(self) -> None:
        """Forget the last episode."""
        self._history = []

    def sense(self, step: int, observation: np.ndarray) -> tuple[np.ndarray | None, str]:
        """float32 [obs_dim] -> what arrives (None: nothing), and the faults that were at work."""
        self._history.append(observation)
        arrived: np.ndarray | None = observation
        names = []
        for fault in self._faults:
            if arrived is not None and fault.active(step):
                changed = self._apply(fault, step, arrived)
                if changed is not arrived:
                    names.append(fault.name)
                    self.injected[fault.name] += 1
                arrived = changed
        return arrived, "+".join(names)

    def _apply(self, fault: Fault, step: int, observation: np.ndarray) -> np.ndarray | None:
        if fault.name == "off":
            return None
        if fault.name == "intermittent":
            return None if self._rng.random() < fault.value else observation
        if fault.name == "garbage":
            return np.full_like(observation, np.nan)
        if fault.name == "wrong":
            return observation + np.float32(fault.value)
        if fault.name == "stuck":
            return self._history[min(fault.first, step)]
        return self._history[max(0, step - int(fault.value))]  # delayed
