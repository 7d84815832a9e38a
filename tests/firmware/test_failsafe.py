# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The fail-safe in C and the twin make the same transitions: all of them, exhaustively."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import protocol
from kdp_edge.wire.numbers import ERROR, Pace, Refusal, State, Type
from kdp_edge.wire.twin import NO_PLAN, Twin
from tests.firmware.core_device import IN_TIME, TICK_HZ, CoreDevice

GOOD = np.array([0.3, -0.7, 1.1], np.float32)
NOT_FINITE = np.array([0.3, np.nan, 1.1], np.float32)
SATURATED = np.array([0.3, -0.7, 19.0], np.float32)  # accepted up to 20, int8 ends at 4.2
OUT_OF_RANGE = np.array([0.3, -0.7, 20.000002], np.float32)

Event = Callable[[CoreDevice], None]


def _stepper(gap: int, observation: np.ndarray | None, late: int = 0) -> Event:
    """A control step `gap` after the last; its plan is `late` periods late."""

    def send(device: CoreDevice) -> None:
        step = max(device.twin.last_step + gap, 0)
        period = device.planner.spec.period(TICK_HZ)
        if observation is None:
            device.tick(step)
        else:
            device.step(step, observation, late * period if late else IN_TIME)

    return send


def _silence(periods: float) -> Event:
    return lambda device: device.wait(round(periods * device.planner.spec.period(TICK_HZ)))


EVENTS: dict[str, Event] = {
    "reset": lambda device: device.reset(5),
    "arm": lambda device: device.arm(),
    "reboot": lambda device: device.reboot(),
    **{f"step +{gap}": _stepper(gap, GOOD) for gap in (-1, 0, 1, 2, 3, 4, 1000)},
    **{f"late step +{gap}": _stepper(gap, GOOD, late=1) for gap in (1, 2, 4)},
    **{f"step late by {late}": _stepper(1, GOOD, late=late) for late in (2, 3, 1000)},
    **{f"tick +{gap}": _stepper(gap, None) for gap in (0, 1, 2, 3, 4)},
    "saturated": _stepper(1, SATURATED),
    "not finite": _stepper(1, NOT_FINITE),
    "out of range": _stepper(1, OUT_OF_RANGE),
}
IN_REAL_TIME: dict[str, Event] = {
    "reset, real time": lambda device: device.reset(5, Pace.REAL),
    "reset": lambda device: device.reset(5),
    "arm": lambda device: device.arm(),
    "step +1": _stepper(1, GOOD),
    "step +3": _stepper(3, GOOD),
    "step late by 2": _stepper(1, GOOD, late=2),
    "tick +1": _stepper(1, None),
    "silent for less": _silence(1.9),
    "silent for 2": _silence(2),
    "silent for 1": _silence(1),
    "silent for 6": _silence(6),
    "silent for 300": _silence(300),
}


def _key(twin: Twin) -> tuple:
    """What decides the next transition."""
    spec = twin.planner.spec
    return (
        twin.state,
        twin.pace,
        twin.plan is None,
        twin.age,
        twin.late,
        min(twin.lateness, spec.horizon),
        min(twin.uncovered, spec.safe_steps + 1),
        twin.last_step < 0,
        min(twin.beyond, spec.horizon),
    )


def _walk(
    library: HostLibrary, planner: IntegerPlanner, events: dict[str, Event]
) -> tuple[set[tuple[State, State]], int]:
    """Send every event in every reachable state; returns the transitions seen and the number of states."""

    def play(path: tuple[str, ...]) -> CoreDevice:
        device = CoreDevice(library, planner, clock=2**32 - 50_000)  # it wraps soon
        for name in path:
            events[name](device)
        return device

    start = play(())
    seen, queue = {_key(start.twin)}, deque([()])
    transitions: set[tuple[State, State]] = set()
    while queue:
        path = queue.popleft()
        for name in events:
            device = play(path)
            before = device.twin.state
            events[name](device)
            device.compare_counters()
            transitions.add((before, device.twin.state))
            if _key(device.twin) not in seen:
                seen.add(_key(device.twin))
                queue.append((*path, name))
    return transitions, len(seen)


def test_every_transition_from_every_reachable_state_equals_the_twin(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    transitions, states = _walk(small_library, small_planner, EVENTS)
    idle, running, replaying, safe, latched = State
    working = {running, replaying, safe}
    expected = {(idle, idle), (idle, running), (latched, latched), (latched, idle)}
    expected |= {(a, b) for a in working for b in working}
    expected |= {(a, idle) for a in working}  # a restart
    # replaying a late plan does not forgive the steps before it: only a plan in time does
    expected |= {(safe, latched), (replaying, latched)}
    assert transitions == expected
    assert states > 40


def test_every_transition_in_real_time_equals_the_twin(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    transitions, states = _walk(small_library, small_planner, IN_REAL_TIME)
    assert (State.RUNNING, State.LATCHED) in transitions  # a long silence
    assert (State.LATCHED, State.RUNNING) not in transitions
    assert states > 40


@pytest.mark.parametrize("periods", [1, 2, 50])
def test_a_device_that_is_always_late_latches(
    small_library: HostLibrary, small_planner: IntegerPlanner, periods: int
) -> None:
    device, spec = CoreDevice(small_library, small_planner), small_planner.spec
    device.reset(0)
    for step in range(spec.safe_steps + 1):
        device.step(step, GOOD, periods * spec.period(TICK_HZ))
    assert device.twin.state == State.LATCHED


def test_a_late_plan_is_as_old_as_it_took_and_none_is_replayed_beyond_its_horizon(
    small_planner: IntegerPlanner, tmp_path: Path
) -> None:
    patient = replace(small_planner, spec=replace(small_planner.spec, safe_steps=50))
    library = HostLibrary.compile(targets.export_planner(patient, "firmware", tmp_path / "bundle", {}).path)
    horizon, period = patient.spec.horizon, patient.spec.period(TICK_HZ)
    for periods, age in ((1, 1), (2, 2), (horizon - 1, horizon - 1), (horizon, NO_PLAN), (300, NO_PLAN)):
        device = CoreDevice(library, patient)
        device.reset(0)
        device.step(0, GOOD, periods * period)
        device.tick(1)
        assert device.twin.age == age


def test_the_rate_limit_goes_on_over_a_reset(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    device, rate = CoreDevice(small_library, small_planner), np.array(small_planner.spec.act_rate, np.float32)
    device.reset(0)
    for step in range(8):
        device.step(step, GOOD)
    last = device.twin.previous
    assert (np.abs(last - np.array(small_planner.spec.safe_action)) > 0.05).any()
    device.reset(1)
    device.tick(0)
    assert (np.abs(device.twin.previous - last) <= rate + 1e-6).all()


def test_a_restart_keeps_a_latch_and_only_arm_leaves_it(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    device = CoreDevice(small_library, small_planner)
    device.reset(0)
    for step in range(small_planner.spec.safe_steps + 1):
        device.tick(step)
    assert device.twin.state == State.LATCHED
    device.reboot()
    device.reset(1)
    device.step(0, GOOD)
    assert device.twin.state == State.LATCHED
    device.arm()
    device.reboot()
    device.reset(2)
    assert device.twin.state == State.RUNNING


@pytest.mark.parametrize("clock", [0, 2**32 - 1, 2**32 - 17_000])
def test_a_silent_host_is_replaced_by_plan_safe_action_and_latch(
    small_library: HostLibrary, small_planner: IntegerPlanner, clock: int
) -> None:
    device, spec = CoreDevice(small_library, small_planner, clock), small_planner.spec
    period = spec.period(TICK_HZ)
    device.reset(0, Pace.REAL)
    device.step(0, GOOD)
    device.wait(spec.silent_steps * period - IN_TIME - 1)
    assert device.own == 0
    device.wait(1)
    assert (device.own, device.twin.state, device.twin.age) == (1, State.REPLAYING, spec.silent_steps)
    states = []
    for _ in range(spec.horizon + spec.safe_steps):
        device.wait(period)
        states.append(device.twin.state)
    assert states[-1] == State.LATCHED
    assert states == sorted(states)
    device.step(1, GOOD)  # the reply tells how many they were, and that it is too late
    assert device.twin.state == State.LATCHED


def test_steps_of_its_own_are_told_up_to_what_the_reply_can_hold(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    device = CoreDevice(small_library, small_planner)
    device.reset(0, Pace.REAL)
    device.library.wait((2**16 + 10) * small_planner.spec.period(TICK_HZ))
    reply = protocol.StateReply.unpack(device.request(Type.ARM)[1], small_planner.spec.act_dim, "ARM")
    assert (reply.state, reply.own) == (State.IDLE, 2**16 - 1)


def test_in_lockstep_silence_means_nothing(small_library: HostLibrary, small_planner: IntegerPlanner) -> None:
    device = CoreDevice(small_library, small_planner)
    device.reset(0)
    device.step(0, GOOD)
    device.wait(2**31)
    device.step(1, GOOD)
    device.compare_counters()
    assert device.twin.counters.own == 0


def test_an_unknown_pace_is_refused(small_library: HostLibrary, small_planner: IntegerPlanner) -> None:
    device = CoreDevice(small_library, small_planner)
    wrong = protocol.pack_reset(0)[:4] + b"\2"
    assert device.request(Type.RESET, wrong) == (ERROR, bytes([Refusal.BAD_LENGTH, Type.RESET]))
    assert device.twin.state == State.IDLE


class Walk(RuleBasedStateMachine):
    """Any sequence of requests with any observation bits, steps near and far."""

    library: HostLibrary
    planner: IntegerPlanner

    @initialize(clock=st.integers(0, 2**32 - 1))
    def boot(self, clock: int) -> None:
        self.device = CoreDevice(self.library, self.planner, clock)

    @rule(episode=st.integers(0, 2**32 - 1), pace=st.sampled_from(Pace))
    def reset(self, episode: int, pace: Pace) -> None:
        self.device.reset(episode, pace)

    @rule()
    def reboot(self) -> None:
        self.device.reboot()

    @rule(microseconds=st.integers(0, 200_000))
    def wait(self, microseconds: int) -> None:
        self.device.wait(microseconds)

    @rule()
    def arm(self) -> None:
        self.device.arm()

    @rule(
        gap=st.integers(-2, 6),
        values=st.lists(st.floats(-25, 25, width=32), min_size=3, max_size=3),
        ticks=st.one_of(st.just(IN_TIME), st.integers(1, 60_000), st.integers(1, 2**32 - 1)),
    )
    def step(self, gap: int, values: list[float], ticks: int) -> None:
        self.device.step(self._step(gap), np.array(values, np.float32), ticks)

    @rule(gap=st.integers(1, 2), bits=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3))
    def step_with_any_bits(self, gap: int, bits: list[int]) -> None:
        self.device.step(self._step(gap), np.array(bits, np.uint32).view(np.float32))

    @rule(step=st.integers(2**32 - 3, 2**32 - 1))
    def step_at_the_end_of_the_range(self, step: int) -> None:
        self.device.step(step, GOOD)

    @rule(gap=st.integers(-1, 5))
    def tick(self, gap: int) -> None:
        self.device.tick(self._step(gap))

    @invariant()
    def counters_agree(self) -> None:
        if hasattr(self, "device"):
            self.device.compare_counters()

    def _step(self, gap: int) -> int:
        return min(max(self.device.twin.last_step + gap, 0), 2**32 - 1)


def test_any_sequence_of_requests_gets_the_twins_replies(
    small_library: HostLibrary, small_planner: IntegerPlanner
) -> None:
    machine = type("BoundWalk", (Walk,), {"library": small_library, "planner": small_planner})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
