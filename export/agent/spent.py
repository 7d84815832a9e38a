# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the time of a plan went to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Spent:
    """Nanoseconds of a plan's nets, see `bench.py`."""

    queue: int = 0
    copy: int = 0
    execution: int = 0
