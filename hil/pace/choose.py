# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The pace of a run, made from its timing, its device and its robot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kdp_edge.hil.devices.device import Device, DeviceClock
from kdp_edge.hil.link import Link
from kdp_edge.hil.pace.device import DevicePace
from kdp_edge.hil.pace.host import HostTime
from kdp_edge.hil.pace.lockstep import Lockstep
from kdp_edge.hil.pace.pacing import Answering, Pacing
from kdp_edge.hil.pace.real import RealTime
from kdp_edge.hil.pace.timing import DEVICE, REAL
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.tasks import Task
from kdp_edge.tasks.robot import HOLD, ZERO
from kdp_edge.wire.numbers import Flag
from kdp_edge.wire.protocol import Hello, StepReply


def pacing(
    scenario: Scenario,
    link: Answering,
    seconds: Callable[[StepReply], float],
    trips: Sequence[float],
    spec: PlanSpec,
    host: HostTime | None = None,
) -> Pacing:
    """The pace of a scenario.

    Args:
        seconds: what a reply took on the device.
        trips: seconds of bare round trips, looked at when an episode begins.
        host: filled at pace `real`.
    """
    timing = scenario.timing
    if timing.pace == DEVICE:

        def on_link() -> float:
            return float(np.median(trips)) if timing.link_us is None else timing.link_us * 1e-6

        return DevicePace(link, seconds, on_link, 1 / spec.rate_hz, meanwhile(scenario.plant, spec))
    if timing.pace == REAL:
        assert isinstance(link, Link) and host is not None
        return RealTime(link, host, meanwhile(scenario.plant, spec))
    return Lockstep(link)


def meanwhile(task: Task, spec: PlanSpec) -> np.ndarray | None:
    """What acts until an action arrives, as the robot file says; None: the one before it."""
    choice = task.robot.plant.meanwhile
    if choice == HOLD:
        return None
    if choice == ZERO:
        nearest: np.ndarray = np.zeros(spec.act_dim).clip(spec.act_low, spec.act_high).astype(np.float32)
        return nearest
    return np.asarray(spec.safe_action, np.float32)


def seconds_on(device: Device, clock: DeviceClock | None, hello: Hello) -> Callable[[StepReply], float]:
    """What a reply took on `device` by its own clock.

    A device that keeps no time of a device's takes none, but for plans that it calls late itself.
    """

    def late_only(reply: StepReply) -> float:
        return reply.ticks / hello.tick_hz if reply.flags & Flag.OVERRUN else 0.0

    if device.timeless or clock is None:
        return late_only
    return lambda reply: clock.seconds(reply.ticks)
