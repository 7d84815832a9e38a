# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The trailer of an image: for which board and model it was built, its size and CRC.

The device checks size and CRC at every start and does not act when they are wrong, so a flash
that was interrupted is never half trusted. Layout: `trailer_t` in boards/common/kdp_board.c.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from kdp_edge.base.errors import KdpError

MAGIC = b"KDPIMAGE"
_LAYOUT = struct.Struct("<8s24s32sII")
SIZE = _LAYOUT.size


@dataclass(frozen=True)
class Trailer:
    """What the last bytes of an image say."""

    board: str
    model_sha256: str
    size: int
    crc: int


def make(image: bytes, board: str, model_sha256: str) -> bytes:
    """The trailer for `image`, whose last SIZE bytes are reserved for it."""
    fields = (MAGIC, board.encode(), bytes.fromhex(model_sha256), len(image))
    without_crc = _LAYOUT.pack(*fields, 0)[:-4]
    crc = zlib.crc32(image[:-SIZE] + without_crc)
    return _LAYOUT.pack(*fields, crc)


def read(image: bytes, where: str) -> Trailer:
    """The trailer of a whole image; raises `KdpError` unless size and CRC are right."""
    if len(image) < SIZE:
        raise KdpError(f"{where}: {len(image)} bytes, too short for a firmware image; build it again")
    magic, board, model, size, crc = _LAYOUT.unpack(image[-SIZE:])
    if magic != MAGIC:
        raise KdpError(f"{where}: ends in {magic!r}, expected {MAGIC!r}: not a firmware image of kdp-edge")
    if size != len(image):
        raise KdpError(f"{where}: {len(image)} bytes, its trailer says {size}; build it again")
    found = zlib.crc32(image[:-4])
    if found != crc:
        raise KdpError(f"{where}: CRC-32 is {found:08x}, its trailer says {crc:08x}; build it again")
    return Trailer(board.rstrip(b"\0").decode(), model.hex(), size, crc)
