"""What every report says about a mean: its 95 % confidence interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# 97.5 % quantile of Student's t for 1..30 degrees of freedom; 1.96 beyond
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def interval95(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the mean (Student's t); a single value has no width."""
    array = np.asarray(values, np.float64)
    mean, count = float(array.mean()), len(array)
    if count < 2:
        return mean, mean
    t = _T[count - 2] if count - 2 < len(_T) else 1.96
    half = t * float(array.std(ddof=1)) / count**0.5
    return mean - half, mean + half
