# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Latents from a counter: the same int8 vectors on the host, on a microcontroller and next year.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11)
turns (key, counter) into 16 bytes without state; each byte indexes a table of 256 normal quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)


def philox4x32(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Philox4x32-10: counter uint32 [n, 4], key two uint32 -> uint32 [n, 4]."""
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], 1).astype(np.uint32)


def quantile_table(scale: float) -> np.ndarray:
    """int8 [256]: quantiles (i + 0.5) / 256 of N(0, 1), divided by the latent's input scale.

    Args:
        scale: real value of one integer step of a latent input.
    """
    normal = NormalDist()
    quantiles = np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)])
    return np.asarray(np.clip(np.floor(quantiles / scale + 0.5), -127, 127), np.int8)


def latents(table: np.ndarray, seed: int, episode: int, plan: int, k: int, size: int) -> np.ndarray:
    """The latents of one plan: int8 [k, size]; candidate 0 is all zeros. See `latents_of`."""
    single: np.ndarray = latents_of(table, seed, episode, [plan], k, size)[0]
    return single


def latents_of(
    table: np.ndarray, seed: int, episode: int, plans: Sequence[int], k: int, size: int
) -> np.ndarray:
    """The latents of plans of one episode: int8 [n, k, size]; candidate 0 is all zeros.

    Key = (seed, episode); counter = (plan, candidate, block, 0), each block giving 16 latents from
    its four output words in little-endian byte order.

    Args:
        table: int8 [256], see `quantile_table`.
        seed: of the model, uint32.
        episode: of the RESET request, uint32.
        plans: of each, how many plans the device made since RESET, uint32.
        k: candidates.
        size: latent size.
    """
    n, blocks = len(plans), -(-size // 16)
    counter = np.zeros((n, k, blocks, 4), np.uint32)
    counter[..., 0] = np.array([plan & 0xFFFFFFFF for plan in plans], np.uint32)[:, None, None]
    counter[..., 1] = np.arange(k)[:, None]
    counter[..., 2] = np.arange(blocks)
    words = philox4x32(counter.reshape(-1, 4), (seed, episode))
    indices = words.astype("<u4").view(np.uint8).reshape(n, k, blocks * 16)[..., :size]
    result: np.ndarray = table[indices]
    result[:, 0] = 0
    return result
