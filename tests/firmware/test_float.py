# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The core's own float32, for cores without a unit for it, against the host's: every bit of every result."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest

from kdp_edge.exporters.boards import FIRMWARE

COUNT = 1_000_000
LOOPS = """#include "kdp_float.h"
#define LOOP(name, result, argument, call) \\
    void name(const argument *a, const argument *b, result *to, int n) \\
    { for (int i = 0; i < n; i++) { (void)b; to[i] = call; } }
LOOP(add, float, float, kdp_float_add(a[i], b[i]))
LOOP(multiply, float, float, kdp_float_multiply(a[i], b[i]))
LOOP(of, float, int8_t, kdp_float_of(a[i]))
LOOP(lower, int32_t, float, (int32_t)kdp_below(kdp_float_order(a[i]), kdp_float_order(b[i])))
LOOP(whole, int32_t, float, kdp_float_floor(kdp_float_order(a[i])))
"""


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("float")
    (folder / "loops.c").write_text(LOOPS)
    sources = [folder / "loops.c", FIRMWARE / "core" / "kdp_float.c"]
    flags = ["-O2", "-shared", "-fPIC", "-DKDP_SOFT_FLOAT=1", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    includes = [f"-I{FIRMWARE / name}" for name in ("core", "nn")]
    subprocess.run(["cc", "-std=c99", *flags, *includes, *sources, "-o", folder / "soft.so"], check=True)
    return ctypes.CDLL(str(folder / "soft.so"))


def _pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Any bits; numbers close to each other; ends of the range; few bits set, so that halves are met."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, (2, COUNT), dtype=np.uint32)
    near = rng.random(COUNT) < 0.3
    bits[1, near] = bits[0, near] ^ rng.integers(0, 2**26, near.sum(), dtype=np.uint32) ^ 0x80000000
    few = rng.random((2, COUNT)) < 0.3
    bits[few] &= np.uint32(0xFFF80003)
    ends = rng.random((2, COUNT)) < 0.15
    special = [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001]
    chosen = rng.choice(np.array(special, np.uint32), ends.sum())
    bits[ends] = chosen | rng.integers(0, 2, ends.sum(), dtype=np.uint32) << np.uint32(31)
    first, second = bits.view(np.float32)
    return first, second


def _call(function: ctypes._NamedFuncPointer, a: np.ndarray, b: np.ndarray, dtype: type) -> np.ndarray:
    to = np.empty(len(a), dtype)
    function(
        a.ctypes.data_as(ctypes.c_void_p),
        b.ctypes.data_as(ctypes.c_void_p),
        to.ctypes.data_as(ctypes.c_void_p),
        len(a),
    )
    return to


@pytest.mark.parametrize("name", ["add", "multiply"])
@pytest.mark.parametrize("seed", range(3))
def test_every_sum_and_product_is_the_hosts(soft: ctypes.CDLL, name: str, seed: int) -> None:
    a, b = _pairs(seed)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(a, b)
    found = _call(getattr(soft, name), a, b, np.float32)
    same = (found.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(found) & np.isnan(expected))
    wrong = np.flatnonzero(~same)[:3]
    assert not len(wrong), [tuple(float(x[i]).hex() for x in (a, b, found, expected)) for i in wrong]


def test_comparing_is_the_hosts_and_nan_is_beyond_the_infinities(soft: ctypes.CDLL) -> None:
    a, b = _pairs(4)
    found = _call(soft.lower, a, b, np.int32) != 0
    numbers = ~(np.isnan(a) | np.isnan(b))
    assert (found == (a < b))[numbers].all()
    outside = _call(soft.lower, a, np.full_like(a, -np.inf), np.int32) | _call(
        soft.lower, np.full_like(a, np.inf), a, np.int32
    )
    assert ((outside != 0) == np.isnan(a)).all()


def test_integers_and_back(soft: ctypes.CDLL) -> None:
    eight = np.arange(-128, 128, dtype=np.int8)
    assert (
        _call(soft.of, eight, eight, np.float32).view(np.uint32) == eight.astype(np.float32).view(np.uint32)
    ).all()
    a, _ = _pairs(5)
    a = a[np.abs(a) <= 2**23]
    assert (_call(soft.whole, a, a, np.int32) == np.floor(a)).all()
