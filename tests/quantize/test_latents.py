# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Latents: Philox4x32-10 against its published vectors, and what the planner relies on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdp_edge.quantization.latents import latents, philox4x32, quantile_table

# Random123 1.09, kat_vectors, "philox4x32 10"
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter: str, key: str, expected: str) -> None:
    k0, k1 = words(key)
    assert philox4x32(np.array([words(counter)], np.uint32), (k0, k1))[0].tolist() == words(expected)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 40))
def test_candidate_zero_is_zero_and_more_candidates_keep_the_first_ones(
    episode: int, plan: int, k: int, size: int
) -> None:
    table = quantile_table(0.03)
    few, many = (latents(table, 7, episode, plan, n, size) for n in (k, k + 3))
    assert not few[0].any()
    assert np.array_equal(few, many[:k])


def test_latents_are_normal_to_the_tables_resolution() -> None:
    table = quantile_table(0.03)
    values = np.concatenate([latents(table, 1, 0, plan, 64, 16)[1:] for plan in range(200)]) * 0.03
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    correlation = np.corrcoef(values.T) - np.eye(16)
    assert np.abs(correlation).max() < 0.04
