# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An RP2350 image, of either architecture, has what its boot ROM looks for; without it nothing is flashed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import boot_rom
from kdp_edge.exporters.build import Image, compile_bundle
from tests.firmware.chip import symbols

FLASH = 0x10000000
# RP2350 datasheet, 5.9.5.1 and 5.9.5.2, tables "Minimum Arm IMAGE_DEF" and "Minimum RISC-V IMAGE_DEF"
MINIMUM = struct.pack("<5I", 0xFFFFDED3, 0x10210142, 0x000001FF, 0, 0xAB123579)
MINIMUM_RISCV = struct.pack("<5I", 0xFFFFDED3, 0x11010142, 0x000001FF, 0, 0xAB123579)


@pytest.fixture(scope="module")
def image(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return compile_bundle(small_bundle, "rp2350", tmp_path_factory.mktemp("rp2350") / "image")


@pytest.fixture(scope="module")
def riscv_image(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return compile_bundle(small_bundle, "rp2350-riscv", tmp_path_factory.mktemp("rp2350-riscv") / "image")


def test_the_riscv_image_begins_with_its_entry_and_the_datasheets_image_def(riscv_image: Image) -> None:
    data = riscv_image.bin.read_bytes()
    assert symbols(riscv_image)["kdp_reset_handler"] == FLASH  # the boot ROM enters at the lowest address
    assert data.count(MINIMUM_RISCV) == 1 and data.index(MINIMUM_RISCV) + len(MINIMUM_RISCV) <= 256
    boot_rom.check("rp2350-riscv", FLASH, data)


def test_an_image_of_the_other_architecture_is_refused(image: Image, riscv_image: Image) -> None:
    with pytest.raises(KdpError, match="first item is 0x11010142, expected 0x10210142"):
        boot_rom.check("rp2350", FLASH, riscv_image.bin.read_bytes())
    with pytest.raises(KdpError, match="first item is 0x10210142, expected 0x11010142"):
        boot_rom.check("rp2350-riscv", FLASH, image.bin.read_bytes())


def test_the_image_begins_with_vectors_and_the_datasheets_image_def(image: Image) -> None:
    data = image.bin.read_bytes()
    stack, reset = struct.unpack_from("<II", data)
    assert 0x20000000 < stack <= 0x20082000 and FLASH < reset < FLASH + len(data) and reset & 1
    assert data.count(MINIMUM) == 1 and data.index(MINIMUM) + len(MINIMUM) <= 256
    boot_rom.check("rp2350", FLASH, data)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, "no IMAGE_DEF in its first 4,096 bytes"),
        (4, "first item is 0x102101bd, expected 0x10210142"),
        (6, "first item is 0x10de0142"),
        (9, "last item is"),
        (12, "link to the next block is 0x000000ff, expected 0x00000000"),
        (16, "end is 0xab123586, expected 0xab123579"),
    ],
)
def test_a_block_that_the_boot_rom_would_not_take_is_refused(at: int, words: str, image: Image) -> None:
    data = bytearray(image.bin.read_bytes())
    data[data.index(MINIMUM) + at] ^= 0xFF
    with pytest.raises(KdpError, match=words):
        boot_rom.check("rp2350", FLASH, bytes(data))


def test_another_address_and_a_block_too_far_are_refused(image: Image) -> None:
    data = image.bin.read_bytes()
    with pytest.raises(KdpError, match="at 0x08000000, expected a vector table and more at 0x10000000"):
        boot_rom.check("rp2350", 0x08000000, data)
    late = data.replace(MINIMUM, bytes(20), 1).ljust(4096, b"\0")[:4096] + MINIMUM
    with pytest.raises(KdpError, match="no IMAGE_DEF"):
        boot_rom.check("rp2350", FLASH, late)
