# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plans made ahead, in C and in the twin: `CoreDevice` holds every reply of one against the other."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import protocol
from kdp_edge.wire.numbers import ERROR, REPLY, Flag, HelloFlag, Pace, Refusal, State, Type
from kdp_edge.wire.protocol import Hello, Telemetry
from kdp_edge.wire.twin import NO_PLAN, Reply, limit_action
from tests.firmware.core_device import TICK_HZ, TOO_LATE, CoreDevice

EPISODE = 3
OUT_OF_MEMORY = -Refusal.OUT_OF_MEMORY
NEW = Flag.PLANNED
AHEAD = Flag.PLANNED | Flag.AHEAD


@pytest.fixture(scope="module", params=[2, 4])
def ahead(
    request: pytest.FixtureRequest, small_planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory
) -> tuple[HostLibrary, IntegerPlanner]:
    """The C core of a policy that plans ahead, with a chunk of two steps and one of the whole window."""
    spec = replace(small_planner.spec, horizon=4, chunk=request.param, ahead=True)
    planner = replace(small_planner, spec=spec)
    folder = tmp_path_factory.mktemp("ahead") / "bundle"
    return HostLibrary.compile(targets.export_planner(planner, "firmware", folder, {}).path), planner


@pytest.fixture
def device(ahead: tuple[HostLibrary, IntegerPlanner]) -> CoreDevice:
    """Reset, with nothing played."""
    device = CoreDevice(*ahead)
    device.reset(EPISODE)
    return device


def seen(step: int) -> np.ndarray:
    """The observation of a step, another one each time."""
    return np.array([0.3, -0.7, 0.1 * step], np.float32)


def play(device: CoreDevice, first: int, count: int) -> list[Reply]:
    """Steps one after the other."""
    replies = [device.step(step, seen(step)) for step in range(first, first + count)]
    assert all(isinstance(reply, Reply) for reply in replies)
    return replies  # type: ignore[return-value]


def to_the_end_of_a_chunk(device: CoreDevice) -> int:
    """Play until a plan was made ahead; the next step's number."""
    play(device, 0, device.planner.spec.chunk)
    assert device.twin.next is not None
    return device.planner.spec.chunk


def test_each_plan_is_made_of_the_observation_before_and_played_when_the_chunk_has_ended(
    device: CoreDevice,
) -> None:
    """Against the planner alone: which observation, which number, which action, limits applied."""
    spec, chunk = device.planner.spec, device.planner.spec.chunk
    previous = device.twin.previous
    for step, reply in enumerate(play(device, 0, 4 * chunk)):
        number, age = divmod(step, chunk)
        plan = device.planner.plan(seen(max(number * chunk - 1, 0)), EPISODE, number)
        previous = limit_action(spec, plan.actions[age], previous)
        assert (reply.age, reply.candidate, reply.digest) == (age, plan.best, plan.digest)
        assert reply.action.tobytes() == previous.tobytes()
        expected = NEW if step == 0 else AHEAD if age == 0 else Flag(0)
        assert reply.flags & ~Flag.LIMITED == expected
        assert reply.state == State.RUNNING


THROWN: dict[str, Callable[[CoreDevice, int], object]] = {
    "a missed step": lambda device, step: device.tick(step),
    "a bad observation": lambda device, step: device.step(step, np.full(3, np.nan, np.float32)),
    "a reset": lambda device, step: device.reset(EPISODE),
    "silence": lambda device, step: device.wait(2 * device.planner.spec.period(TICK_HZ)),
}


@pytest.mark.parametrize("event", THROWN)
def test_what_is_no_step_in_order_throws_it_away(device: CoreDevice, event: str) -> None:
    device.reset(EPISODE, Pace.REAL)
    step = to_the_end_of_a_chunk(device)
    plans = device.twin.counters.plans
    THROWN[event](device, step)
    reply = device.step(step + 1, seen(step + 1))
    assert isinstance(reply, Reply)
    assert (reply.flags & ~Flag.LIMITED, reply.age) == (NEW, 0)
    fresh = device.planner.plan(seen(step + 1), EPISODE, 0 if event == "a reset" else plans)
    assert reply.digest == fresh.digest
    device.compare_counters()


def test_after_steps_left_out_it_is_played_from_the_action_that_is_due_and_not_beyond_its_chunk(
    device: CoreDevice,
) -> None:
    chunk = device.planner.spec.chunk
    for gap in range(1, chunk + 2):
        device.reset(EPISODE)
        last = to_the_end_of_a_chunk(device) - 1
        reply = device.step(last + gap, seen(last + gap))
        assert isinstance(reply, Reply)
        flags, age = (AHEAD, gap - 1) if gap <= chunk else (NEW, 0)
        assert (reply.flags & ~Flag.LIMITED, reply.age) == (flags, age)


def test_one_that_was_late_is_as_old_as_it_took_and_only_replayed(device: CoreDevice) -> None:
    spec = device.planner.spec
    for periods in range(1, spec.horizon + 2):
        device.reset(EPISODE)
        play(device, 0, spec.chunk - 1)
        device.step(spec.chunk - 1, seen(0), periods * spec.period(TICK_HZ))
        reply = device.step(spec.chunk, seen(1))
        assert isinstance(reply, Reply)
        assert reply.flags & ~Flag.LIMITED == AHEAD | Flag.OVERRUN
        if reply.state == State.LATCHED:
            assert periods > spec.safe_steps
            device.arm()
            continue
        replayed = periods - 1 < spec.horizon
        expected = (State.REPLAYING, periods - 1) if replayed else (State.SAFE, NO_PLAN)
        assert (reply.state, reply.age) == expected
        again = device.step(spec.chunk + 1, seen(2))
        assert isinstance(again, Reply)
        assert (again.flags & ~Flag.LIMITED, again.age) == (NEW, 0)


def test_a_device_that_is_always_late_latches(device: CoreDevice) -> None:
    spec = device.planner.spec
    play(device, 0, spec.chunk - 1)
    for step in range(spec.chunk - 1, spec.chunk + spec.safe_steps + 1):
        device.step(step, seen(step), TOO_LATE)
    assert device.twin.state == State.LATCHED


def test_plans_for_the_host_and_the_self_test_leave_it_alone(device: CoreDevice) -> None:
    step = to_the_end_of_a_chunk(device)
    device.request(Type.PLAN, protocol.pack_plan(9, 9, 0, seen(50)))
    device.request(Type.SELFTEST)
    reply = device.step(step, seen(step))  # compared with the twin's, digest and action
    assert isinstance(reply, Reply)
    assert reply.flags & ~Flag.LIMITED == AHEAD


def test_a_net_that_does_not_run_makes_no_plan_ahead(device: CoreDevice) -> None:
    last = device.planner.spec.chunk - 1
    play(device, 0, last)
    plans = device.twin.counters.plans
    device.library.c.kdp_library_break_planner()
    played = device.request(Type.STEP, protocol.pack_step(last, seen(0)))
    assert played[0] == Type.STEP | REPLY
    refused = device.request(Type.STEP, protocol.pack_step(last + 1, seen(0)))
    assert refused == (ERROR, bytes([Refusal.SELFTEST_FAILED, Type.STEP]))
    assert Telemetry.unpack(device.request(Type.TELEMETRY)[1]).plans == plans


def test_it_needs_memory_for_one_plan_more(ahead: tuple[HostLibrary, IntegerPlanner]) -> None:
    library, _ = ahead
    statuses = [library.c.kdp_library_start_in(0, ctypes.c_size_t(size)) for size in range(0, 1 << 13, 16)]
    enough = statuses.index(0)
    assert set(statuses[:enough]) == {OUT_OF_MEMORY}
    assert set(statuses[enough:]) == {0}
    library.start()


def test_hello_says_that_it_plans_ahead(device: CoreDevice) -> None:
    assert Hello.unpack(device.request(Type.HELLO)[1]).flags & HelloFlag.AHEAD
