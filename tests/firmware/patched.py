# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whole images, CRC included, with one machine instruction exchanged."""

from __future__ import annotations

from kdp_edge.exporters import image_trailer
from kdp_edge.exporters.boards import load_board
from kdp_edge.exporters.build import Image, toolchain_for
from kdp_edge.exporters.toolchain import run

UNDEFINED = b"\x00\xde"
FOR_EVER = b"\xfe\xe7"  # a branch to itself
RISCV_UNDEFINED = b"\x00\x00"
RISCV_NO_STACK_LEFT = b"\x37\x01\x40\x80"  # lui sp, 0x80400: where riscv-virt's stack ends


def patched(image: Image, function: str, instruction: bytes) -> bytes:
    """`image` with a `function` that begins with `instruction`."""
    board = load_board(image.board)
    symbols = run([toolchain_for(board).tool("nm"), str(image.elf)]).splitlines()
    (address,) = (int(line.split()[0], 16) for line in symbols if line.endswith(f" {function}"))
    data = bytearray(image.bin.read_bytes())
    at = address - board.flash_start
    data[at : at + len(instruction)] = instruction
    trailer = image_trailer.make(bytes(data), image.board, image.model_sha256)
    return bytes(data[: -image_trailer.SIZE]) + trailer
