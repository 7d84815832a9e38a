"""What every report says about a mean: its 95 % confidence interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interval95(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the mean (Student's t); a single value has no width."""
    array = np.asarray(values, np.float64)
    mean, count = float(array.mean()), len(array)
    if count < 2:
        return mean, mean
    from scipy.special import stdtrit  # the quantile of Student's t, what scipy.stats.t.ppf calls

    half = float(stdtrit(count - 1, 0.975)) * float(array.std(ddof=1)) / count**0.5
    return mean - half, mean + half
