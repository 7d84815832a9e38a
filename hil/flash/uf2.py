# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""UF2 for the RP2040: write it, read it back, copy it onto the board's drive.

Format: USB Flashing Format, https://github.com/microsoft/uf2: blocks of 512 bytes, each with its own
address. The RP2040's boot ROM takes blocks in any order, erases a flash sector when the first block
of it arrives, and starts flash only when the checksum of its first 256 bytes (boot2) is right
(RP2040 datasheet, 2.8.1 and 2.8.2). So the first page goes last: a copy that was interrupted leaves
a board that shows up as a drive again.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError

FLASH_BASE = 0x10000000
FLASH_SIZE = 16 * 1024 * 1024  # the largest that the chip can address
PAGE = 256  # the only payload size that the RP2040 takes

INFO = "INFO_UF2.TXT"

_HEAD = struct.Struct("<8I")
_MAGIC = (0x0A324655, 0x9E5D5157)
_END = struct.pack("<I", 0x0AB16F30)
_BLOCK = 512
_DATA = 476
_FAMILY_PRESENT = 0x2000


def boot2_checksum(page: bytes) -> int:
    """CRC-32/MPEG-2 of the first 252 bytes, which the boot ROM expects in the last four."""
    crc = 0xFFFFFFFF
    for byte in page[:252]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


def check_rp2040(address: int, data: bytes) -> None:
    """Raise `KdpError` unless the boot ROM would start this image."""
    if address != FLASH_BASE or not PAGE < len(data) <= FLASH_SIZE:
        raise KdpError(
            f"RP2040 image of {len(data)} bytes at 0x{address:08x}, expected boot2 and more at "
            f"0x{FLASH_BASE:08x}; build for this board"
        )
    found, expected = int.from_bytes(data[252:256], "little"), boot2_checksum(data)
    if found != expected:
        raise KdpError(
            f"RP2040 image: checksum of boot2 is 0x{found:08x}, expected 0x{expected:08x}; the boot ROM "
            "would not start it - build again"
        )


def encode(address: int, data: bytes, family: int) -> bytes:
    """The UF2 file of `data` at `address` (a multiple of 256), first page last."""
    if address % PAGE:
        raise ValueError(f"address 0x{address:08x} is not a multiple of {PAGE}")
    offsets = [*range(PAGE, len(data), PAGE), 0]
    blocks = []
    for number, offset in enumerate(offsets):
        page = data[offset : offset + PAGE].ljust(PAGE, b"\0")
        head = _HEAD.pack(*_MAGIC, _FAMILY_PRESENT, address + offset, PAGE, number, len(offsets), family)
        blocks.append(head + page.ljust(_DATA, b"\0") + _END)
    return b"".join(blocks)


def decode(file: bytes, family: int) -> tuple[int, bytes]:
    """(address, data) of a UF2 file, data padded to whole pages; raises `KdpError` when it is not sound."""
    if not file or len(file) % _BLOCK:
        raise KdpError(f"UF2 file has {len(file)} bytes, expected a multiple of {_BLOCK}; build again")
    count = len(file) // _BLOCK
    pages: dict[int, bytes] = {}
    for number in range(count):
        block = file[number * _BLOCK : (number + 1) * _BLOCK]
        magic1, magic2, flags, address, size, index, total, found = _HEAD.unpack_from(block)
        fields = {
            "magic": ((magic1, magic2, block[-4:]), (*_MAGIC, _END)),
            "flags": (flags, _FAMILY_PRESENT),
            "payload size": (size, PAGE),
            "block number": (index, number),
            "number of blocks": (total, count),
            "family id": (found, family),
            "address modulo 256": (address % PAGE, 0),
        }
        for field, (value, expected) in fields.items():
            if value != expected:
                raise KdpError(f"UF2 block {number}: {field} is {value}, expected {expected}; build again")
        if address in pages:
            raise KdpError(f"UF2 block {number}: address 0x{address:08x} comes twice; build again")
        pages[address] = block[_HEAD.size : _HEAD.size + PAGE]
    start = min(pages)
    missing = [a for a in range(start, start + count * PAGE, PAGE) if a not in pages]
    if missing:
        raise KdpError(f"UF2 file leaves a gap at 0x{missing[0]:08x}; build again")
    return start, b"".join(pages[a] for a in sorted(pages))


def copy_to_drive(file: bytes, drive: Path, name: str = "kdp-edge.uf2") -> None:
    """Put a UF2 file onto an RP2040 in BOOTSEL mode, synchronised to the device.

    The board restarts as soon as it has every block and its drive vanishes, so nothing can be read
    back; whether it runs is for HELLO to say. An error while the drive is still there is a failure.
    """
    _check_drive(drive)
    target = drive / name
    try:
        with open(target, "wb", buffering=0) as handle:
            for at in range(0, len(file), 64 * _BLOCK):
                handle.write(file[at : at + 64 * _BLOCK])
            os.fsync(handle.fileno())
    except OSError as error:
        if (drive / INFO).exists():
            raise KdpError(
                f"{target}: writing failed ({error.strerror}); the board does not start a part of an image "
                "and shows up as a drive again - repeat the command",
                GATE_FAILED,
            ) from None


def _check_drive(drive: Path) -> None:
    info = drive / INFO
    try:
        text = info.read_text(encoding="ascii", errors="replace")
    except OSError:
        raise KdpError(
            f"{drive}: no {INFO} there, so this is not the drive of a board in BOOTSEL mode; hold BOOTSEL "
            "while plugging it in and give the path where RPI-RP2 is mounted",
            DEVICE_MISSING,
        ) from None
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    board = lines.get("Board-ID", "").strip()
    if not board.startswith("RPI-RP2"):
        raise KdpError(f"{info}: Board-ID is {board!r}, expected RPI-RP2; another board is plugged in")
