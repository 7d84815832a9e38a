# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Many devices at the same time: a dead and a slow one are told apart, and neither holds the others up."""

from __future__ import annotations

import json
import os
import pty
import select
import threading
import time
import tty
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.hil import report as reports
from kdp_edge.hil.boards_file import read_boards
from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.devices import native
from kdp_edge.hil.devices.image import image_for
from kdp_edge.hil.status import Status
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import Decoder
from kdp_edge.wire.numbers import Type
from kdp_edge.wire.server import Server

DELAY = 0.4  # seconds for each plan of the slow device
SLOWEST = 6.0  # seconds that it may take; its episodes would take 16
BOARDS = """
[[board]]
name = "native 1"
device = "native"
limits = {{ deadline_share = 0.7, round_trip_ms = 1000.0 }}
[[board]]
name = "dead"
port = "{dead}"
limits = {{ hello_seconds = 0.7 }}
[[board]]
name = "slow"
port = "{slow}"
limits = {{ seconds = {slowest}, hello_seconds = 30.0 }}
[[board]]
name = "native 2"
device = "native"
[[board]]
name = "emulated 1"
device = "qemu:stm32f405"
limits = {{ flash_bytes = 500_000, stack_bytes = 10 }}
[[board]]
name = "native 3"
device = "native"
[[board]]
name = "emulated 2"
device = "qemu:stm32f405"
"""
GOOD = ("native 1", "native 2", "native 3", "emulated 2")


@contextmanager
def port_with(answer: Callable[[bytes], bytes] | None) -> Iterator[str]:
    """A port behind which `answer` answers bytes with bytes, or nobody does."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            if select.select([master], [], [], 0.05)[0] and answer is not None:
                os.write(master, answer(os.read(master, 4096)))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        ended.set()
        thread.join()
        os.close(master)
        os.close(slave)


def slowly(planner: IntegerPlanner) -> Callable[[bytes], bytes]:
    server, decoder = Server(planner), Decoder()

    def answer(data: bytes) -> bytes:
        time.sleep(DELAY * any(frame.type == Type.STEP for frame in decoder.feed(data)))
        return server.feed(data)

    return answer


@pytest.fixture(scope="module")
def played(
    sbc: Path, planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory
) -> tuple[reports.Report, Path, list[Status]]:
    """Three native, two emulated, one dead and one slow device: the report, its folder, what was shown."""
    folder = tmp_path_factory.mktemp("fleet")
    seen: list[Status] = []
    with port_with(None) as dead, port_with(slowly(planner)) as slow:
        boards = folder / "boards.toml"
        boards.write_text(BOARDS.format(dead=dead, slow=slow, slowest=SLOWEST), encoding="utf-8")
        limits = {"episodes": 2, "max_steps": 20}
        report = closed_loop(sbc, out=folder / "report", boards=boards, show=seen.append, **limits)
    return report, folder / "report", seen


def test_all_but_the_dead_and_the_slow_one_play_to_the_end(
    played: tuple[reports.Report, Path, object],
) -> None:
    report = played[0]
    outcomes = {board.name: board.outcome for board in report.boards}
    assert outcomes == {
        "native 1": "passed", "dead": "missing", "slow": "failed", "native 2": "passed",
        "emulated 1": "failed", "native 3": "passed", "emulated 2": "passed",
    }  # fmt: skip
    assert list(report.devices) == ["float", *(name for name in outcomes if name != "dead")]
    returns = [report.devices[name].returns for name in (*GOOD, "emulated 1")]
    assert len(returns[0]) == 2 and all(one == returns[0] for one in returns)
    assert report.devices["float"].episodes == 2
    assert not report.passed and report.verdicts[0].outcome == "failed"


def test_each_failure_says_why(played: tuple[reports.Report, Path, object]) -> None:
    why = {board.name: board.why for board in played[0].boards}
    assert "no answer to HELLO in 0." in why["dead"]
    assert "stopped: its 6 s of the boards file are over" in why["slow"]
    assert "stack_bytes emulated 1" in why["emulated 1"] and "expected <= 10" in why["emulated 1"]
    assert played[0].answering["slow"].replies > 0  # what it played is kept
    gates = {gate.name: gate.outcome for gate in played[0].gates}
    assert gates["flash_bytes emulated 1"] == gates["round_trip_ms native 1"] == "passed"
    assert gates["deadline_share native 1"] == gates["deadline_misses native 1"] == "not judged"


def test_a_slow_board_holds_nobody_up(played: tuple[reports.Report, Path, object]) -> None:
    seconds = {board.name: board.seconds for board in played[0].boards}
    assert seconds["slow"] >= SLOWEST
    # one after the other, the slow one's time would come on top of somebody's
    assert played[0].answering["slow"].steps < 2 * 20
    assert all(played[0].answering[name].steps > 0 for name in GOOD)


def test_junit_has_a_test_case_and_a_time_for_each_board(played: tuple[reports.Report, Path, object]) -> None:
    gates, devices = ET.parse(played[1] / "junit.xml").getroot()
    assert int(str(gates.get("tests"))) == len(played[0].gates)
    found = {case.get("name"): [child.tag for child in case] for case in devices}
    assert found == {
        "native 1": [], "dead": ["error"], "slow": ["failure"], "native 2": [], "emulated 1": ["failure"],
        "native 3": [], "emulated 2": [],
    }  # fmt: skip
    assert (devices.get("errors"), devices.get("failures")) == ("1", "2")
    assert all(float(str(case.get("time"))) > 0 for case in devices)


def test_page_and_json_name_every_board(played: tuple[reports.Report, Path, object]) -> None:
    page = (played[1] / "report.html").read_text()
    rows = page[page.index(">Boards<") : page.index(">Gates<")]
    assert all(f'<th scope="row">{board.name}</th>' in rows for board in played[0].boards)
    assert reports.read(played[1]) == played[0]
    assert json.loads((played[1] / "report.json").read_text())["boards"][1]["outcome"] == "missing"


def test_whoever_watches_sees_each_board_move(played: tuple[reports.Report, Path, list[Status]]) -> None:
    shown = [one for one in played[2] if one.device == "slow"]
    assert len(shown) >= 3
    assert [one.steps for one in shown] == sorted(one.steps for one in shown)
    trips = [one.latency_ms_p50 for one in shown if one.latency_ms_p50 is not None]
    assert all(trip >= 1e3 * DELAY for trip in trips)  # none at all where a busy computer took the time


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[board]]\nname = "a"', "board 'a' has none of port, serial_number and device; give exactly one"),
        ('[[board]]\nname = "a"\nport = "x"\ndevice = "native"', "has port and device of port"),
        ('[[board]]\nname = "a"\ndevice = "natve"', "board 'a': unknown device 'natve'"),
        ('[[board]]\nname = "a"\ndevice = "serial:/dev/x"', "give a serial port as port ="),
        ('[[board]]\nname = "float"\nport = "x"', "which is the float policy's"),
        ('[[board]]\nname = "a"\nport = "x"\nbaud = 3', "'3' is not a baud rate"),
        ('[[board]]\nname = "a"\nport = "x"\n[[board]]\nname = "b"\nport = "x"', "2 boards have port 'x'"),
        (
            '[[board]]\nname = "a"\nport = "x"\nlimits = {seconds = -1.0}',
            "limits.seconds is -1.0, expected more",
        ),
        ('[[board]]\nname = "a"\nport = "x"\nlimits = {second = 1.0}', "unknown key 'second'"),
        ('[[board]]\nname = "a"\nport = 5', "board[0].port is 5, expected"),
        ("[[board]\n", "not valid TOML"),
        ("", "board is missing"),
        ("board = []", "no board; write a [[board]]"),
    ],
)
def test_a_wrong_boards_file_is_one_line(
    tmp_path: Path, planner: IntegerPlanner, text: str, said: str
) -> None:
    file = tmp_path / "boards.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KdpError) as error:
        read_boards(file, planner)
    assert str(file) in str(error.value) and said in str(error.value)


def test_an_image_with_another_model_is_refused_before_anything_is_played(
    tmp_path: Path, planner: IntegerPlanner, run_folder: Path, sbc: Path
) -> None:
    folder = image_for(load_bundle(sbc).planner(), "native", native.OPTIONS).image.folder
    file = tmp_path / "boards.toml"
    file.write_text(f'[[board]]\nname = "a"\nport = "x"\nimage = "{folder}"', encoding="utf-8")
    assert read_boards(file, planner)[0].built() is not None
    with pytest.raises(KdpError, match="holds model"):
        closed_loop(run_folder, boards=file)
    assert not (tmp_path / "report").exists()


def test_a_serial_number_that_no_port_has_is_a_missing_board(
    sbc: Path, tmp_path: Path, planner: IntegerPlanner
) -> None:
    file = tmp_path / "boards.toml"
    file.write_text('[[board]]\nname = "a"\nserial_number = "0671FF"', encoding="utf-8")
    (entry,) = read_boards(file, planner)
    with pytest.raises(KdpError, match="no port has serial number 0671FF; there are") as error:
        entry.address()
    assert error.value.exit_code == 3
