# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Seeds as text: what each form means, and one line for what is none."""

from __future__ import annotations

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.seeds import parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", (0, 1, 2)),
        ("1", (0,)),
        ("3-10", (3, 4, 5, 6, 7, 8, 9, 10)),
        ("3-3", (3,)),
        ("3,4,7", (3, 4, 7)),
        ("9, 3-5,4", (3, 4, 5, 9)),
        ("31,32", (31, 32)),
    ],
)
def test_a_number_counts_from_0_lists_and_ranges_say_which(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "0", "three", "5-3", "3-", "-3", "3,,4", "3-5-7", "1.5", "²", "0-99999", "9" * 5000]
)
def test_what_is_no_list_of_seeds_is_one_line(text: str) -> None:
    with pytest.raises(KdpError, match="--seeds") as raised:
        parse_seeds(text)
    assert "\n" not in str(raised.value) and "expected" in str(raised.value)
