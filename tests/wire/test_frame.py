# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Frames survive any bytes, any cut and any garbage between them."""

from __future__ import annotations

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdp_edge.wire.frame import (
    MAX_PAYLOAD,
    Decoder,
    Frame,
    FrameError,
    cobs_decode,
    cobs_encode,
    decode,
    encode,
)

payloads = st.binary(max_size=MAX_PAYLOAD)
frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 65535), payloads)


def wire(frame: Frame) -> bytes:
    return encode(frame.type, frame.seq, frame.payload)


# from the paper and the usual implementations
@pytest.mark.parametrize(
    ("plain", "stuffed"),
    [
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\0\0", b"\x01\x01\x01"),
        (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (bytes(range(1, 255)), b"\xff" + bytes(range(1, 255))),
        (bytes(range(0, 255)), b"\x01\xff" + bytes(range(1, 255))),
        (bytes(range(1, 256)), b"\xff" + bytes(range(1, 255)) + b"\x02\xff"),
    ],
)
def test_cobs_gives_the_known_bytes(plain: bytes, stuffed: bytes) -> None:
    assert cobs_encode(plain) == stuffed
    assert cobs_decode(stuffed) == plain


@given(st.binary(max_size=1100))
def test_cobs_round_trip_has_no_zero_and_little_overhead(data: bytes) -> None:
    stuffed = cobs_encode(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + len(data) // 254 + 1
    assert cobs_decode(stuffed) == data


@given(frames)
def test_a_frame_comes_back_as_it_was_sent(frame: Frame) -> None:
    assert Decoder().feed(wire(frame)) == [frame]


def test_frame_bytes_are_those_of_the_protocol_page() -> None:
    body = bytes([0x03, 0x34, 0x12, 9, 0])
    expected = cobs_encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
    assert encode(3, 0x1234, b"\x09\x00") == expected


@given(st.lists(frames, max_size=4), st.lists(st.integers(1, 40), min_size=1))
def test_any_cut_of_the_stream_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    stream, decoder, found = b"".join(map(wire, sent)), Decoder(), []
    while stream:
        cut = cuts[len(found) % len(cuts)]
        found += decoder.feed(stream[:cut])
        stream = stream[cut:]
    assert found == sent
    assert decoder.bad == 0


@given(frames, st.binary(max_size=3000))
def test_garbage_before_a_frame_costs_nothing_but_itself(frame: Frame, garbage: bytes) -> None:
    decoder = Decoder()
    found = decoder.feed(garbage + b"\0" + wire(frame))
    assert found[-1] == frame
    assert len(found) - 1 + decoder.bad <= garbage.count(b"\0") + 1


@given(frames, st.data())
def test_a_flipped_bit_is_never_taken_for_another_frame(frame: Frame, data: st.DataObject) -> None:
    stream = bytearray(wire(frame))
    at = data.draw(st.integers(0, len(stream) - 2))
    stream[at] ^= 1 << data.draw(st.integers(0, 7))
    # a flip may make a zero and so cut the frame in two; neither half may pass
    assert all(found == frame for found in Decoder().feed(bytes(stream)))
    assert frame not in Decoder().feed(bytes(stream)) or stream == wire(frame)


@given(st.binary(max_size=1200))
def test_decode_of_any_bytes_is_a_frame_or_a_frame_error(data: bytes) -> None:
    with suppress(FrameError):
        assert decode(wire(decode(data))) == decode(data)


def test_an_endless_frame_is_dropped_and_counted_once_without_growing() -> None:
    decoder = Decoder()
    for _ in range(50):
        assert decoder.feed(b"\x05" * 1000) == []
    assert decoder.feed(b"\0" + encode(1, 1)) == [Frame(1, 1, b"")]
    assert decoder.bad == 1


def test_a_payload_that_no_frame_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="1018 bytes, a frame holds 1017"):
        encode(1, 1, bytes(MAX_PAYLOAD + 1))
