# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Philox in C against the vectors of its authors' Random123, and the latents against Python's."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.latents import latents, quantile_table

# Random123 1.14, tests/kat_vectors: philox4x32 10 rounds
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def _words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_blocks(
    small_library: HostLibrary, counter: str, key: str, expected: str
) -> None:
    block = (ctypes.c_uint32 * 4)(*_words(counter))
    small_library.c.kdp_philox4x32(block, (ctypes.c_uint32 * 2)(*_words(key)))
    assert list(block) == _words(expected)


@pytest.mark.parametrize("size", [1, 8, 15, 16, 17, 40])
def test_latents_equal_pythons_for_every_size_of_block(small_library: HostLibrary, size: int) -> None:
    table = quantile_table(0.02)
    k, seed, episode, plan = 5, 0xDEADBEEF, 0xFFFFFFFF, 0x80000001
    found = np.full((k, size), 99, np.int8)
    small_library.c.kdp_latents(
        table.ctypes.data_as(ctypes.c_void_p),
        (ctypes.c_uint32 * 2)(seed, episode),
        ctypes.c_uint32(plan),
        ctypes.c_int(k),
        ctypes.c_size_t(size),
        found.ctypes.data_as(ctypes.c_void_p),
    )
    assert np.array_equal(found, latents(table, seed, episode, plan, k, size))
