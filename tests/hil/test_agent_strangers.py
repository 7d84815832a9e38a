# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Strangers who reach an agent neither own the device nor disturb its owner, whatever they send."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.hil.devices import open_device, prepare
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.wire.authorise import MAGIC, NONCE, OPENING, PROOF
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import Type
from tests.hil.agents import DOORS, Agent, received

NOBODY = 65534


@pytest.fixture
def tcp(agents: dict[str, Agent]) -> Agent:
    return agents["tcp"]


def garbage(client: socket.socket) -> None:
    client.sendall(random.Random(1).randbytes(4000))


def frames(client: socket.socket) -> None:
    client.sendall(b"\0" + encode(Type.HELLO, 1) + encode(Type.REBOOT, 2))


def wrong_proof(client: socket.socket) -> None:
    client.sendall(MAGIC + bytes(NONCE))
    assert len(received(client, OPENING)) == OPENING
    client.sendall(bytes(PROOF) + encode(Type.REBOOT, 2))


def proof_with_frames(client: socket.socket) -> None:
    client.sendall(MAGIC + bytes(NONCE + PROOF) + encode(Type.REBOOT, 2))


@pytest.mark.parametrize("attack", [garbage, frames, wrong_proof, proof_with_frames])
@pytest.mark.parametrize("door", ["tcp", "tls"])
def test_a_stranger_is_closed_unanswered_and_the_owner_notices_nothing(
    agents: dict[str, Agent], door: str, attack: Callable[[socket.socket], None]
) -> None:
    agent = agents[door]
    with agent.open() as device:
        link = Link(device.pipe, device.timeout, tries=1)
        link.hello(5)
        before = link.telemetry()
        stranger = agent.connected()
        if door == "tls" and attack is wrong_proof:
            stranger.sendall(MAGIC + bytes(NONCE))
        else:
            attack(stranger)
        left = received(stranger, within=10)  # until it is closed: what looks like a record may be waited for
        assert len(left) in (0, 7, OPENING)  # nothing, a TLS alert, or the agent's nonce: no frame
        after = link.telemetry()
        assert after.frames_received == before.frames_received + 1 and after.frames_bad == before.frames_bad
        assert link.counters.retries == link.counters.stray == 0


def test_a_recorded_handshake_opens_nothing(tcp: Agent) -> None:
    said: list[bytes] = []
    host, _, port = tcp.where.rpartition(":")
    relay = socket.create_server(("127.0.0.1", 0))

    def pass_on() -> None:
        client, server = relay.accept()[0], socket.create_connection((host, int(port)), 5)
        for count in (OPENING, PROOF):
            said.append(received(client, count))
            server.sendall(said[-1])
            client.sendall(received(server, count))
        said.append(client.recv(100))
        client.close()
        server.close()

    thread = threading.Thread(target=pass_on)
    thread.start()
    with (
        suppress(KdpError),
        open_device(f"agent:127.0.0.1:{relay.getsockname()[1]}", None, tcp.credentials) as d,
    ):
        Link(d.pipe, 0.2, tries=1).hello(0.2)
    thread.join(10)
    relay.close()
    opening, proof, hello = said
    assert len(opening) == OPENING and len(proof) == PROOF and hello  # this time it was let in
    with tcp.connected() as replay:
        replay.sendall(opening)
        assert len(received(replay, OPENING)) == OPENING
        replay.sendall(proof)
        assert received(replay) == b""


@pytest.mark.parametrize("door", ["tcp", "tls"])
def test_a_flood_of_strangers_delays_the_owner_little_and_fills_no_log(
    agents: dict[str, Agent], door: str
) -> None:
    agent = agents[door]
    stop, made = threading.Event(), [0]

    def flood(seed: int) -> None:
        draw = random.Random(seed)
        while not stop.is_set():
            with suppress(OSError), agent.connected() as stranger:
                made[0] += 1
                stranger.sendall(draw.randbytes(draw.randrange(1, 4000)))

    lines = len(agent.said)
    threads = [threading.Thread(target=flood, args=(seed,)) for seed in range(3)]
    with agent.open() as device:
        link = Link(device.pipe, device.timeout, tries=1)
        link.hello(5)
        for thread in threads:
            thread.start()
        slowest, end = 0.0, time.monotonic() + 3
        while time.monotonic() < end:
            assert link.echo(b"owner") == b"owner"
            slowest = max(slowest, link.rtt)
        stop.set()
        for thread in threads:
            thread.join(10)
        assert link.counters.retries == link.counters.lost == 0
    assert made[0] > 100 and slowest < 0.5, (made, slowest)
    assert len(agent.said) - lines <= 5
    assert agent.answers()


def test_silent_and_half_open_callers_are_let_go_and_keep_nobody_out(agents: dict[str, Agent]) -> None:
    for agent in agents.values():
        silent = [agent.connected() for _ in range(40)]
        assert agent.answers()
        for client in silent:
            client.close()
    agent = agents["tcp"]
    half, drip = agent.connected(), agent.connected()
    half.sendall(MAGIC + bytes(NONCE))
    assert len(received(half, OPENING)) == OPENING
    start = time.monotonic()
    with suppress(OSError):
        for byte in MAGIC + bytes(NONCE + PROOF):
            drip.sendall(bytes([byte]))
            time.sleep(0.2)
    assert time.monotonic() - start < 9  # it was closed under way
    assert received(half) == b""
    assert agent.answers()


@pytest.mark.parametrize("door", DOORS)
def test_of_two_authorised_hosts_the_newest_that_speaks_owns_it(agents: dict[str, Agent], door: str) -> None:
    agent = agents[door]
    with agent.open() as first:
        old = Link(first.pipe, 0.5, tries=1)
        old.hello(5)
        second = agent.admitted()
        assert old.echo(b"let in is not enough") == b"let in is not enough"
        second.write(encode(Type.ECHO, 7, b"cut")[:-1])
        assert old.echo(b"nor is half a frame") == b"nor is half a frame"
        second.write(b"\0")
        assert second.read(2)
        with pytest.raises(LinkLost):
            old.echo(b"gone")
        second.close()


def test_another_user_neither_opens_nor_replaces_the_socket(agents: dict[str, Agent], tmp_path: Path) -> None:
    if os.geteuid() != 0:  # only root can become somebody else: the modes are tested above
        return
    agent = agents["unix"]
    path = Path(agent.where)
    for folder in (path.parent, *path.parents[1:4]):
        folder.chmod(folder.stat().st_mode | 0o055)
    program = (
        f"import os, socket; os.setuid({NOBODY}); s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
        f"try: s.connect({str(path)!r})\n"
        "except PermissionError: print('permission denied')\n"
        f"else: s.sendall({encode(Type.HELLO, 1)!r}); print(s.recv(9))"
    )
    run = [sys.executable, "-c", program]
    assert subprocess.run(run, capture_output=True, text=True).stdout == "permission denied\n"
    path.chmod(0o666)  # even so: the system says who it is
    assert subprocess.run(run, capture_output=True, text=True).stdout in ("b''\n", "")
    path.chmod(0o600)
    assert agent.answers()

    forged = Path(shutil.copytree(path.parent, tmp_path / "shared", ignore=shutil.ignore_patterns("*"))) / "s"
    listener = socket.socket(socket.AF_UNIX)
    os.seteuid(NOBODY)
    try:
        listener.bind(f"/tmp/kdp-edge-test-{os.getpid()}")
        listener.listen()  # from here on the system says: NOBODY
    finally:
        os.seteuid(0)
    try:
        os.symlink(f"/tmp/kdp-edge-test-{os.getpid()}", forged)
        with pytest.raises(KdpError, match=f"is served by user {NOBODY}, not by you") as caught:
            prepare(f"agent:{forged}", None, Credentials())  # type: ignore[arg-type]
        assert caught.value.exit_code == DEVICE_MISSING
    finally:
        os.unlink(f"/tmp/kdp-edge-test-{os.getpid()}")
        listener.close()


def test_complaints_that_nobody_reads_stop_nothing() -> None:
    program = """
import fcntl, os, socket, time
from kdp_edge.exporters.agent import callers
reader, writer = os.pipe()
fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
os.dup2(writer, 2)
callers.SAY_EVERY = 0
complaints = callers.Complaints()
ends = socket.socketpair()
caller = callers.Caller(callers.Connection(ends[0], None), "somebody", "somewhere", None)
for _ in range(1000):
    complaints.refuse(caller, callers.Unauthorised("has another token"))
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout == "done\n"
