# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The firmware as a program on a pty, under address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters.boards import BuildOptions
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import ClockSource, Flag, State
from kdp_edge.wire.protocol import Telemetry
from tests.firmware.on_link import play


@pytest.fixture(scope="module")
def image(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return compile_bundle(
        bundle, "native", tmp_path_factory.mktemp("native") / "image", BuildOptions(sanitize=True)
    )


class Native:
    """The running program, its standard input and a link to it."""

    def __init__(self, image: Image) -> None:
        self.process = subprocess.Popen(
            [image.elf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        found = re.fullmatch(r"kdp: serving on (/dev/pts/\d+)\n", first)
        assert found, first
        self.pipe = SerialPipe(found[1])
        self.link = Link(self.pipe)

    def say(self, line: str) -> None:
        """A line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Close its standard input; it must end by itself. Returns what it wrote to stderr."""
        self.pipe.close()
        _, errors = self.process.communicate(timeout=10)
        assert self.process.returncode == 0, errors
        return errors


@pytest.fixture
def native(image: Image) -> Iterator[Native]:
    device = Native(image)
    yield device
    assert device.end() == ""  # no sanitizer had anything to say


def test_every_reply_equals_the_twin(native: Native, planner: IntegerPlanner) -> None:
    replies = play(native.link, planner, 400)
    assert len({reply.state for reply in replies}) >= 3
    assert native.link.hello().clock_source == ClockSource.OPERATING_SYSTEM


def test_with_every_plan_late_it_never_runs_and_soon_latches(native: Native, planner: IntegerPlanner) -> None:
    native.say("ticks 8000001")
    replies = play(native.link, planner, 30)
    assert all(reply.flags & Flag.OVERRUN for reply in replies if reply.flags & Flag.PLANNED)
    assert State.RUNNING not in {reply.state for reply in replies}
    assert replies[-1].state == State.LATCHED
    assert native.link.telemetry().overruns <= planner.spec.safe_steps + 1
    native.link.reboot()
    assert native.link.hello().state == State.LATCHED
    native.say("ticks 8000000")
    assert not any(reply.flags & Flag.OVERRUN for reply in play(native.link, planner, 30))


def test_a_reboot_keeps_the_pty_and_forgets_the_rest(native: Native, planner: IntegerPlanner) -> None:
    play(native.link, planner, 5)
    native.link.reboot()
    assert native.link.hello().state == State.IDLE
    # a HELLO that waited for its answer is sent again: how many came is not known
    assert replace(native.link.telemetry(), frames_received=0) == Telemetry()


def test_a_broken_image_never_acts(native: Native, planner: IntegerPlanner) -> None:
    native.link.hello()
    native.say("image 0")
    assert native.link.selftest().passed == 0
    native.link.reset(0)
    with pytest.raises(Exception, match="refused STEP with code 5"):
        native.link.step(0, np.zeros(planner.spec.obs_dim, np.float32))
    native.say("image 1")
    assert native.link.selftest().passed == 1


def test_lost_bytes_are_counted_and_the_request_repeated(native: Native) -> None:
    native.link.hello()
    native.say("drop 3")
    assert native.link.echo(b"still there") == b"still there"
    telemetry = native.link.telemetry()
    assert (telemetry.receive_drops, telemetry.frames_bad) == (3, 1)


def test_it_survives_floods_of_garbage(native: Native, planner: IntegerPlanner) -> None:
    rng = np.random.default_rng(0)
    native.link.hello()
    for _ in range(60):
        native.pipe.write(rng.bytes(int(rng.integers(1, 3000))))
        native.pipe.write(b"\0")
        data = rng.bytes(int(rng.integers(0, 200)))
        assert native.link.echo(data) == data


def test_it_ends_when_its_parent_does(image: Image) -> None:
    device = Native(image)
    os.close(device.process.stdin.fileno())  # type: ignore[union-attr]
    assert device.process.wait(5) == 0
    device.process.stdin = None
    device.end()
