# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The Teensy 4.1 image has what its boot ROM reads; its HEX file is the image, and what the loader gets."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.exporters import boot_rom
from kdp_edge.exporters.boards import load_board
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.hil.flash import methods, teensy
from kdp_edge.hil.flash.image import load
from tests.firmware.chip_teensy41 import Teensy41

FLASH = 0x60000000


@pytest.fixture(scope="module")
def image(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return compile_bundle(small_bundle, "teensy41", tmp_path_factory.mktemp("teensy41") / "image")


def test_the_flash_is_described_as_the_reference_manual_lays_it_out(image: Image) -> None:
    block = image.bin.read_bytes()[:512]
    assert block[:8] == b"FCFB" + bytes([0, 0, 1, ord("V")])
    fields = {"type": block[0x44], "wires": block[0x45], "clock": block[0x46], "sample": block[0x0C]}
    assert fields == {"type": 1, "wires": 4, "clock": 6, "sample": 1}
    assert struct.unpack_from("<I", block, 0x50) == (8 << 20,)
    assert struct.unpack_from("<3I", block, 0x1C0) == (256, 4096, 1)
    lut = struct.unpack_from("<6H", block, 0x80)
    read = [(word >> 10, word >> 8 & 3, word & 0xFF) for word in lut]
    # W25Q64JV, Fast Read Quad I/O: EBh on one wire; address, M7-0 and four dummy clocks on four; data
    assert read == [(1, 0, 0xEB), (2, 2, 24), (7, 2, 0xFF), (12, 2, 4), (9, 2, 1), (0, 0, 0)]
    assert not any(block[0x8C:0x1C0])


def test_the_boot_rom_is_told_where_to_start_and_how_much_there_is(image: Image) -> None:
    data = image.bin.read_bytes()
    header, entry, dcd, itself = (struct.unpack_from("<I", data, 0x1000 + at)[0] for at in (0, 4, 12, 20))
    assert (header & 0xFF, header >> 8 & 0xFFFF, dcd, itself) == (0xD1, 0x2000, 0, FLASH + 0x1000)
    assert entry == struct.unpack_from("<I", data, 0x2004)[0]  # the vector table's own reset handler
    assert struct.unpack_from("<3I", data, 0x1020) == (FLASH, len(data), 0)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, "tag of the flash configuration"),
        (0x1000, "header of the image vector table"),
        (0x1004, "lowest bit of the entry"),
        (0x1007, "entry is 0x9f"),
        (0x1010, "address of the boot data"),
        (0x1014, "own address of the image vector table"),
        (0x1020, "start in the boot data"),
        (0x1024, "length in the boot data"),
    ],
)
def test_what_the_boot_rom_would_not_start_is_refused(at: int, words: str, image: Image) -> None:
    data = bytearray(image.bin.read_bytes())
    data[at] ^= 0xFF
    with pytest.raises(KdpError, match=f"i.MX RT1062 image: {words}"):
        boot_rom.check("imxrt1062", FLASH, bytes(data))


def test_caches_and_protection_are_on_and_the_core_has_its_voltage(image: Image) -> None:
    chip = Teensy41(image)
    chip.work()
    assert chip.protected() and chip.system_hz() == 600e6 and chip.values[0x4008000C] == 18  # 1.25 V


def test_the_hex_file_is_the_image(image: Image) -> None:
    memory: dict[int, int] = {}
    high = 0
    for line in image.hex.read_text().split():  # Intel's Hexadecimal Object File Format Specification
        record = bytes.fromhex(line.removeprefix(":"))
        assert sum(record) & 0xFF == 0 and len(record) == record[0] + 5
        address, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 4:
            high = int.from_bytes(data, "big") << 16
        elif kind == 0:
            memory |= {high + address + i: byte for i, byte in enumerate(data)}
    start = min(memory)
    assert start == FLASH
    assert bytes(memory[a] for a in range(start, start + len(memory))) == image.bin.read_bytes()


def test_the_installed_loader_knows_the_board() -> None:
    program = shutil.which(teensy.PROGRAM)
    assert program, "install it: apt-get install teensy-loader-cli"
    told = subprocess.run([program, "--list-mcus"], capture_output=True, text=True, timeout=20)
    assert load_board("teensy41").flash.teensy in (told.stdout + told.stderr).split()


def _loader(folder: Path, script: str) -> None:
    (folder / teensy.PROGRAM).write_text(f"#!/bin/sh\n{script}\n")
    (folder / teensy.PROGRAM).chmod(0o755)


def test_the_loader_gets_the_hex_file_and_its_failures_are_told(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    _loader(tmp_path, f'echo "$@" > {tmp_path}/told')
    flashed = load(image.folder, "teensy41")
    result = methods.flash(methods.choose("teensy41", teensy=True), flashed)
    assert (result["method"], result["bytes"]) == ("teensy", len(flashed.data))
    assert (tmp_path / "told").read_text().split() == ["--mcu=TEENSY41", "-w", "-v", str(image.hex)]
    _loader(tmp_path, 'echo "error writing to Teensy" >&2; exit 1')
    with pytest.raises(KdpError, match="error writing to Teensy; press") as failed:
        teensy.flash(image.hex, "TEENSY41")
    assert failed.value.exit_code == GATE_FAILED
    _loader(tmp_path, "exec sleep 30")
    with pytest.raises(KdpError, match=r"no Teensy within 0\.2 s: .*button") as missing:
        teensy.flash(image.hex, "TEENSY41", timeout=0.2)
    assert missing.value.exit_code == DEVICE_MISSING
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(KdpError, match="apt-get install teensy-loader-cli") as absent:
        teensy.flash(image.hex, "TEENSY41")
    assert absent.value.exit_code == DEVICE_MISSING


def test_other_boards_have_no_such_loader() -> None:
    with pytest.raises(KdpError, match="several ways to flash at once"):
        methods.choose("teensy41", server="localhost:1", teensy=True)
    with pytest.raises(KdpError, match=r"cannot be flashed this way \(teensy\)"):
        methods.choose("stm32f405", teensy=True)
