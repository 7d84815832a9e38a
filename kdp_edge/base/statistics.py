# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What every report says about means: their 95 % intervals, and whether one falls short of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = 3.0  # of score: what one policy may always fall short of another
SPREADS = 0.5  # standard deviations of the episodes: where a point of score is less than their noise


def interval95(values: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """95 % confidence interval of the mean (Student's t): low, high; None for a single value."""
    array = np.asarray(values, np.float64)
    mean, count = float(array.mean()), len(array)
    if count < 2:
        return None
    from scipy.special import stdtrit  # the quantile of Student's t, what scipy.stats.t.ppf calls

    half = float(stdtrit(count - 1, 0.975)) * float(array.std(ddof=1)) / count**0.5
    return mean - half, mean + half


def rounded95(values: Sequence[float] | np.ndarray, digits: int = 2) -> list[float] | None:
    """`interval95` as JSON holds it."""
    found = interval95(values)
    return None if found is None else [round(value, digits) for value in found]


def wilson95(successes: Sequence[bool]) -> tuple[float, float]:
    """95 % interval of a success rate, from 0 to 1: Wilson's, which holds for few episodes and for none.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    n, z = len(successes), 1.959963984540054
    rate = sum(successes) / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (rate * (1 - rate) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def success_summary(successes: Sequence[bool | None]) -> dict[str, float | list[float] | None]:
    """`success_rate` and `success_ci95` for JSON; None where an episode's success is not known."""
    known = [bool(one) for one in successes if one is not None]
    if not known or len(known) < len(successes):
        return {"success_rate": None, "success_ci95": None}
    low, high = wilson95(known)
    return {
        "success_rate": round(sum(known) / len(known), 4),
        "success_ci95": [round(low, 4), round(high, 4)],
    }


def success_text(found: Mapping[str, Any]) -> str:
    """A success rate of `success_summary` in words."""
    low, high = found["success_ci95"]
    return f"{found['success_rate']:.0%} (95 %: {low:.0%} to {high:.0%})"


def span(interval: Sequence[float] | None, form: str = ".1f") -> str:
    """An interval as text; a single episode has none."""
    return "no interval" if interval is None else " to ".join(format(value, form) for value in interval)


@dataclass(frozen=True)
class Comparison:
    """Episodes of a policy against another's on the same seeds, all in units of return."""

    difference: float  # of the means: below 0 where the policy is worse
    interval: tuple[float, float] | None  # 95 %, of the paired difference; None for a single episode
    allowed: float  # what it may be worse by

    @property
    def passed(self) -> bool:
        """Whether the policy is no worse than allowed."""
        return self.difference >= -self.allowed


def compare(policy: Sequence[float], rival: Sequence[float], point: float) -> Comparison:
    """Compare paired episodes; see `Comparison`.

    Args:
        policy, rival: returns on the same seeds, in the same order.
        point: return that a point of score is worth; 0 where there is no score. Where it is less than the
            episodes' own spread, points say nothing and the spread decides.
    """
    ours, theirs = np.asarray(policy, np.float64), np.asarray(rival, np.float64)
    several = len(ours) > 1
    spread = float(max(ours.std(ddof=1), theirs.std(ddof=1))) if several else 0.0
    return Comparison(
        float((ours - theirs).mean()),
        interval95(ours - theirs),
        max(POINTS * point, SPREADS * spread),
    )
