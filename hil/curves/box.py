# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a buyer reads: how much of a period a device needs, and which rate, candidates and clock still do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kdp_edge.base.errors import USAGE, KdpError
from kdp_edge.hil.devices import runs_by_itself
from kdp_edge.hil.pace.timing import DEVICE, Timing
from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.summary import device_times
from kdp_edge.quantization.plan import IntegerPlanner

STEPS = 20  # of a look at a device
MOST_K = 64  # candidates that a device may be given
Play = Callable[[str, IntegerPlanner, Timing, int], Recording]


@dataclass(frozen=True)
class Box:
    """A device at the policy's own K and its own clock; ms of plans."""

    device: str
    plan_ms: float  # the slowest
    plan_ms_mean: float
    link_ms: float
    period_share: float  # by the slowest plan and the link
    period_share_mean: float
    fits: bool  # the slowest plan, in its deadline
    highest_rate_hz: float  # at which the slowest plan and the link still fill one period
    highest_k: int | None  # whose slowest plan was measured within the deadline; None: not to be had there
    clock_hz: float | None  # of an emulated core
    least_clock_hz: float | None  # that still meets the deadline; None: its times are no cycles

    @property
    def says(self) -> str:
        """In words."""
        mean, worst = 100 * self.period_share_mean, 100 * self.period_share
        text = (
            f"{self.device}: a plan takes {self.plan_ms_mean:.3g} ms on average and {self.plan_ms:.3g} ms at "
            f"worst, with the link {mean:.0f} % and {worst:.0f} % of the period; highest rate "
            f"{self.highest_rate_hz:.4g} Hz"
        )
        if self.highest_k is not None:
            text += f", highest K {self.highest_k}" if self.highest_k else ", no K fits"
        if self.least_clock_hz is not None:
            text += f"; a clock of {self.least_clock_hz / 1e6:.3g} MHz would do"
        return text + ("." if self.fits else ". It misses its deadline.")


def box(
    play: Play,
    name: str,
    planner: IntegerPlanner,
    link_us: float,
) -> Box | None:
    """Look at a device for a few steps; None where it keeps no time of a device.

    Args:
        play: plays a device, `Subject.on_device`.
    """
    spec, link = planner.spec, link_us / 1e3
    found = play(name, planner, Timing(DEVICE, link_us), STEPS)
    clock, times = found.clock, device_times(found)
    if clock is None or found.timeless or not times:
        return None
    worst, mean = 1e3 * max(times) / clock.hz, 1e3 * float(np.mean(times)) / clock.hz
    deadline, period = spec.deadline_us / 1e3, 1e3 / spec.rate_hz
    counted = clock.unit in ("instructions", "cycles")
    return Box(
        device=name,
        plan_ms=worst,
        plan_ms_mean=mean,
        link_ms=link,
        period_share=(worst + link) / period,
        period_share_mean=(mean + link) / period,
        fits=worst <= deadline,
        highest_rate_hz=1e3 / (worst + link),
        highest_k=_highest_k(play, name, planner, worst),
        clock_hz=clock.hz if clock.source == "icount" else None,
        least_clock_hz=max(times) / (deadline / 1e3) if counted else None,
    )


def _highest_k(play: Play, name: str, planner: IntegerPlanner, worst: float) -> int | None:
    """The most candidates whose slowest plan meets the deadline, and one more does not: both were measured.

    A plan's time is nearly a part that every plan has, and one for each candidate: a line says where to look.
    """
    spec = planner.spec
    if runs_by_itself(name) or planner.critic is None:
        return None
    deadline = spec.deadline_us / 1e3
    measured = {spec.k: worst}
    fits, fails = 0, MOST_K + 1  # the search is between them
    k = spec.k
    while True:
        fits, fails = (max(fits, k), fails) if measured[k] <= deadline else (fits, min(fails, k))
        if fails - fits == 1:
            return fits
        k = min(max(_guess(measured, deadline), fits + 1), fails - 1)
        measured[k] = _slowest_ms(play, name, planner, k)


def _guess(measured: dict[int, float], deadline: float) -> int:
    """The largest K that meets the deadline by the line through measured times; 1 where there is one."""
    (a, first), *_, (b, last) = sorted(one for one in measured.items() if one[1] < math.inf) * 2
    if a == b or last <= first:
        return 1
    return int(a + (deadline - first) * (b - a) / (last - first))


def _slowest_ms(play: Play, name: str, planner: IntegerPlanner, k: int) -> float:
    """Of a few plans at another K; infinite where the board has no room for it."""
    try:
        found = play(name, replace(planner, spec=replace(planner.spec, k=k)), Timing(DEVICE), STEPS)
    except KdpError as error:
        if error.exit_code != USAGE:
            raise
        return math.inf
    assert found.clock is not None
    return 1e3 * max(device_times(found)) / found.clock.hz
