# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""In real time a host that falls silent is replaced by the device's own clock: agent and firmware alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import Flag, Pace, State, Type
from kdp_edge.wire.twin import Twin
from tests.hil.agents import Agent, running

GOOD = np.zeros(11, np.float32)
TICK_HZ: list[int] = []  # of the device at hand


@pytest.fixture(params=["native", "agent"])
def link(
    request: pytest.FixtureRequest, planner: IntegerPlanner, sbc: Path, tmp_path: Path
) -> Iterator[Link]:
    """A link to a running device of each kind, greeted."""
    with ExitStack() as stack:
        if request.param == "agent":
            device = stack.enter_context(stack.enter_context(running(sbc, tmp_path, "unix")).open())
        else:
            device = stack.enter_context(open_device("native", planner))
        link = Link(device.pipe, device.timeout)
        TICK_HZ.append(link.hello(device.hello_within).tick_hz)
        yield link


def begun(link: Link, planner: IntegerPlanner, pace: Pace) -> Twin:
    twin = Twin(planner)
    reply = link.reset(3, pace)
    twin.reset(3, pace)
    assert (reply.state, reply.pace, reply.own) == (State.RUNNING, pace, 0)
    return twin


def step(link: Link, twin: Twin, number: int) -> int:
    """A control step compared with the twin; returns how many the device played by itself before it."""
    found = link.step(number, GOOD)
    twin.alone(found.own)
    late = twin.planner.spec.periods(found.ticks, TICK_HZ[-1]) if found.flags & Flag.OVERRUN else 0
    expected = twin.step(number, GOOD, late)
    assert found.pack() == expected.timed(found.ticks, found.own).pack()  # type: ignore[union-attr]
    return found.own


def test_a_silence_is_filled_and_told_and_a_long_one_latches(link: Link, planner: IntegerPlanner) -> None:
    spec, twin = planner.spec, begun(link, planner, Pace.REAL)
    step(link, twin, 0)
    time.sleep(6 / spec.rate_hz)
    own = step(link, twin, 1)
    assert own >= 4
    for _ in range(10):  # neither HELLO nor garbage is a control step
        link.pipe.write(b"\0garbage\0" + encode(Type.HELLO, 9))
        time.sleep(4 / spec.rate_hz)
    own = step(link, twin, 2)
    assert own > spec.horizon + spec.safe_steps
    assert twin.state == State.LATCHED
    assert link.telemetry().own == twin.counters.own
    assert link.arm().state == State.IDLE


def test_in_lockstep_the_simulation_may_stand_still(link: Link, planner: IntegerPlanner) -> None:
    twin = begun(link, planner, Pace.LOCKSTEP)
    step(link, twin, 0)
    time.sleep(40 / planner.spec.rate_hz)
    assert step(link, twin, 1) == 0
    assert link.telemetry().own == 0


def latched(agent: Agent) -> State:
    with agent.open() as device:
        return State(Link(device.pipe, device.timeout).hello().state)


def test_a_latch_outlives_the_agent_until_it_is_armed(sbc: Path, tmp_path: Path) -> None:
    with running(sbc, tmp_path, "unix") as agent, agent.open() as device:
        link = Link(device.pipe, device.timeout)
        link.hello()
        link.reset(0)
        for number in range(10):
            link.tick(number)
    with running(sbc, tmp_path, "unix") as agent:
        assert latched(agent) == State.LATCHED
        with pytest.raises(
            KdpError, match=f"stop is latched.*kdp-edge arm --device {agent.device}"
        ) as refused:
            closed_loop(sbc, [agent.device], episodes=1, max_steps=5)
        assert refused.value.exit_code == DEVICE_MISSING
        assert latched(agent) == State.LATCHED
        command = [sys.executable, "-m", "kdp_edge", "arm", "--device", agent.device]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == f"{agent.device}: was latched, is idle"
    with running(sbc, tmp_path, "unix") as agent:
        assert latched(agent) == State.IDLE
        report = closed_loop(sbc, [agent.device], episodes=1, max_steps=15, faults=["off@0:15"])
        assert report.devices[agent.device].states["latched"] > 0
        assert latched(agent) == State.IDLE  # a run leaves the latch that it caused


def test_arm_shows_token_and_certificate_to_an_agent_over_tls(sbc: Path, tmp_path: Path) -> None:
    with running(sbc, tmp_path, "tls") as agent:
        shown = agent.credentials
        options = ["--token-file", str(shown.token_file), "--tls-cert", str(shown.certificate)]
        command = [sys.executable, "-m", "kdp_edge", "arm", "--device", agent.device, *options]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert told.stdout.strip() == f"{agent.device}: was idle, is idle"
