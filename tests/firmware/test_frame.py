# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The frame codec in C against the Python one: same bytes out, same frames found in any bytes."""

from __future__ import annotations

import zlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.wire.frame import MAX_FRAME, MAX_PAYLOAD, Decoder, cobs_encode, encode

ECHO = 0x09


def _agree(library: HostLibrary, data: bytes) -> list[bytes]:
    """Bodies found by C in `data`; Python must find the same, and drop as many."""
    bodies, bad = library.unframe(data)
    decoder = Decoder()
    frames = decoder.feed(data)
    assert bodies == [bytes([f.type]) + f.seq.to_bytes(2, "little") + f.payload for f in frames]
    assert bad == decoder.bad
    return bodies


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=3000))
@example(data=b"\x01\x00\xff\x00")
def test_any_bytes_are_taken_apart_alike(small_library: HostLibrary, data: bytes) -> None:
    _agree(small_library, data)


@settings(max_examples=500, deadline=None)
@given(
    payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    junk=st.binary(max_size=20),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=4),
)
def test_damaged_streams_are_taken_apart_alike(
    small_library: HostLibrary, payloads: list[bytes], junk: bytes, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(junk + b"".join(encode(ECHO, i, p) for i, p in enumerate(payloads)))
    for at, change in flips:
        data[at % len(data)] ^= change
    _agree(small_library, bytes(data))


@settings(max_examples=500, deadline=None)
@given(data=st.lists(st.sampled_from([b"\0", b"\1", b"\2" * 253, b"\3" * 254, b"\4" * 255]), max_size=4))
def test_replies_are_encoded_as_python_does(small_library: HostLibrary, data: list[bytes]) -> None:
    payload = b"".join(data)[:MAX_PAYLOAD]
    assert small_library.receive(encode(ECHO, 77, payload)) == encode(ECHO | 0x80, 77, payload)


def test_the_longest_frame_passes_and_one_byte_more_does_not(small_library: HostLibrary) -> None:
    for fill in (b"\0", b"\xff"):
        longest = encode(ECHO, 1, fill * MAX_PAYLOAD)
        assert small_library.receive(longest) == encode(ECHO | 0x80, 1, fill * MAX_PAYLOAD)
        body = bytes([ECHO, 1, 0]) + fill * (MAX_PAYLOAD + 1)
        too_long = cobs_encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
        assert len(body) + 4 == MAX_FRAME + 1
        assert _agree(small_library, too_long + longest) == [longest_body(fill)]


def longest_body(fill: bytes) -> bytes:
    """Body of an ECHO with the longest payload."""
    return bytes([ECHO, 1, 0]) + fill * MAX_PAYLOAD


def test_every_flipped_bit_of_a_frame_is_noticed(small_library: HostLibrary) -> None:
    good = encode(ECHO, 513, bytes(range(40)))
    for bit in range(8 * (len(good) - 1)):
        data = bytearray(good)
        data[bit // 8] ^= 1 << (bit % 8)
        bodies, bad = small_library.unframe(bytes(data))
        assert bodies == [] and bad >= 1
