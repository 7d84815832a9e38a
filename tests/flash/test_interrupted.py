# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whatever part of an image a board holds: it starts and is whole, or it does not act."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path

import pytest

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.exporters.build import Image
from kdp_edge.hil.flash import gdb, image, methods
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import LinkLost
from kdp_edge.hil.push import push
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.numbers import HelloFlag
from kdp_edge.wire.protocol import Refused
from tests.flash.boards import empty_qemu, qemu_with_flash
from tests.flash.conftest import make
from tests.flash.fake_rom import BASE


class Stdio:
    """The serial port of an emulated board on its standard input and output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout.fileno()

    def write(self, data: bytes) -> None:
        try:
            self._in.write(data)
        except BrokenPipeError:  # QEMU ends when the core locks up in a fault
            raise LinkLost("the core locked up") from None

    def read(self, timeout: float) -> bytes:
        return os.read(self._out, 4096) if select.select([self._out], [], [], timeout)[0] else b""

    def close(self) -> None:
        self._in.close()


def acts(content: bytes, within: float) -> bool:
    """Boot `content`; does it take a control step?"""
    with qemu_with_flash(content.ljust(1 << 20, b"\xff")) as process:
        link = Link(Stdio(process), timeout=2.0)
        try:
            hello = link.hello(within)
        except KdpError:
            return False
        link.reset(1)
        try:
            link.step(0, [0.0] * hello.obs_dim)
        except Refused:
            assert not hello.flags & HelloFlag.SELFTEST_PASSED
            return False
        return True


def test_the_whole_image_acts(built: Image) -> None:
    assert acts(built.bin.read_bytes(), 10)


@pytest.mark.parametrize("part", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0])
def test_the_first_part_of_an_image_never_acts(built: Image, part: float) -> None:
    data = built.bin.read_bytes()
    assert not acts(data[: min(int(len(data) * part), len(data) - 1)], 1.0)


@pytest.mark.parametrize("nth", range(4))
def test_an_image_with_a_sector_of_the_old_one_never_acts(built: Image, other: Image, nth: int) -> None:
    data, old = bytearray(built.bin.read_bytes()), other.bin.read_bytes()
    sectors = [slice(start, start + 0x4000) for start in range(0, len(data), 0x4000)]
    part = [sector for sector in sectors if data[sector] != old[sector]][nth]
    data[part] = old[part]
    assert not acts(bytes(data), 1.0)


def test_greeting_finds_another_model(built: Image, other: Image) -> None:
    with empty_qemu() as (server, port):
        gdb.flash(other.elf, BASE, server)
        with pytest.raises(KdpError, match=f"model_sha256 {other.model_sha256}, expected") as error:
            methods.greet(port, image.load(built.folder, "stm32f405"))
    assert error.value.exit_code == GATE_FAILED


def test_greeting_finds_a_failed_self_test(built: Image) -> None:
    with empty_qemu() as (server, port):
        gdb.flash(built.elf, BASE, server)
        poke = f"set {{char}}({BASE + built.flash_bytes - 200:#x}) = 0x55"
        command = [gdb.find_gdb(), "-nx", "-batch", "-ex", f"target extended-remote {server}", "-ex", poke]
        subprocess.run([*command, "-ex", "monitor system_reset"], check=True, capture_output=True)
        with pytest.raises(KdpError, match="the self-test failed on the board") as error:
            methods.greet(port, image.load(built.folder, "stm32f405"))
    assert error.value.exit_code == GATE_FAILED


def test_greeting_tells_a_model_that_was_pushed_to_this_image(tmp_path: Path) -> None:
    board = "mps2-an500"
    flashed = make(tmp_path, seed=0, board=board)
    with empty_qemu(board) as (server, port):
        gdb.flash(flashed.elf, 0, server)
        loaded = image.load(flashed.folder, board)
        assert methods.greet(port, loaded)["board"] == board
        with methods.open_port(port, 921600) as pipe:
            push(Link(pipe, timeout=3.0), random_planner(seed=1))
        gdb.flash(flashed.elf, 0, server)
        with pytest.raises(KdpError, match="pushed to this very image before") as error:
            methods.greet(port, loaded)
    assert error.value.exit_code == GATE_FAILED
