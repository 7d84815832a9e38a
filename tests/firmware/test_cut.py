# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One fault at every byte of a session with the C core; `kdp-edge bench cut` does it with the program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.bench.cut import BYTE_FAULTS, FAULTS, Cutter, Session, Subject
from kdp_edge.exporters import targets
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import Frame
from kdp_edge.wire.server import Server

TIMEOUT = 0.001  # seconds: nothing else can add bytes


class Core:
    """The C core behind a pipe; its power can fail at any byte."""

    def __init__(self, library: HostLibrary) -> None:
        self.library, self.left = library, -1
        library.forget()
        library.start()

    def feed(self, data: bytes) -> bytes:
        if not 0 <= self.left <= len(data):
            return self.library.receive(data)
        at, self.left = self.left, -1
        before = self.library.receive(data[:at])
        self.library.start()
        return before + self.library.receive(data[at:])

    def restart(self, count: int) -> None:
        self.left = count
        if count == 0:
            self.feed(b"")


@pytest.fixture(scope="module")
def session(small_planner: IntegerPlanner) -> Session:
    seen = np.random.default_rng(0).normal(0, 1, (4, small_planner.spec.obs_dim)).astype(np.float32)
    return Session(small_planner, (seen[0], None, seen[1] * np.nan, seen[2], seen[3]), 5)


def test_no_byte_of_a_session_can_make_it_act_wrongly_hang_or_stay_away(
    small_library: HostLibrary, session: Session
) -> None:
    core = Core(small_library)
    cutter = Cutter(session, Subject(MemoryPipe(core.feed), core.restart, TIMEOUT))
    tallies = cutter.cut_everywhere(greeting=False)
    assert {(one.fault, one.way) for one in tallies} == {(f, w) for f in FAULTS for w in ("down", "up")}
    assert sum(one.cases for one in tallies) > 1500
    for one in tallies:
        assert one.passed, one.first_failure
    ended = {(one.fault, one.way): one.ends for one in tallies}
    assert ended["restarted", "down"]["restarted"] > 50  # and not only unnoticed ones


def test_nor_does_one_of_a_session_whose_plans_are_made_ahead(
    small_planner: IntegerPlanner, tmp_path: Path
) -> None:
    planner = replace(small_planner, spec=replace(small_planner.spec, chunk=2, ahead=True))
    folder = targets.export_planner(planner, "firmware", tmp_path / "bundle", {}).path
    core = Core(HostLibrary.compile(folder))
    seen = np.random.default_rng(1).normal(0, 1, (5, planner.spec.obs_dim)).astype(np.float32)
    session = Session(planner, (*seen[:4], None, seen[4]), 5)
    cutter = Cutter(session, Subject(MemoryPipe(core.feed), core.restart, TIMEOUT))
    for one in cutter.cut_everywhere(every=4, greeting=False):
        assert one.passed, one.first_failure


class Forgetful(Server):
    """Takes a repeated request for a new one."""

    def _answer(self, frame: Frame) -> bytes:
        self._last = None
        return super()._answer(frame)


def test_a_device_that_steps_twice_when_its_reply_is_lost_is_found(session: Session) -> None:
    server = Forgetful(session.planner)
    subject = Subject(MemoryPipe(server.feed), lambda count: None, TIMEOUT)
    (_, up) = Cutter(session, subject).cut_everywhere(BYTE_FAULTS[:1], 7, greeting=False)
    assert not up.passed and up.first_failure is not None and "refused 4" in up.first_failure
