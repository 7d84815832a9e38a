# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The link repeats what got lost, drops what is not its own, and never waits for ever."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty

import numpy as np
import pytest
import serial

from kdp_edge.base.errors import DEVICE_MISSING, LINK_LOST, KdpError
from kdp_edge.hil.faults import KINDS, Fault
from kdp_edge.hil.faulty_pipe import FaultyPipe
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost, MemoryPipe, SerialPipe, SocketPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import Flag, Refusal, State, Type
from kdp_edge.wire.protocol import Refused
from kdp_edge.wire.server import Server
from kdp_edge.wire.twin import Twin


@pytest.fixture
def raw_pty():
    """(file handle of the device's side, name of the host's side)."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    for handle in (master, slave):
        try:
            os.close(handle)
        except OSError:
            continue  # the test closed it


def test_requests_and_replies_go_through(link: Link) -> None:
    assert link.echo(b"\0\x01\xff") == b"\0\x01\xff"
    assert link.reset(3).state == State.RUNNING
    reply = link.step(0, np.zeros(11, np.float32))
    assert reply.step == 0 and reply.flags & Flag.PLANNED and reply.ticks > 0
    assert link.telemetry().plans == 1
    assert link.selftest().passed == 1
    link.reboot()
    assert link.hello().state == State.IDLE


def test_a_refusal_names_request_and_reason(link: Link) -> None:
    with pytest.raises(Refused, match=r"refused STEP with code 3 \(not ready\)") as caught:
        link.step(0, np.zeros(11, np.float32))
    assert caught.value.code == Refusal.NOT_READY


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.spans])
def test_no_wrong_action_is_accepted_whatever_the_link_does(planner: IntegerPlanner, name: str) -> None:
    faults = [Fault(name, min(0.3, KINDS[name].largest))]
    pipe = FaultyPipe(MemoryPipe(Server(planner).feed), faults, seed=4)
    link = Link(pipe, timeout=0.002, tries=40)
    link.hello()
    twin, rng = Twin(planner), np.random.default_rng(0)
    assert link.reset(1).state == twin.reset(1)
    for step in range(120):
        observation = rng.normal(0, 1, 11).astype(np.float32)
        got, expected = link.step(step, observation), twin.step(step, observation)
        assert got.action.tobytes() == expected.action.tobytes()
        assert (got.step, got.digest, got.state) == (expected.step, expected.digest, expected.state)
    assert pipe.injected[name] > 10
    # the device made each plan once, however often it was asked
    assert link.telemetry().plans == 120
    if name not in ("duplicate", "split"):
        assert link.counters.retries > 0


def test_a_reply_to_an_earlier_request_is_dropped(planner: IntegerPlanner) -> None:
    server = Server(planner)

    def late(data: bytes) -> bytes:
        return encode(Type.ECHO | 0x80, 0xFFFF, b"old") + server.feed(data)

    link = Link(MemoryPipe(late), timeout=0.02)
    assert link.echo(b"new") == b"new"
    assert link.counters.stray == 1


def test_hello_that_nobody_answers_says_how_long_it_waited(raw_pty: tuple[int, str]) -> None:
    pipe = SerialPipe(raw_pty[1])
    start = time.monotonic()
    with pytest.raises(KdpError, match=r"no answer to HELLO in 0\.5 s \(\d tries\): check") as caught:
        Link(pipe).hello(within=0.5)
    assert caught.value.exit_code == DEVICE_MISSING
    assert time.monotonic() - start < 1.5
    pipe.close()


def test_hello_finds_a_device_that_wakes_up_late(planner: IntegerPlanner, raw_pty: tuple[int, str]) -> None:
    master, name = raw_pty
    server = Server(planner)

    def serve() -> None:
        time.sleep(0.4)
        os.read(master, 4096)  # bytes before the UART runs are lost
        while True:
            try:
                os.write(master, server.feed(os.read(master, 4096)))
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    pipe = SerialPipe(name)
    link = Link(pipe)
    assert link.hello(within=5).board == "reference"
    assert link.hello_tries > 2
    assert link.echo(b"x") == b"x"
    pipe.close()


def test_a_silent_device_is_lost_after_the_last_try(planner: IntegerPlanner) -> None:
    server = Server(planner)
    alive = True
    link = Link(MemoryPipe(lambda data: server.feed(data) if alive else b""), timeout=0.01, tries=3)
    link.hello()
    alive = False
    with pytest.raises(LinkLost, match=r"no reply to ECHO after 3 tries of 0\.01 s") as caught:
        link.echo(b"x")
    assert caught.value.exit_code == LINK_LOST
    assert (link.counters.retries, link.counters.lost) == (2, 1)


def test_a_port_that_vanishes_is_a_lost_link(raw_pty: tuple[int, str]) -> None:
    master, name = raw_pty
    pipe = SerialPipe(name)
    os.close(master)
    with pytest.raises(LinkLost, match="vanished"):
        for _ in range(3):
            pipe.write(b"x")
            pipe.read(0.1)
    pipe.close()


def test_a_port_that_nobody_reads_does_not_block_for_ever(raw_pty: tuple[int, str]) -> None:
    pipe = SerialPipe(raw_pty[1], write_timeout=0.2)
    start = time.monotonic()
    with pytest.raises(LinkLost, match=r"took no bytes for 0\.2 s"):
        for _ in range(100):
            pipe.write(bytes(4096))
    assert time.monotonic() - start < 3
    pipe.close()


def test_a_port_is_opened_by_one_program_only(raw_pty: tuple[int, str]) -> None:
    pipe = SerialPipe(raw_pty[1])
    with pytest.raises(serial.SerialException, match="lock"):
        SerialPipe(raw_pty[1])
    pipe.close()


def test_a_closed_connection_is_a_lost_link() -> None:
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    pipe = SocketPipe(socket.create_connection(listener.getsockname()), "an agent")
    listener.accept()[0].close()
    with pytest.raises(LinkLost, match="closed by the other end"):
        pipe.read(1)
    pipe.close()
    listener.close()
