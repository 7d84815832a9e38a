# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a chip's boot ROM looks for before it starts an image, checked before a flash.

An image without it is written, read back, equal - and dead. board.toml's key `boot` names the chip.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown

BOOT2 = 256  # an RP2040's second stage, checksum included
_SEARCHED = 4096  # from here an RP2350 takes the first block
_BLOCK_START, _BLOCK_END = 0xFFFFDED3, 0xAB123579
_IMAGE_TYPE, _LAST = 0x42, 0xFF
_FCFB = 0x42464346  # "FCFB", of the FlexSPI configuration block
_ESP_ROM_DATA = 0x3FCCAE00  # ESP-IDF, bootloader.ld of the ESP32-C3: memory usage of the ROM
_VECTORS = 0x1000  # where an i.MX RT's image vector table lies
_ARM, _RISCV = 0x1021, 0x1101  # flags of IMAGE_TYPE: executable, RP2350, and secure Arm, or RISC-V


def check(boot: str, address: int, image: bytes) -> None:
    """Raise `KdpError` unless the boot ROM of the chip `boot` would start `image` at `address`."""
    if boot:
        _CHECKS[known(boot)](address, image)


def known(boot: str) -> str:
    """`boot`, if this file knows the chip."""
    if boot not in _CHECKS:
        raise unknown("boot ROM", boot, sorted(_CHECKS))
    return boot


def boot2_checksum(boot2: bytes) -> int:
    """CRC-32/MPEG-2 of the first 252 bytes (RP2040 datasheet, 2.8.1.3.1), expected in the last four."""
    crc = 0xFFFFFFFF
    for byte in boot2[: BOOT2 - 4]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc >> 31 else crc << 1) & 0xFFFFFFFF
    return crc


def with_boot2_checksum(boot2: bytes) -> bytes:
    """The 256 bytes of an RP2040's second stage with their checksum."""
    return boot2[: BOOT2 - 4] + struct.pack("<I", boot2_checksum(boot2))


def _rp2040(address: int, image: bytes) -> None:
    _begins("RP2040", address, image, 0x10000000, BOOT2, "boot2")
    found, expected = int.from_bytes(image[BOOT2 - 4 : BOOT2], "little"), boot2_checksum(image)
    if found != expected:
        raise KdpError(
            f"RP2040 image: checksum of boot2 is 0x{found:08x}, expected 0x{expected:08x}; the boot ROM "
            "would not start it - build again"
        )


def _rp2350(flags: int, start: str, address: int, image: bytes) -> None:
    """A block loop whose first block says: executable, of cores with `flags` (RP2350 datasheet, 5.9)."""
    _begins("RP2350", address, image, 0x10000000, 256, start)
    words = [int.from_bytes(image[at : at + 4], "little") for at in range(0, _SEARCHED, 4)]
    if _BLOCK_START not in words:
        raise KdpError(
            f"RP2350 image: no IMAGE_DEF in its first {_SEARCHED:,} bytes; the boot ROM would not start it - "
            "build again"
        )
    _image_def(flags, image, 4 * words.index(_BLOCK_START))


def _image_def(flags: int, image: bytes, at: int) -> None:
    """The block at `at`: items, then how many words they have, the next block (itself), the end."""
    words = struct.unpack_from("<64I", image.ljust(at + 256, b"\0"), at)
    item, used = 1, []
    while item < 60 and words[item] & 0xFF != _LAST:
        used.append(words[item])
        item += max(1, words[item] >> 8 & 0xFF)
    fields = {
        "first item": (used[0] if used else 0, flags << 16 | 1 << 8 | _IMAGE_TYPE),
        "last item": (words[item], item - 1 << 8 | _LAST),
        "link to the next block": (words[item + 1], 0),
        "end": (words[item + 2], _BLOCK_END),
    }
    for field, (found, expected) in fields.items():
        if found != expected:
            raise KdpError(
                f"RP2350 image: IMAGE_DEF at 0x{at:x}: {field} is 0x{found:08x}, expected 0x{expected:08x}; "
                "the boot ROM would not start it - build again"
            )


def _imxrt1062(address: int, image: bytes) -> None:
    """How to read the flash, where to start, how long it is (IMXRT1060RM, System Boot)."""
    _begins("i.MX RT1062", address, image, 0x60000000, 0x2000, "its configuration block")
    header, entry, _, _, data, itself = struct.unpack_from("<6I", image, _VECTORS)
    start, length = struct.unpack_from("<2I", image, _VECTORS + 32)
    fields = {
        "tag of the flash configuration": (int.from_bytes(image[:4], "little"), _FCFB),
        "header of the image vector table": (header, 0x432000D1),
        "own address of the image vector table": (itself, address + _VECTORS),
        "address of the boot data": (data, address + _VECTORS + 32),
        "start in the boot data": (start, address),
        "length in the boot data": (length, len(image)),
        "lowest bit of the entry": (entry & 1, 1),
    }
    for field, (found, expected) in fields.items():
        if found != expected:
            raise KdpError(
                f"i.MX RT1062 image: {field} is 0x{found:08x}, expected 0x{expected:08x}; the boot ROM would "
                "not start it - build again"
            )
    if not address + 0x2000 <= entry < address + len(image):
        raise KdpError(
            f"i.MX RT1062 image: entry is 0x{entry:08x}, outside of its {len(image):,} bytes; build again"
        )


def _esp32c3(address: int, image: bytes) -> None:
    """It loads the image to SRAM, beside its own variables (see exporters/esp_image.py)."""
    _begins("ESP32-C3", address, image, 0x3FC80000, 256, "code")
    if address + len(image) > _ESP_ROM_DATA:
        raise KdpError(
            f"ESP32-C3 image: {len(image):,} bytes, expected at most {_ESP_ROM_DATA - address:,}, behind "
            "which the boot ROM that loads it has its own variables; build a smaller policy"
        )


def _begins(chip: str, address: int, image: bytes, start: int, least: int, what: str) -> None:
    if address != start or len(image) <= least:
        raise KdpError(
            f"{chip} image of {len(image)} bytes at 0x{address:08x}, expected {what} and more at "
            f"0x{start:08x}; build for this board"
        )


_CHECKS: dict[str, Callable[[int, bytes], None]] = {
    "rp2040": _rp2040,
    "rp2350": partial(_rp2350, _ARM, "a vector table"),
    "rp2350-riscv": partial(_rp2350, _RISCV, "code"),  # entered at the lowest address
    "imxrt1062": _imxrt1062,
    "esp32c3": _esp32c3,
}
