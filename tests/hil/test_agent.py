# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The agent of a bundle is a device like every other: same requests, same bytes, behind each of its doors."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from kdp_edge.hil.devices import open_device
from kdp_edge.hil.link import Link
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import Type
from tests.hil.agents import DOORS, Agent

TASK = "hopper-medium-expert"


@pytest.fixture(params=DOORS)
def agent(agents: dict[str, Agent], request: pytest.FixtureRequest) -> Agent:
    """A running agent behind each of its doors."""
    return agents[request.param]


def test_the_agent_plays_the_reference_s_episodes(
    agent: Agent, planner: IntegerPlanner, float_planner: FloatPlanner, tmp_path: Path
) -> None:
    scenario = Scenario("hopper-medium-expert", (0, 1), 60)
    with agent.open() as device:
        recording = play_device(device, scenario, planner, float_planner)
    with open_device("reference", planner) as device:
        expected = play_device(device, scenario, planner, float_planner)
    assert recording.lost is None and recording.exact
    assert recording.mismatched == 0
    assert len(recording.steps) > 20 and expected.mismatched == 0


def plays(agent: Agent, planner: IntegerPlanner, float_planner: FloatPlanner) -> bool:
    with agent.open() as device:
        recording = play_device(device, Scenario(TASK, (0,), 20), planner, float_planner)
    return recording.lost is None and recording.mismatched == 0 and len(recording.steps) > 5


def test_clients_that_say_nothing_shut_nobody_out(
    agent: Agent, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    silent = [*(agent.connected() for _ in range(3)), *(agent.admitted() for _ in range(3))]
    assert plays(agent, planner, float_planner)
    babbling = agent.connected()
    babbling.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
    assert plays(agent, planner, float_planner)
    for client in (*silent, babbling):
        client.close()


def test_silent_callers_do_not_disturb_the_owner(
    agent: Agent, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    with agent.open() as device:
        link = Link(device.pipe, device.timeout)
        link.hello(5)
        callers = [*(agent.connected() for _ in range(20)), *(agent.admitted() for _ in range(10))]
        assert link.echo(b"still here") == b"still here"
        for client in callers:
            client.close()
        assert link.telemetry().frames_received > 0


def test_a_client_that_does_not_read_is_left_and_the_next_one_served(
    agent: Agent, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    deaf = agent.admitted()
    request = encode(Type.ECHO, 1, bytes(900)) * 50
    with suppress(LinkLost):
        for _ in range(400):
            deaf.write(request)  # 18 MB of answers that nobody takes
    assert plays(agent, planner, float_planner)
    deaf.close()


def test_the_newest_client_that_speaks_owns_the_device(agent: Agent, planner: IntegerPlanner) -> None:
    with agent.open() as first:
        old = Link(first.pipe, 0.5, tries=2)
        old.hello(5)
        with agent.open() as second:
            new = Link(second.pipe, first.timeout)
            new.hello(5)
            assert new.echo(b"mine") == b"mine"
            with pytest.raises(LinkLost):
                old.echo(b"still mine?")


def test_half_a_frame_of_the_last_owner_spoils_nothing(agent: Agent, planner: IntegerPlanner) -> None:
    with agent.open() as first:
        Link(first.pipe).hello(5)
        first.pipe.write(encode(Type.ECHO, 9, b"cut")[:5])
    with agent.open() as second:
        link = Link(second.pipe, 0.5, tries=1)
        assert link.hello(5).board and link.hello_tries == 1
