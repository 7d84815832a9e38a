"""The agent of a bundle is a device like every other: same requests, same bytes, over TCP."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kdp_edge.exporters import targets
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.link import Link
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import Type

TASK = "hopper-medium-expert"


@pytest.fixture(scope="module")
def agent(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a running agent with ONNX Runtime."""
    bundle = targets.export_planner(planner, "sbc", tmp_path_factory.mktemp("bundle") / "sbc", {})
    command = [sys.executable, "agent.py", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=bundle.path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().removeprefix("serving on ").strip()
    process.terminate()
    process.wait(10)


def test_the_agent_plays_the_reference_s_episodes(
    agent: str, planner: IntegerPlanner, float_planner: FloatPlanner, tmp_path: Path
) -> None:
    scenario = Scenario("hopper-medium-expert", (0, 1), 60)
    with open_device(f"agent:{agent}", planner) as device:
        recording = play_device(device, scenario, planner, float_planner)
    with open_device("reference", planner) as device:
        expected = play_device(device, scenario, planner, float_planner)
    assert recording.lost is None and recording.exact
    assert recording.mismatched == 0
    assert len(recording.steps) > 20 and expected.mismatched == 0


def plays(agent: str, planner: IntegerPlanner, float_planner: FloatPlanner) -> bool:
    with open_device(f"agent:{agent}", planner) as device:
        recording = play_device(device, Scenario(TASK, (0,), 20), planner, float_planner)
    return recording.lost is None and recording.mismatched == 0 and len(recording.steps) > 5


def connected(agent: str) -> socket.socket:
    host, _, port = agent.rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def test_clients_that_say_nothing_shut_nobody_out(
    agent: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    silent = [connected(agent) for _ in range(3)]
    assert plays(agent, planner, float_planner)
    babbling = connected(agent)
    babbling.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
    assert plays(agent, planner, float_planner)
    for client in (*silent, babbling):
        client.close()


def test_silent_callers_do_not_disturb_the_owner(
    agent: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    with open_device(f"agent:{agent}", planner) as device:
        link = Link(device.pipe, device.timeout)
        link.hello(5)
        callers = [connected(agent) for _ in range(30)]
        assert link.echo(b"still here") == b"still here"
        for client in callers:
            client.close()
        assert link.telemetry().frames_received > 0


def test_a_client_that_does_not_read_is_left_and_the_next_one_served(
    agent: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    deaf = connected(agent)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    request = encode(Type.ECHO, 1, bytes(900)) * 50
    deaf.settimeout(0.5)
    with suppress(OSError):
        for _ in range(400):
            deaf.sendall(request)  # 18 MB of answers that nobody takes
    assert plays(agent, planner, float_planner)
    deaf.close()


def test_the_newest_client_that_speaks_owns_the_device(agent: str, planner: IntegerPlanner) -> None:
    with open_device(f"agent:{agent}", planner) as first:
        old = Link(first.pipe, 0.5, tries=2)
        old.hello(5)
        with open_device(f"agent:{agent}", planner) as second:
            new = Link(second.pipe, first.timeout)
            new.hello(5)
            assert new.echo(b"mine") == b"mine"
            with pytest.raises(LinkLost):
                old.echo(b"still mine?")


def test_half_a_frame_of_the_last_owner_spoils_nothing(agent: str, planner: IntegerPlanner) -> None:
    with open_device(f"agent:{agent}", planner) as first:
        Link(first.pipe).hello(5)
        first.pipe.write(encode(Type.ECHO, 9, b"cut")[:5])
    with open_device(f"agent:{agent}", planner) as second:
        link = Link(second.pipe, 0.5, tries=1)
        assert link.hello(5).board and link.hello_tries == 1
