# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The boards of a boards file, each in a process of its own: a dead or slow one holds nobody up."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import Progress
from kdp_edge.hil.boards_file import BoardEntry, Limits
from kdp_edge.hil.devices import open_device, prepare, runs_by_itself
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.result import FAILED, MISSING, PASSED, BoardResult, DeviceResult, Gate, Played, Report
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.status import Observer, Show, Status, Watched, unobserved, unseen
from kdp_edge.hil.table import failures_of
from kdp_edge.quantization.plan import IntegerPlanner

SHOW_EVERY = 0.25  # seconds between two looks at a board
LOOK_EVERY = 0.5  # seconds between two looks at the time limits
GRACE = 30.0  # seconds that a board may take to end when its time is over; every wait of its is shorter
INTERRUPTED_WITHIN = 10.0  # seconds to hand over what was played, after Ctrl-C
FLOAT = "float"
# imported once, in the clean process that all others are forked from
PRELOADED = ["kdp_edge.hil.fleet", "kdp_edge.tasks.environments", "gymnasium", "mujoco"]


class Session(Protocol):
    """What is played, as a fleet knows it; see `hil/session.py`."""

    @property
    def scenario(self) -> Scenario: ...

    @property
    def planner(self) -> IntegerPlanner: ...

    @property
    def credentials(self) -> Credentials: ...

    @property
    def with_float(self) -> bool: ...

    def observed(self, observer: Observer) -> Session:
        """The same, with somebody who watches."""

    def play_on(self, device: Device, progress: Progress) -> Recording:
        """What an open device does."""

    def play_floating(self) -> Recording:
        """What the float policy does."""

    def report_of(
        self, recordings: list[Recording], *, more_gates: Callable[[Mapping[str, Played]], list[Gate]]
    ) -> Report:
        """Judge what was played."""


@dataclass
class _Part:
    """One board's part of the run, or the float policy's (without an entry)."""

    name: str
    entry: BoardEntry | None
    seconds: float = 0.0
    recording: Recording | None = None
    why: str = ""  # it is missing


def play_fleet(
    session: Session, entries: list[BoardEntry], show: Show = unseen
) -> tuple[Report, list[Recording]]:
    """Play the session's scenario on every board at the same time, and judge it in one report.

    Args:
        show: is handed the status of each device about four times a second.

    Returns:
        as `Session.play`. A board that is missing is a failed gate and in `Report.boards`, no error.
    """
    parts = [_Part(entry.name, entry) for entry in entries]
    _build_images(parts, session)
    if session.with_float:
        parts.append(_Part(FLOAT, None))
    interrupted = _play_all(parts, session, show)
    recordings = [p.recording for p in sorted(parts, key=lambda p: p.entry is not None) if p.recording]
    boards = [(part, part.entry) for part in parts if part.entry]

    def gates(devices: Mapping[str, Played]) -> list[Gate]:
        return [gate for part, entry in boards for gate in _gates(part, entry, devices.get(part.name))]

    report = session.report_of(recordings, more_gates=gates)
    results = [_result(part, entry, report) for part, entry in boards]
    return replace(report, boards=results, interrupted=report.interrupted or interrupted), recordings


def _build_images(parts: list[_Part], session: Session) -> None:
    """Build what emulated and native boards need, once for all that are alike; what cannot be is missing."""
    tried: dict[str, str] = {}
    for part in parts:
        address = part.entry.device if part.entry else None
        if address is None or runs_by_itself(address):
            continue
        if address not in tried:
            try:
                prepare(address, session.planner, session.credentials)
                tried[address] = ""
            except KdpError as error:
                tried[address] = str(error)
        part.why = tried[address]


def _play_all(parts: list[_Part], session: Session, show: Show) -> bool:
    """Fill in every part that can be played; whether Ctrl-C came."""
    unwatched = session.observed(unobserved)  # the processes tell us themselves
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    running: dict[Connection, tuple[_Part, Any, float]] = {}
    start = time.monotonic()
    for part in parts:
        if not part.why:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, part.entry, unwatched), daemon=True)
            process.start()
            theirs.close()
            limit = part.entry.limits.seconds if part.entry else None
            running[ours] = (part, process, float("inf") if limit is None else start + limit + GRACE)
    interrupted = False
    while running:
        try:
            ready = wait(list(running), LOOK_EVERY)
            for connection in [one for one in running if one in ready]:
                if _received(connection, running[connection][0], show):
                    _end(running.pop(connection)[1])
            for connection, (part, process, end) in list(running.items()):
                if time.monotonic() > end:
                    part.why = f"did not end within {end - start:g} s; its process was stopped"
                    _end(process)
                    del running[connection]
        except KeyboardInterrupt:  # the boards' processes got it, too, and hand over what they have
            if interrupted:
                raise
            interrupted = True
            soon = time.monotonic() + INTERRUPTED_WITHIN
            running = {c: (part, process, min(end, soon)) for c, (part, process, end) in running.items()}
    return interrupted


def _received(connection: Connection, part: _Part, show: Show) -> bool:
    """Take one message; whether it is the last."""
    try:
        message = connection.recv()
    except (EOFError, OSError):
        part.why = "its process ended without a word"
        return True
    if isinstance(message, Status):
        show(message)
        return False
    part.recording, part.why, part.seconds = message
    return True


def _end(process: Any) -> None:
    process.join(1.0)
    if process.is_alive():
        process.kill()
        process.join()


def _work(connection: Connection, entry: BoardEntry | None, session: Session) -> None:
    """The process of one board; its last message is (recording, why it is missing, seconds)."""
    start = time.monotonic()
    recording, why = None, ""
    telling = threading.Lock()
    ended = threading.Event()

    def observer(filled: Recording) -> None:
        threading.Thread(target=tell, args=(Watched(filled),), daemon=True).start()

    def tell(watched: Watched) -> None:
        while not ended.wait(SHOW_EVERY):
            with telling:
                connection.send(watched.status())

    session = session.observed(observer)
    try:
        recording = _played(entry, session, start) if entry else session.play_floating()
    except KdpError as error:
        why = str(error)
    except KeyboardInterrupt:
        why = "interrupted before its first step"
    ended.set()
    with telling:
        connection.send((recording, why, time.monotonic() - start))


def _played(entry: BoardEntry, session: Session, start: float) -> Recording:
    address, image = session.scenario.timing.address(entry.address()), entry.built()
    prepare(address, session.planner, session.credentials)
    with open_device(address, session.planner, session.credentials) as device:
        device = replace(device, name=entry.name, hello_within=entry.limits.hello_seconds)
        if image is not None:
            device = replace(device, flash_bytes=image.flash_bytes, ram_bytes=image.ram_bytes)
        recording = session.play_on(device, _within(entry.limits, start))
    recording.address = address
    return recording


def _within(limits: Limits, start: float) -> Callable[[int], None]:
    """Progress that ends a part whose time is over; what was played by then is kept."""
    end = float("inf") if limits.seconds is None else start + limits.seconds

    def check(done: int) -> None:
        if time.monotonic() > end:
            raise LinkLost(f"stopped: its {limits.seconds:g} s of the boards file are over")

    return check


def _gates(part: _Part, entry: BoardEntry, one: Played | None) -> list[Gate]:
    """Whether a board answered, and what the boards file asks of it besides the time of its part."""
    answered = part.recording is not None
    limit = f"HELLO within {entry.limits.hello_seconds:g} s"
    gates = [Gate(f"answers {part.name}", limit, "yes" if answered else part.why, answered)]
    if not isinstance(one, DeviceResult):
        return gates
    found = {
        "deadline_share": one.deadline_share,
        "round_trip_ms": one.rtt_ms.p99,
        "flash_bytes": one.flash_bytes,
        "ram_bytes": one.ram_bytes,
        "stack_bytes": one.stack_high_water_bytes,
    }
    for name, value in found.items():
        most = getattr(entry.limits, name)
        if most is not None:
            text = f"<= {most:g}" if value is not None else "not judged: this device does not tell"
            gates.append(Gate(f"{name} {part.name}", text, value, None if value is None else value <= most))
    return gates


def _result(part: _Part, entry: BoardEntry, report: Report) -> BoardResult:
    if part.recording is None:
        return BoardResult(part.name, entry.device or entry.port or "", MISSING, part.seconds, part.why)
    why = failures_of(report, part.name)
    return BoardResult(part.name, part.recording.address, FAILED if why else PASSED, part.seconds, why)
