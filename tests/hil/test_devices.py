# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Devices: names are checked before anything starts, what is missing is named, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.hil.devices import check, open_device, prepare, process, qemu, serial_port
from kdp_edge.hil.devices.device import DeviceClock
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import Hello


@pytest.mark.parametrize("name", ["foo", "", "Native", "qemu-stm32f405"])
def test_an_unknown_device_lists_what_there_is(name: str) -> None:
    with pytest.raises(KdpError) as caught:
        check(name)
    assert caught.value.exit_code == USAGE
    message = str(caught.value)
    for form in ("reference", "native", "qemu:stm32f405", "serial:PORT[@BAUD]", "agent:HOST:PORT"):
        assert form in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("qemu", "not of the form qemu:stm32f405"),
        ("reference:x", "not of the form reference"),
        ("serial:", "not of the form serial:PORT"),
        ("serial:/dev/ttyX@fast", "'fast' is not a baud rate"),
        ("qemu:esp32", "QEMU has no board 'esp32': .*there are .*stm32f405"),
        ("agent:host", "not of the form agent:HOST:PORT"),
        ("agent:host:99999", "not of the form agent:HOST:PORT"),
    ],
)
def test_a_malformed_device_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(KdpError, match=said) as caught:
        check(name)
    assert caught.value.exit_code == USAGE


def test_baud_is_read_from_the_name() -> None:
    assert serial_port.parse("/dev/ttyACM0@115200") == ("/dev/ttyACM0", 115200)
    assert serial_port.parse("/dev/ttyACM0") == ("/dev/ttyACM0", 921600)


def test_a_port_that_does_not_exist_lists_the_ports_found(planner: IntegerPlanner) -> None:
    with (
        pytest.raises(KdpError, match=r"/dev/ttyNONE: no such port; ports found: ") as caught,
        open_device("serial:/dev/ttyNONE", planner),
    ):
        pytest.fail("opened")
    assert caught.value.exit_code == DEVICE_MISSING


def test_an_agent_that_is_not_there_is_a_missing_device(planner: IntegerPlanner) -> None:
    with (
        pytest.raises(KdpError, match=r"no agent at 127\.0\.0\.1:9") as caught,
        open_device("agent:127.0.0.1:9", planner),
    ):
        pytest.fail("opened")
    assert caught.value.exit_code == DEVICE_MISSING


def test_missing_qemu_names_the_package(planner: IntegerPlanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KdpError, match=r"apt-get install .*qemu-system-arm") as caught:
        prepare("qemu:stm32f405", planner)
    assert caught.value.exit_code == DEVICE_MISSING


def test_a_missing_compiler_names_the_package(
    planner: IntegerPlanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KdpError, match="apt-get install") as caught, open_device("native", planner):
        pytest.fail("opened")
    assert caught.value.exit_code == DEVICE_MISSING


def test_a_process_that_ends_at_once_is_reported_with_its_last_words() -> None:
    child = process.Child([sys.executable, "-c", "print('no such machine')"])
    with pytest.raises(KdpError, match="ended before it served a port: no such machine") as caught:
        child.expect("(never)")
    assert caught.value.exit_code == DEVICE_MISSING
    child.close()


def test_a_process_that_says_nothing_is_not_waited_for_for_ever() -> None:
    child = process.Child([sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(KdpError, match=r"said nothing for 0\.2 s"):
        child.expect("(never)", within=0.2)
    child.close()


@pytest.mark.parametrize("name", ["native", "qemu:stm32f405", "qemu:riscv-virt"])
def test_a_device_answers_and_its_process_ends_with_the_context(name: str, planner: IntegerPlanner) -> None:
    before = _children(os.getpid())
    with open_device(name, planner) as device:
        link = Link(device.pipe)
        hello = link.hello(device.hello_within)
        assert hello.model_sha256 == planner.model_sha256()
        clock = device.clock(hello)
        assert (clock is None) if name == "native" else clock.unit == "instructions"
        assert len(_children(os.getpid()) - before) == 1
    assert _children(os.getpid()) == before


def hello_with(planner: IntegerPlanner, **clock: int) -> Hello:
    return Hello.of(planner, state=0, flags=1, board="b", version="v", **clock)


@pytest.mark.parametrize(
    ("name", "tick_hz", "hz", "per_tick", "own_hz"),
    [
        ("stm32f405", 1_344_000_000, 168e6, 0.125, None),
        ("stm32f405@96e6", 768_000_000, 96e6, 0.125, None),
        ("mps2-an386", 25_000_000, 168e6, 5.0, 125e6),
    ],
)
def test_emulated_ticks_become_instructions(
    planner: IntegerPlanner, name: str, tick_hz: int, hz: float, per_tick: float, own_hz: float | None
) -> None:
    hello = hello_with(planner, clock_source=4, clock_hz=168_000_000, tick_hz=tick_hz)
    assert qemu.emulated(name).clock(hello) == DeviceClock("instructions", "icount", hz, per_tick, own_hz)


def test_in_real_time_an_emulated_board_counts_no_instructions(planner: IntegerPlanner) -> None:
    board = qemu.emulated("stm32f405@wall")
    hello = hello_with(planner, clock_source=4, clock_hz=168_000_000, tick_hz=1_000_000_000)
    assert board.clock(hello) == DeviceClock("us", "wall", 1e6, 1e-3) and (board.wall, board.told) == (
        True,
        [],
    )


@pytest.mark.parametrize("hz", [1e3, 7.3e6, 168e6, 600e6, 4e9])
def test_an_emulated_second_has_as_many_instructions_as_its_clock_says(hz: float) -> None:
    rate = qemu.emulated(f"stm32f405@{hz:g}")
    ticks = int(rate.told[1].partition("data=")[2].partition(",")[0], 16)  # a second; of virtual nanoseconds
    assert ticks < 2**32 and ticks / 2**rate.shift == pytest.approx(hz)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mps2-an386@96e6", "cannot be told a clock: .* leave the clock out, or take qemu:stm32f405"),
        ("stm32f405@fast", "'fast' is no clock, expected hertz"),
        ("stm32f405@-1", "is no clock"),
        ("stm32f405@1e10", "a clock of 1e.10 Hz, expected"),
        ("stm32f4@96e6", "QEMU has no board 'stm32f4'"),
    ],
)
def test_a_clock_that_an_emulated_board_cannot_have_is_refused(name: str, says: str) -> None:
    with pytest.raises(KdpError, match=says):
        qemu.check(name)


def test_an_emulated_board_that_believes_in_its_crystal_is_an_error(planner: IntegerPlanner) -> None:
    with pytest.raises(KdpError, match="does not see that it is emulated"):
        qemu.emulated("stm32f405").clock(
            hello_with(planner, clock_source=1, clock_hz=168_000_000, tick_hz=84_000_000)
        )


@pytest.mark.parametrize(
    ("tick_hz", "expected"),
    [
        (168_000_000, ("cycles", "dwt", 1.0)),
        (84_000_000, ("cycles", "tim2", 2.0)),
        (1_000_000, ("us", "systick", 1.0)),
    ],
)
def test_a_board_s_ticks_become_cycles_where_they_can(
    planner: IntegerPlanner, tick_hz: int, expected: tuple[str, str, float]
) -> None:
    clock = serial_port.clock(hello_with(planner, clock_source=1, clock_hz=168_000_000, tick_hz=tick_hz))
    assert (clock.unit, clock.source, clock.per_tick) == expected


PROGRAM = """
import sys, time
from kdp_edge.hil.devices.process import pty_of
with pty_of([sys.executable, "-u", "-c", SERVE], r"^(/dev/pts/[0-9]+)"):
    print("ready", flush=True)
    time.sleep(60)
"""
SERVE = "import os,pty,time; m,s=pty.openpty(); print(os.ttyname(s)); time.sleep(60)"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_behind_however_we_end(stop: signal.Signals) -> None:
    program = f"SERVE={SERVE!r}\n{PROGRAM}"
    ours = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert ours.stdout is not None and ours.stdout.readline() == "ready\n"
    children = _children(ours.pid)
    assert len(children) == 1
    ours.send_signal(stop)
    ours.wait(10)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() and _state(pid) != "Z" for pid in children):
        assert time.monotonic() < deadline, f"process {children} outlived us"
        time.sleep(0.02)


def _children(pid: int) -> set[int]:
    return {
        int(child)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for child in file.read_text().split()
    }


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return "Z"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e38, -1e-45])
def test_a_plan_of_what_is_no_observation_is_the_predicted_one(planner: IntegerPlanner, value: float) -> None:
    observation = np.full(planner.spec.obs_dim, value, np.float32)
    with open_device("native", planner) as device:
        link = Link(device.pipe, device.timeout)
        link.hello(device.hello_within)
        got = link.plan(7, 3, 1, observation)
    expected = planner.plan(observation, 7, 3)
    assert got.best == expected.best and np.array_equal(got.scores, expected.scores)
    assert np.array_equal(got.window, expected.windows[1])
