# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whole images, CRC included, with one machine instruction exchanged."""

from __future__ import annotations

from kdp_edge.exporters import image_trailer
from kdp_edge.exporters.boards import load_board
from kdp_edge.exporters.build import Image
from kdp_edge.exporters.toolchain import arm_toolchain, run

UNDEFINED = b"\x00\xde"
FOR_EVER = b"\xfe\xe7"  # a branch to itself


def patched(image: Image, function: str, instruction: bytes) -> bytes:
    """`image` with a `function` that begins with a Thumb instruction of two bytes."""
    symbols = run([arm_toolchain().tool("nm"), str(image.elf)]).splitlines()
    (address,) = (int(line.split()[0], 16) for line in symbols if line.endswith(f" {function}"))
    data = bytearray(image.bin.read_bytes())
    at = address - load_board(image.board).flash_start
    data[at : at + 2] = instruction
    trailer = image_trailer.make(bytes(data), image.board, image.model_sha256)
    return bytes(data[: -image_trailer.SIZE]) + trailer
