# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Training seeds as text: so many, a list, or a range."""

from __future__ import annotations

from kdp_edge.base.errors import KdpError

MOST = 1000  # of a suite: more is a slip
EXPECTED = "expected a number of them (3: 0, 1, 2), a list (3,4,5) or a range (3-10)"


def parse_seeds(text: str) -> tuple[int, ...]:
    """`3` -> (0, 1, 2); `3,4,7` -> (3, 4, 7); `3-5,9` -> (3, 4, 5, 9), ascending, each once.

    Raises:
        KdpError: anything else, none, or more than `MOST`.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and "-" not in text:
        return _counted(0, _number(parts[0], text) - 1, text)
    found: set[int] = set()
    for part in parts:
        first, dash, last = part.partition("-")
        begin = _number(first, text)
        found |= set(_counted(begin, _number(last, text) if dash else begin, text))
    return tuple(sorted(found))


def _number(digits: str, text: str) -> int:
    if not (digits.strip().isascii() and digits.strip().isdigit()) or len(digits) > 9:
        raise KdpError(f"--seeds {text}: {EXPECTED}")
    return int(digits)


def _counted(first: int, last: int, text: str) -> tuple[int, ...]:
    if not 0 < last - first + 1 <= MOST:
        raise KdpError(f"--seeds {text}: expected 1 to {MOST} seeds, the lower end of a range first")
    return tuple(range(first, last + 1))
