# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Frames: `COBS(type u8 | seq u16 | payload | crc32 u32) 0x00`, little-endian (docs/protocol.md).

COBS: Cheshire & Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Trans. Networking 7(2), 1999.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

MAX_FRAME = 1024  # decoded bytes: type, seq, payload and crc
_HEADER = struct.Struct("<BH")
_CRC = struct.Struct("<I")
OVERHEAD = _HEADER.size + _CRC.size
MAX_BODY = MAX_FRAME - 4  # without the CRC
MAX_PAYLOAD = MAX_FRAME - OVERHEAD
MAX_ENCODED = MAX_FRAME + MAX_FRAME // 254 + 1  # without the final zero
_CODES = [bytes([length + 1]) for length in range(254)]


class FrameError(ValueError):
    """Bytes between two zeros that are not a frame."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    type: int  # uint8
    seq: int  # uint16
    payload: bytes


def cobs_encode(data: bytes) -> bytes:
    """Stuff `data` so that no byte is zero; at most one byte longer per 254, and one more."""
    parts = data.split(b"\0")
    if max(map(len, parts)) < 254:  # a code before each part, in place of the zero behind it
        return b"".join([_CODES[len(part)] + part for part in parts])
    out = bytearray()
    start = 0
    while True:
        end = data.find(0, start, start + 254)
        if end < 0:
            end = min(start + 254, len(data))
        block = data[start:end]
        out.append(len(block) + 1)
        out += block
        # a full block carries no zero; any other block but the last one stands for one
        start = end if len(block) == 254 else end + 1
        if start >= len(data) and (len(block) == 254 or end >= len(data)):
            return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    """Inverse of `cobs_encode`; raises `FrameError` for bytes that no encoder makes."""
    if 0 in data:
        raise FrameError("not COBS")
    out = bytearray()
    at, length = 0, len(data)
    while at < length:
        code = data[at]
        out += data[at + 1 : at + code]
        at += code
        if code != 0xFF and at < length:
            out.append(0)
    if at > length:
        raise FrameError("not COBS")
    return bytes(out)


def encode(type_: int, seq: int, payload: bytes = b"") -> bytes:
    """One frame as it goes over the wire, final zero included; payload of at most `MAX_PAYLOAD` bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"payload has {len(payload)} bytes, a frame holds {MAX_PAYLOAD}")
    body = _HEADER.pack(type_, seq) + payload
    return cobs_encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode(data: bytes) -> Frame:
    """The frame in `data` (without its final zero); raises `FrameError`."""
    body = cobs_decode(data)
    if not OVERHEAD <= len(body) <= MAX_FRAME:
        raise FrameError(f"{len(body)} bytes")
    content, (crc,) = body[: -_CRC.size], _CRC.unpack(body[-_CRC.size :])
    if zlib.crc32(content) != crc:
        raise FrameError("CRC")
    type_, seq = _HEADER.unpack_from(content)
    return Frame(type_, seq, content[_HEADER.size :])


class Decoder:
    """Finds frames in a stream of bytes; what is not a frame is dropped and counted in `bad`."""

    def __init__(self) -> None:
        self.bad = 0
        self._buffer = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take any number of bytes and return the frames that they complete, in order."""
        frames = []
        *complete, rest = data.split(b"\0")
        for part in complete:
            self._take(part)
            frame = self._finish()
            if frame is not None:
                frames.append(frame)
        self._take(rest)
        return frames

    def _take(self, part: bytes) -> None:
        self._buffer += part
        if len(self._buffer) > MAX_ENCODED:
            self._overlong = True
            self._buffer.clear()

    def _finish(self) -> Frame | None:
        data, overlong = bytes(self._buffer), self._overlong
        self._buffer.clear()
        self._overlong = False
        if not data and not overlong:
            return None  # zeros between frames mean nothing
        try:
            if overlong:
                raise FrameError("too long")
            return decode(data)
        except FrameError:
            self.bad += 1
            return None
