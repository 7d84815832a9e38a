# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Bare speed of the closed loop: what the harness itself costs a step, and steps a second on devices."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.hil.replay import Recorded
from kdp_edge.hil.scenario import WARM_UP, Recording, Scenario
from kdp_edge.quantization.float_planner import FloatPlan, FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner, Plan
from kdp_edge.tasks import Task
from kdp_edge.wire.server import Server

OVERHEAD_US = 100.0  # bar: p99 of a step, plans and plant apart
NATIVE_HZ = 1000.0  # bar: closed-loop steps a second over a pty
ECHO_SHARE = 0.1  # bar: a step beyond its echo and its plan
QEMU_HZ = 125e6  # instructions a second of the emulator's own time, hil/devices/qemu.py


@dataclass(frozen=True)
class LoopSpeed:
    """What was measured; `load` is the computer's own, of the last minute, before and after."""

    steps: int
    overhead_us_p50: float
    overhead_us_p99: float
    native_hz: float | None
    qemu_device: str | None
    qemu_step_ms: float | None  # p50 of a round trip
    qemu_echo_ms: float | None  # p50 of an ECHO of the same size
    qemu_plan_ms: float | None  # of a plan, by the emulator's time
    qemu_beyond: float | None  # share by which a step takes longer than echo and plan
    load: tuple[float, float]

    @property
    def passed(self) -> bool:
        """Whether every bar that was measured is met."""
        return (
            self.overhead_us_p99 <= OVERHEAD_US
            and (self.native_hz is None or self.native_hz >= NATIVE_HZ)
            and (self.qemu_beyond is None or self.qemu_beyond <= ECHO_SHARE)
        )


class _Remembering(IntegerPlanner):
    """Plans that were made once cost nothing more: what is left of a step is the harness."""

    def plan(self, observation: np.ndarray, episode: int, index: int) -> Plan:
        return self._remembered(observation.tobytes(), episode, index)

    @cache  # noqa: B019  # lives as long as the measurement
    def _remembered(self, observation: bytes, episode: int, index: int) -> Plan:
        return super().plan(np.frombuffer(observation, np.float32), episode, index)

    def __hash__(self) -> int:
        return id(self)


class _RememberingFloat(FloatPlanner):
    """As `_Remembering`."""

    def __init__(self, planner: FloatPlanner) -> None:
        self._planner, self.spec = planner, planner.spec

    @cache  # noqa: B019  # as above
    def _remembered(self, observation: bytes, episode: int, index: int) -> FloatPlan:
        return self._planner.plan(np.frombuffer(observation, np.float32), episode, index)

    def plan(self, observation: np.ndarray, episode: int, index: int) -> FloatPlan:
        return self._remembered(observation.tobytes(), episode, index)


def overhead(planner: IntegerPlanner, floating: FloatPlanner, task: Task, steps: int) -> list[float]:
    """Microseconds of the harness for each step of an episode on an in-memory device.

    The plant is a recording, plans of twin and float policy were made before, and the time that the device
    itself takes (Python too) is subtracted.
    """
    known: IntegerPlanner = _Remembering(**vars(planner))
    known_float = _RememberingFloat(floating)
    server, served = Server(known), 0.0

    def serve(data: bytes) -> bytes:
        nonlocal served
        start = time.perf_counter()
        reply = server.feed(data)
        served += time.perf_counter() - start
        return reply

    rng = np.random.default_rng(0)
    seen = rng.uniform(-1, 1, (steps, planner.spec.obs_dim)).astype(np.float32)
    recorded = Recorded(task, ((seen, np.zeros((steps, planner.spec.act_dim), np.float32)),))
    scenario = Scenario(task.name, (0,), steps, own=task, recorded=recorded)
    device = Device("in memory", MemoryPipe(serve), microseconds, timeless=True)
    marks: list[tuple[float, float]] = []
    for _ in range(2):  # the first time fills the memory
        marks.clear()
        play_device(
            device, scenario, known, known_float, lambda done: marks.append((time.perf_counter(), served))
        )
    return [1e6 * ((b[0] - a[0]) - (b[1] - a[1])) for a, b in pairwise(marks[:steps])]


def steps_per_second(
    name: str, planner: IntegerPlanner, floating: FloatPlanner, scenario: Scenario
) -> tuple[float, Recording]:
    """Closed-loop steps a second on a device, simulation, twin and float policy included."""
    marks: list[float] = []
    with open_device(name, planner) as device:
        found = play_device(
            device, scenario, planner, floating, lambda done: marks.append(time.perf_counter())
        )
    played = len(found.steps)
    return (played - 1) / (marks[played - 1] - marks[0]), found


def measure(
    planner: IntegerPlanner, floating: FloatPlanner, task: Task, steps: int, qemu: str | None
) -> LoopSpeed:
    """Measure everything; raises `KdpError` when a device is missing."""
    before = os.getloadavg()[0]
    bare = overhead(planner, floating, task, steps)
    scenario = Scenario(task.name, (0,), steps, own=task)
    native, _ = steps_per_second("native", planner, floating, scenario)
    made = LoopSpeed(
        steps, float(np.percentile(bare, 50)), float(np.percentile(bare, 99)), native,
        qemu, None, None, None, None, (before, os.getloadavg()[0]),
    )  # fmt: skip
    if qemu is None:
        return made
    _, found = steps_per_second(qemu, planner, floating, replace(scenario, max_steps=min(steps, 200)))
    assert found.clock is not None
    trips = [1e3 * s.rtt for s in found.steps[WARM_UP:] if s.rtt is not None]
    step, echo = float(np.median(trips)), 1e3 * float(np.median(found.echo_rtt))
    plan = 1e3 * float(np.median([found.clock.units(s.ticks) for s in found.steps])) / QEMU_HZ
    return replace(
        made,
        qemu_step_ms=step,
        qemu_echo_ms=echo,
        qemu_plan_ms=plan,
        qemu_beyond=step / (echo + plan) - 1,
        load=(before, os.getloadavg()[0]),
    )
