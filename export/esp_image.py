# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the boot ROM of an ESP32-C3 loads from the start of flash (esptool's manual, "Firmware Image Format").

The ROM takes what lies there for a bootloader: it copies each segment to its address in SRAM, compares
checksum and SHA-256, and jumps. An image that is small enough to live in SRAM needs nothing else.
"""

from __future__ import annotations

import hashlib
import struct

FILE = "image.esp.bin"
_HEADER = struct.Struct("<BBBBI")
_EXTENDED = struct.Struct("<B3xHBHH4xB")
_SEGMENT = struct.Struct("<II")
_MAGIC, _CHECKSUM = 0xE9, 0xEF
_DUAL_IO = 2  # flash on two wires, at
_40_MHZ_4_MIB = 0x20  # which every module bears; the ROM reads no further than the image
_NO_WRITE_PROTECT_PIN = 0xEE
_CHIP, _ANY_REVISION = 5, 0xFFFF


def encode(image: bytes, address: int, code_address: int, code_bytes: int) -> bytes:
    """The file for flash offset 0: code, and everything behind it.

    Args:
        image: as it lies in SRAM, a multiple of four bytes; the first instruction comes first.
        address: of `image` for data.
        code_address: of the same memory for instructions.
        code_bytes: of `image` that are instructions.
    """
    segments = ((code_address, image[:code_bytes]), (address + code_bytes, image[code_bytes:]))
    file = bytearray(_HEADER.pack(_MAGIC, len(segments), _DUAL_IO, _40_MHZ_4_MIB, code_address))
    file += _EXTENDED.pack(_NO_WRITE_PROTECT_PIN, _CHIP, 0, 0, _ANY_REVISION, 1)
    for start, data in segments:
        file += _SEGMENT.pack(start, len(data)) + data
    checksum = _CHECKSUM
    for byte in image:
        checksum ^= byte
    file += bytes(-(len(file) + 1) % 16) + bytes([checksum])
    return bytes(file + hashlib.sha256(file).digest())
