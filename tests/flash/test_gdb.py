# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Flashing through gdb: real gdb against a fake probe whose flash behaves like flash."""

from __future__ import annotations

import time

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.exporters.build import Image
from kdp_edge.hil.flash import gdb, openocd
from kdp_edge.hil.flash.methods import choose
from tests.flash.fake_gdb_server import BASE, FakeProbe, serving

AIRCR = 0xE000ED0C


def test_image_is_erased_written_compared_and_reset(built: Image) -> None:
    probe, data = FakeProbe(), built.bin.read_bytes()
    with serving(probe) as server:
        loaded = gdb.flash(built.elf, BASE, server)
    assert probe.flash[: len(data)] == data
    assert probe.erased == -(-len(data) // 0x4000)
    assert loaded.bytes == len(data)
    assert ".image" in loaded.sections and ".trailer" in loaded.sections
    assert probe.words[AIRCR] == 0x05FA0004


def test_openocd_is_asked_to_halt_before_and_to_run_after(built: Image) -> None:
    probe = FakeProbe()
    with serving(probe) as server:
        gdb.flash(built.elf, BASE, server, openocd.PREPARE, openocd.RESTART)
    assert probe.monitor == ["reset halt", "reset run"]
    assert probe.flash[: built.flash_bytes] == built.bin.read_bytes()


def test_the_start_state_is_the_images_own_vector_table(built: Image) -> None:
    probe = FakeProbe()
    with serving(probe) as server:
        gdb.flash(built.elf, BASE, server)
    head = built.bin.read_bytes()[:8]
    assert probe.registers[13] == int.from_bytes(head[:4], "little")
    assert probe.registers[15] == int.from_bytes(head[4:], "little")


def test_flash_that_does_not_take_a_byte_fails_the_comparison(built: Image) -> None:
    image = built.bin.read_bytes()
    at = next(at for at in range(5000, len(image)) if image[at] != 0)  # its bits stay 0
    with serving(FakeProbe(stuck=BASE + at)) as server, pytest.raises(KdpError) as error:
        gdb.flash(built.elf, BASE, server)
    assert error.value.exit_code == GATE_FAILED
    assert "section .image at 0x8000000 differs from image.elf" in str(error.value)


def test_a_probe_that_hangs_is_given_up_in_time(built: Image) -> None:
    start = time.monotonic()
    with serving(FakeProbe(silent_after=20)) as server, pytest.raises(KdpError, match="within 2 s") as error:
        gdb.flash(built.elf, BASE, server, timeout=2)
    assert error.value.exit_code == DEVICE_MISSING
    assert time.monotonic() - start < 10


def test_an_emulated_risc_v_board_says_how_it_is_run() -> None:
    with pytest.raises(KdpError, match="emulated: kdp-edge hil --device qemu:riscv-virt"):
        choose("riscv-virt", server="localhost:3333")


@pytest.mark.parametrize("server", ["", "3333", "host:", "host:0", "host:99999", "a b:1", "host:1;shell"])
def test_a_server_is_host_and_port(server: str) -> None:
    with pytest.raises(KdpError, match="is not HOST:PORT"):
        gdb.parse_server(server)


def test_a_server_without_host_is_local() -> None:
    assert gdb.parse_server(":3333") == "localhost:3333"
