# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""SHA-256 in C against hashlib: every length around a block, any length, any pieces."""

from __future__ import annotations

import ctypes
import hashlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kdp_edge.exporters.host_library import HostLibrary


def digest(library: HostLibrary, pieces: list[bytes]) -> bytes:
    state, out = (ctypes.c_uint64 * 32)(), (ctypes.c_uint8 * 32)()  # larger than kdp_sha256
    library.c.kdp_sha256_init(state)
    for piece in pieces:
        library.c.kdp_sha256_add(state, piece, ctypes.c_size_t(len(piece)))
    library.c.kdp_sha256_end(state, out)
    return bytes(out)


def test_every_length_up_to_three_blocks(small_library: HostLibrary) -> None:
    data = bytes(range(200))
    for size in range(200):
        assert digest(small_library, [data[:size]]) == hashlib.sha256(data[:size]).digest(), size


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=1000), st.lists(st.integers(0, 1000), max_size=5))
def test_any_bytes_in_any_pieces(small_library: HostLibrary, data: bytes, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(at)] if at[-2] <= len(data) else [data]
    assert digest(small_library, pieces) == hashlib.sha256(data).digest()
