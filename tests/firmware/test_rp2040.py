# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The RP2040 image, boot2 included, under rp2040js: every reply byte equal to the twin's."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import boot_rom
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.exporters.toolchain import find_program
from kdp_edge.hil.link import Link
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import ClockSource, State, Type
from tests.firmware.on_link import play
from tests.firmware.patched import FOR_EVER, patched

EMULATOR = "rp2040js"
VERSION = "1.4.1"
BOOT2_END = 256
SELFTEST_PASSED, WATCHDOG, FAULTED = 1, 2, 4  # flags of HELLO


class ChildPipe:
    """A link's pipe over a child's standard streams."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._to, self._from = process.stdin, process.stdout

    def write(self, data: bytes) -> None:
        self._to.write(data)
        self._to.flush()

    def read(self, timeout: float) -> bytes:
        ready, _, _ = select.select([self._from], [], [], timeout)
        return os.read(self._from.fileno(), 65536) if ready else b""

    def close(self) -> None:
        self._to.close()


@pytest.fixture(scope="session")
def emulator() -> Path:
    """The emulator's package, installed beside the Python environment when it is not there yet."""
    install = "apt-get install nodejs npm"
    folder = Path(sys.prefix) / "node"
    package = folder / "node_modules" / EMULATOR
    if not package.is_dir():
        npm = [find_program("npm", install), "install", "--no-audit", "--no-fund", "--no-save"]
        subprocess.run([*npm, "--prefix", str(folder), f"{EMULATOR}@{VERSION}"], check=True)
    return package


@contextmanager
def powered(binary: Path, emulator: Path) -> Iterator[Link]:
    script = Path(__file__).with_name("rp2040_emulator.cjs")
    node = find_program("node", "apt-get install nodejs npm")
    command = [node, str(script), str(emulator), str(binary)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Link(ChildPipe(process), timeout=20.0)
        finally:
            process.kill()


def test_forty_steps_equal_the_twin(
    small_bundle: Path, small_planner: IntegerPlanner, emulator: Path, tmp_path: Path
) -> None:
    image = compile_bundle(small_bundle, "rp2040", tmp_path / "image")
    with powered(image.bin, emulator) as link:
        hello = link.hello(within=60)
        assert (hello.board, hello.clock_source, hello.clock_hz) == (
            "rp2040",
            ClockSource.CRYSTAL,
            125_000_000,
        )
        replies = play(link, small_planner, 40)
        assert len({reply.state for reply in replies}) >= 2
        telemetry = link.telemetry()
        assert 0 < telemetry.stack_high_water_bytes <= image.stack_bound_bytes


def test_the_watchdog_restarts_a_program_that_hangs_and_no_other(
    small_bundle: Path, small_planner: IntegerPlanner, emulator: Path, tmp_path: Path
) -> None:
    image = compile_bundle(small_bundle, "rp2040", tmp_path / "image")
    (tmp_path / "hangs.bin").write_bytes(patched(image, "kdp_failsafe_arm", FOR_EVER))
    with powered(tmp_path / "hangs.bin", emulator) as link:
        assert link.hello(within=60).flags == SELFTEST_PASSED
        link.reset(0)
        link.step(0, np.zeros(small_planner.spec.obs_dim, np.float32))
        time.sleep(1.2)  # twice as long as the watchdog waits: it does not wait for the host
        hello = link.hello()
        assert (hello.state, hello.flags) == (State.RUNNING, SELFTEST_PASSED | WATCHDOG)
        link.pipe.write(encode(Type.ARM, 7))
        time.sleep(0.6)
        hello = link.hello(within=60)
        assert (hello.state, hello.flags) == (State.IDLE, SELFTEST_PASSED | FAULTED)
        assert link.telemetry().plans == 0


def test_boot2_has_the_checksum_that_the_boot_rom_wants(small_bundle: Path, tmp_path: Path) -> None:
    image = compile_bundle(small_bundle, "rp2040", tmp_path / "image")
    data = image.bin.read_bytes()
    boot_rom.check("rp2040", 0x10000000, data)
    initial_stack, reset = (int.from_bytes(data[at : at + 4], "little") for at in (BOOT2_END, BOOT2_END + 4))
    assert 0x20000000 < initial_stack <= 0x20042000
    assert 0x10000100 < reset < 0x10000000 + len(data) and reset & 1
