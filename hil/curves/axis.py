# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a sweep varies: latency, candidates, chunk or clock; and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.pace.timing import DEVICE, Timing
from kdp_edge.quantization.plan import IntegerPlanner

LATENCY, K, CHUNK, CLOCK = "latency_ms", "k", "chunk", "clock_hz"
UNITS = {
    LATENCY: "latency of an action, ms",
    K: "candidates K",
    CHUNK: "steps of a plan that are played",
    CLOCK: "clock of the core, Hz",
}
MOST = 64  # values of a sweep


@dataclass(frozen=True)
class Axis:
    """One of `UNITS`, and its values in rising order."""

    name: str
    values: tuple[float, ...]

    @property
    def option(self) -> str:
        """As it is given."""
        return f"--{self.name.replace('_', '-')}"

    def policy(self, planner: IntegerPlanner, value: float) -> IntegerPlanner:
        """The policy at a value."""
        if self.name == K:
            return replace(planner, spec=replace(planner.spec, k=int(value)))
        if self.name == CHUNK:
            return replace(planner, spec=replace(planner.spec, chunk=int(value)))
        return planner

    def timing(self, value: float, link_us: float) -> Timing:
        """Link and clock at a value; latency is time on the link, which no fail-safe on the device sees."""
        if self.name == LATENCY:
            return Timing(DEVICE, 1e3 * value)
        return Timing(DEVICE, link_us, value if self.name == CLOCK else None)


def axis(name: str, text: str, planner: IntegerPlanner) -> Axis:
    """`FROM:TO:STEP`, TO included, or `A,B,C` -> Axis; raises `KdpError` that says what is wrong."""
    option = f"--{name.replace('_', '-')} {text}"
    try:
        parts = [float(part) for part in text.replace(":", ",").split(",")]
    except ValueError:
        raise KdpError(f"{option}: expected FROM:TO:STEP, like 0:40:5, or numbers with commas") from None
    if ":" in text:
        parts = _span(parts, option)
    values = tuple(sorted(set(parts)))
    if len(values) > MOST:
        raise KdpError(f"{option} has {len(values)} values, expected at most {MOST}")
    low, high = _limits(name, planner)
    for value in values:
        if not low <= value <= high or (name in (K, CHUNK) and value != int(value)):
            whole = "a whole number from " if name in (K, CHUNK) else ""
            raise KdpError(f"{option}: {value:g} is out of range, expected {whole}{low:g} to {high:g}")
    return Axis(name, values)


def _span(parts: list[float], option: str) -> list[float]:
    if len(parts) != 3 or not parts[2] > 0 or parts[1] < parts[0]:
        raise KdpError(f"{option}: expected FROM:TO:STEP with TO not below FROM and STEP above 0")
    first, last, step = parts
    count = (last - first) / step + 1e-9
    if not count <= 1e6:
        raise KdpError(f"{option} has too many values, expected at most {MOST}")
    return [first + i * step for i in range(int(count) + 1)]


def _limits(name: str, planner: IntegerPlanner) -> tuple[float, float]:
    if name == LATENCY:
        return 0.0, 1e4
    if name == CLOCK:
        return 1e3, 4e9
    if name == CHUNK:
        return 1, planner.spec.horizon
    return 1, 64 if planner.critic is not None else 1  # an actor has no candidates
