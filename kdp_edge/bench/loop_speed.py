# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Bare speed of the closed loop: what the harness itself costs a step, and steps a second on devices."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, repeat

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
    tries: int
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

    def plans(self, observations: np.ndarray, episode: int, indices: Sequence[int]) -> list[Plan]:
        return [self.plan(*one) for one in zip(observations, repeat(episode), indices, strict=False)]

    @cache  # noqa: B019  # lives as long as the measurement
    def _remembered(self, observation: bytes, episode: int, index: int) -> Plan:
        return super().plans(np.frombuffer(observation, np.float32)[None], episode, [index])[0]

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

    def plans(self, observations: np.ndarray, episode: int, indices: Sequence[int]) -> list[FloatPlan]:
        return [self.plan(*one) for one in zip(observations, repeat(episode), indices, strict=False)]


def overhead(planner: IntegerPlanner, floating: FloatPlanner, task: Task, steps: int) -> list[float]:
    """Microseconds of the harness for each step of an episode on an in-memory device, which never waits.

    They are its thread's processor time: what else this computer does is not the harness's.
    The plant is a recording, plans of twin and float policy were made before, and the time that the device
    itself takes (Python too) is subtracted. Replies are predicted and compared many at once: each of those
    steps bears an equal share of that.
    """
    known: IntegerPlanner = _Remembering(**vars(planner))
    known_float = _RememberingFloat(floating)
    server, served = Server(known), 0.0

    def serve(data: bytes) -> bytes:
        nonlocal served
        start = time.thread_time()
        reply = server.feed(data)
        served += time.thread_time() - start
        return reply

    rng = np.random.default_rng(0)
    seen = rng.uniform(-1, 1, (steps, planner.spec.obs_dim)).astype(np.float32)
    recorded = Recorded(task, ((seen, np.zeros((steps, planner.spec.act_dim), np.float32)),))
    scenario = Scenario(task.name, (0,), steps, own=task, recorded=recorded)
    device = Device("in memory", MemoryPipe(serve), microseconds, timeless=True)
    marks: list[tuple[float, float]] = []  # after each step: seconds of the harness, and of its checks alone
    watched: list[Recording] = []

    def mark(done: int) -> None:
        marks.append((time.thread_time() - served, watched[-1].check_seconds))

    for _ in range(2):  # the first time fills the memory
        marks.clear()
        found = play_device(device, scenario, known, known_float, mark, watched.append)
    del marks[steps:]  # the last one says that the episode is over
    return _with_shares([*marks, (marks[-1][0], found.check_seconds)])


def _with_shares(marks: list[tuple[float, float]]) -> list[float]:
    """Microseconds of each step but the first, a check's divided among the steps since the one before."""
    own, waiting = [], 0
    for (begin, checked), (end, now) in pairwise(marks):
        own.append(end - begin - (now - checked))
        waiting += 1
        if now > checked:
            own[-waiting:] = [one + (now - checked) / waiting for one in own[-waiting:]]
            waiting = 0
    return [1e6 * one for one in own[:-1]]


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
    planner: IntegerPlanner, floating: FloatPlanner, task: Task, steps: int, qemu: str | None, tries: int
) -> LoopSpeed:
    """Measure everything; raises `KdpError` when a device is missing.

    Of `tries` of harness and native the least disturbed counts: what else the computer does only adds time.
    """
    before = os.getloadavg()[0]
    several = [overhead(planner, floating, task, steps) for _ in range(tries)]
    bare = min(several, key=lambda one: float(np.percentile(one, 99)))
    scenario = Scenario(task.name, (0,), steps, own=task)
    native = max(steps_per_second("native", planner, floating, scenario)[0] for _ in range(tries))
    made = LoopSpeed(
        steps, tries, float(np.percentile(bare, 50)), float(np.percentile(bare, 99)), native,
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
