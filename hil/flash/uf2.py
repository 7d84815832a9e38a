# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""UF2 for the RP2040 and RP2350: write it, read it back, copy it onto the board's drive.

Format: USB Flashing Format, https://github.com/microsoft/uf2: blocks of 512 bytes, each with its own
address. The chips' boot ROMs take blocks in any order and erase a flash sector when the first block of it
arrives. They start flash only when it begins as they want it: on an RP2040 when the checksum of its first
256 bytes (boot2) is right (RP2040 datasheet, 2.8.1 and 2.8.2), on an RP2350 when there is an IMAGE_DEF,
which our images have in their first 256 bytes, too (RP2350 datasheet, 5.9.5). So the first page goes last:
a copy that was interrupted leaves a board that shows up as a drive again.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError

PAGE = 256  # the only payload size that these chips take

INFO = "INFO_UF2.TXT"

_HEAD = struct.Struct("<8I")
_MAGIC = (0x0A324655, 0x9E5D5157)
_END = struct.pack("<I", 0x0AB16F30)
_BLOCK = 512
_DATA = 476
_FAMILY_PRESENT = 0x2000


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


def copy_to_drive(file: bytes, drive: Path, board: str, name: str = "kdp-edge.uf2") -> None:
    """Put a UF2 file onto a board in BOOTSEL mode, whose Board-ID begins with `board`, synchronised to it.

    The board restarts as soon as it has every block and its drive vanishes, so nothing can be read
    back; whether it runs is for HELLO to say. An error while the drive is still there is a failure.
    """
    _check_drive(drive, board)
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


def _check_drive(drive: Path, expected: str) -> None:
    info = drive / INFO
    try:
        text = info.read_text(encoding="ascii", errors="replace")
    except OSError:
        raise KdpError(
            f"{drive}: no {INFO} there, so this is not the drive of a board in BOOTSEL mode; hold BOOTSEL "
            f"while plugging it in and give the path where {expected} is mounted",
            DEVICE_MISSING,
        ) from None
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    board = lines.get("Board-ID", "").strip()
    if not board.startswith(expected):
        raise KdpError(f"{info}: Board-ID is {board!r}, expected {expected}; another board is plugged in")
