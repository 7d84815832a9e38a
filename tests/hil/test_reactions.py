# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every fault's reaction is seen in time on a good device, and missed on one that does not react."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.fault_table import markdown
from kdp_edge.hil.faults import KINDS, parse
from kdp_edge.hil.faulty_signals import Actuator
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.hil.reaction_check import Reacted, judge
from kdp_edge.hil.scenario import Recording, Scenario, Step
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import Flag, Refusal, State
from kdp_edge.wire.protocol import StepReply
from kdp_edge.wire.server import Server
from kdp_edge.wire.twin import Reply

PAGE = Path(__file__).parents[2] / "docs" / "closed-loop.md"


def served_by(server: Server) -> Device:
    return Device("served", MemoryPipe(server.feed), microseconds, timeout=0.005)


def scenario(*faults: str, steps: int = 40) -> Scenario:
    return Scenario("hopper-medium-expert", (0,), steps, tuple(map(parse, faults)))


def reactions(
    device: Device, played: Scenario, planner: IntegerPlanner, float_planner: FloatPlanner
) -> list[Reacted]:
    recording = play_device(device, played, planner, float_planner)
    assert sum(recording.injected.values()) > 0
    return judge(played.faults[0], played, recording, planner.spec)


def as_text(name: str) -> str:
    kind = KINDS[name]
    if kind.needs_steps:
        return f"{name}=0.05@4" if name in ("hang", "stall") else f"{name}@4"
    return f"{name}@4:18" if kind.spans else f"{name}=0.1"


@pytest.mark.parametrize("name", KINDS)
def test_each_fault_is_followed_by_what_must_follow(
    name: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    with ExitStack() as stack:
        if name in ("overrun", "hang"):
            device = stack.enter_context(open_device("native", planner))
        else:
            device = served_by(Server(planner))
        found = reactions(device, scenario(as_text(name)), planner, float_planner)
    assert sum(one.due for one in found) > 0
    assert all(one.passed for one in found), found


class Changed(Server):
    """A device whose replies are not what its fail-safe says."""

    def __init__(self, planner: IntegerPlanner, change: Callable[[StepReply], StepReply]) -> None:
        super().__init__(planner)
        self.change = change

    def _reply(self, reply: Reply | Refusal) -> bytes | Refusal:
        packed = super()._reply(reply)
        if isinstance(packed, Refusal):
            return packed
        return self.change(StepReply.unpack(packed, self.planner.spec.act_dim)).pack()


def forgets(flag: Flag) -> Callable[[StepReply], StepReply]:
    return lambda reply: replace(reply, flags=reply.flags & ~flag)


def never(state: State, instead: State) -> Callable[[StepReply], StepReply]:
    return lambda reply: replace(reply, state=instead) if reply.state == state else reply


@pytest.mark.parametrize(
    ("fault", "change", "missed"),
    [
        ("off@4:18", forgets(Flag.MISSED), "flag MISSED"),
        ("garbage@4:18", forgets(Flag.BAD_OBSERVATION), "flag BAD_OBSERVATION"),
        ("outside@4:18", never(State.SAFE, State.RUNNING), "flag BAD_OBSERVATION"),
        ("off@4:18", never(State.LATCHED, State.SAFE), "LATCHED"),
        ("off@4:18", lambda reply: replace(reply, state=State.REPLAYING), "SAFE"),
        ("off@4:6", lambda reply: replace(reply, state=State.REPLAYING), "RUNNING again"),
        ("stuck@4:6", never(State.RUNNING, State.SAFE), "none, it cannot know"),
        ("wrong@4:6", lambda reply: replace(reply, flags=Flag.BAD_OBSERVATION), "RUNNING on what"),
        ("reboot@4", forgets(Flag.PLANNED), "NOT_READY until RESET"),
        ("duplicate=1", lambda reply: replace(reply, digest=0), "the predicted reply"),
        ("actuator-stuck@4:9", lambda reply: replace(reply, candidate=9), "none of the device's"),
    ],
)
def test_a_device_that_does_not_react_fails_that_reaction(
    planner: IntegerPlanner,
    float_planner: FloatPlanner,
    fault: str,
    change: Callable[[StepReply], StepReply],
    missed: str,
) -> None:
    found = reactions(served_by(Changed(planner, change)), scenario(fault), planner, float_planner)
    (late,) = [one for one in found if one.says.startswith(missed)]
    assert late.seen < late.due


def test_a_reaction_is_due_once_its_limit_has_passed_and_no_other_fault_is_at_work(
    planner: IntegerPlanner,
) -> None:
    spec = planner.spec
    limit = spec.horizon + spec.safe_steps
    safe = Step(0, 0, 0.0, (), state=State.SAFE, flags=Flag.MISSED)

    def latch(*texts: str) -> Reacted:
        played = scenario(*texts)
        recording = Recording("x", [replace(safe, step=i) for i in range(60)])
        return judge(played.faults[0], played, recording, spec)[2]

    assert (latch(f"off@5:{5 + limit - 1}").due, latch(f"off@5:{5 + limit}").due) == (0, 1)
    assert not latch(f"off@5:{5 + limit}").passed
    assert latch(f"off@5:{5 + limit}", "reboot@7").due == 0
    assert latch(f"off@5:{5 + limit}", "reboot@4").due == 1
    assert latch(f"off@{60 - limit + 1}:90").due == 0


def test_what_faulty_actuators_do(planner: IntegerPlanner) -> None:
    spec = planner.spec
    asked = np.random.default_rng(0).uniform(-1, 1, (9, spec.act_dim)).astype(np.float32)

    def done(text: str) -> np.ndarray:
        actuator = Actuator([parse(text)], spec)
        actuator.start_episode()
        return np.stack([actuator.drive(step, action) for step, action in enumerate(asked)])

    stuck = done("actuator-stuck=2@3:6")
    assert (stuck[3:6, 1] == asked[3, 1]).all()
    assert np.array_equal(np.delete(stuck, 1, 1), np.delete(asked, 1, 1))
    assert np.array_equal(done("actuator-delayed=2@4:")[4:], asked[2:-2])
    assert np.array_equal(done("actuator-saturated=0.5"), asked.clip(-0.5, 0.5))
    assert np.array_equal(done("actuator-saturated=0.5@5:7")[:5], asked[:5])


def test_the_page_has_the_table() -> None:
    assert markdown() in PAGE.read_text(encoding="utf-8")
