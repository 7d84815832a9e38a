# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""UF2: what another implementation reads is what was written; damage and wrong drives are refused."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from adafruit_uf2 import uf2conv

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, USAGE, KdpError
from kdp_edge.exporters import boot_rom
from kdp_edge.exporters.boards import load_board
from kdp_edge.hil.flash import uf2

START = 0x10000000
FAMILIES = {"rp2040": 0xE48BFF56, "rp2350": 0xE48BFF59, "rp2350-riscv": 0xE48BFF5A}  # Microsoft's list
FAMILY = FAMILIES["rp2040"]
DATA = random.Random(0).randbytes(3 * uf2.PAGE + 40)
INFO_TEXT = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"


def startable(size: int = 2000) -> bytes:
    """An RP2040 image whose boot2 carries the right checksum."""
    boot2 = random.Random(1).randbytes(252)
    return boot2 + struct.pack("<I", boot_rom.boot2_checksum(boot2)) + random.Random(2).randbytes(size - 256)


def test_every_byte_comes_back_at_its_address() -> None:
    address, data = uf2.decode(uf2.encode(START, DATA, FAMILY), FAMILY)
    assert address == START
    assert data == DATA.ljust(4 * uf2.PAGE, b"\0")


@pytest.mark.parametrize(("board", "family"), FAMILIES.items())
def test_same_blocks_as_the_formats_own_converter(board: str, family: int) -> None:
    assert load_board(board).flash.uf2_family == family
    uf2conv.familyid, uf2conv.appstartaddr = family, START
    assert _by_address(uf2.encode(START, DATA, family)) == _by_address(uf2conv.convert_to_uf2(DATA))


def _by_address(file: bytes) -> list[bytes]:
    """Blocks in order of address, their running numbers blanked: the order is our own."""
    blocks = [file[at : at + 512] for at in range(0, len(file), 512)]
    return [b[:20] + b[24:] for b in sorted(blocks, key=lambda b: struct.unpack_from("<I", b, 12)[0])]


def test_first_page_is_the_last_block_so_that_an_interrupted_copy_does_not_start() -> None:
    file = uf2.encode(START, DATA, FAMILY)
    addresses = [struct.unpack_from("<I", file, at + 12)[0] for at in range(0, len(file), 512)]
    assert [address - START for address in addresses] == [256, 512, 768, 0]


def test_boot2_checksum_is_crc32_mpeg2() -> None:
    # the catalogue's check value shows that the helper is right; the helper, that the page's checksum is
    assert _crc32_mpeg2(b"123456789") == 0x0376E6E7
    page = random.Random(3).randbytes(252)
    assert boot_rom.boot2_checksum(page + b"more") == _crc32_mpeg2(page)


def _crc32_mpeg2(data: bytes) -> int:
    """Bitwise division, written from the polynomial alone."""
    register = 0xFFFFFFFF
    for bit in "".join(f"{byte:08b}" for byte in data):
        carry = (register >> 31) ^ int(bit)
        register = ((register << 1) & 0xFFFFFFFF) ^ (0x04C11DB7 * carry)
    return register


@pytest.mark.parametrize("at", [0, 4, 9, 12, 16, 20, 24, 28, 508, 511])
def test_one_changed_byte_of_the_format_is_refused(at: int) -> None:
    file = bytearray(uf2.encode(START, DATA, FAMILY))
    file[512 + at] ^= 0x10
    with pytest.raises(KdpError, match="UF2"):
        uf2.decode(bytes(file), FAMILY)


@pytest.mark.parametrize("cut", [0, 100, 512, 1024])
def test_a_cut_file_is_refused(cut: int) -> None:
    with pytest.raises(KdpError, match="UF2"):
        uf2.decode(uf2.encode(START, DATA, FAMILY)[:cut], FAMILY)


def test_an_image_without_a_valid_boot2_is_refused() -> None:
    image = bytearray(startable())
    boot_rom.check("rp2040", START, bytes(image))
    image[10] ^= 1
    with pytest.raises(KdpError, match="checksum of boot2"):
        boot_rom.check("rp2040", START, bytes(image))
    with pytest.raises(KdpError, match="0x08000000"):
        boot_rom.check("rp2040", 0x08000000, startable())


def test_copy_to_drive_leaves_the_file_there(tmp_path: Path) -> None:
    (tmp_path / uf2.INFO).write_text(INFO_TEXT)
    file = uf2.encode(START, startable(150_000), FAMILY)
    uf2.copy_to_drive(file, tmp_path, "RPI-RP2")
    assert (tmp_path / "kdp-edge.uf2").read_bytes() == file


def test_a_folder_that_is_no_uf2_drive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KdpError, match="BOOTSEL") as error:
        uf2.copy_to_drive(b"", tmp_path, "RPI-RP2")
    assert error.value.exit_code == DEVICE_MISSING
    assert not list(tmp_path.iterdir())


def test_the_drive_of_another_board_is_refused(tmp_path: Path) -> None:
    (tmp_path / uf2.INFO).write_text("Model: other\nBoard-ID: SAMD21G18A-Feather-v0\n")
    with pytest.raises(KdpError, match="Board-ID is 'SAMD21G18A-Feather-v0', expected RPI-RP2") as error:
        uf2.copy_to_drive(b"", tmp_path, "RPI-RP2")
    assert error.value.exit_code == USAGE


def test_an_rp2350_shows_up_by_another_name(tmp_path: Path) -> None:
    (tmp_path / uf2.INFO).write_text("UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n")
    for board in ("rp2350", "rp2350-riscv"):
        uf2.copy_to_drive(bytes(512), tmp_path, load_board(board).flash.uf2_board)
    with pytest.raises(KdpError, match="Board-ID is 'RP2350', expected RPI-RP2"):
        uf2.copy_to_drive(bytes(512), tmp_path, load_board("rp2040").flash.uf2_board)


def test_a_drive_that_cannot_take_the_file_fails(tmp_path: Path) -> None:
    (tmp_path / uf2.INFO).write_text(INFO_TEXT)
    (tmp_path / "kdp-edge.uf2").symlink_to("/dev/full")
    with pytest.raises(KdpError, match="No space left") as error:
        uf2.copy_to_drive(bytes(1024), tmp_path, "RPI-RP2")
    assert error.value.exit_code == GATE_FAILED
