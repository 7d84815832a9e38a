# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How far the int8 of each observation reaches.

To the farthest value of the calibration, as a rule. A signal with far outliers, such as the pitch of a
cheetah that now and then turns over, would be left with few levels for what it usually is: there the int8
reaches less far, and what lies beyond is read as its limit. What decides is the error of the actions that are
played, over all states of the calibration, the outliers among them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

USUAL = 4.0  # standard deviations: an int8 that reaches so far has levels enough
SHORTER = 0.5**0.5  # the next span that is tried, as a share of the one before
WORTH = 0.8  # of the squared error: what a shorter span has to get below

Played = Callable[[np.ndarray], np.ndarray]  # normalised states [n, obs] -> actions [n, act], shares


def signal_spans(states: np.ndarray, played: Played) -> np.ndarray:
    """The largest size that each signal's int8 tells, float32 [obs], in the units of `states`.

    Args:
        states: normalised, of the calibration, float32 [n, obs].
        played: what the trained net plays there.
    """
    spans = np.asarray(np.maximum(np.abs(states).max(0), 1e-4), np.float32)
    expected = played(states)
    for signal in np.flatnonzero(spans > USUAL).tolist():
        spans[signal] = _shortened(float(spans[signal]), states, signal, played, expected)
    return spans


def _shortened(span: float, states: np.ndarray, signal: int, played: Played, expected: np.ndarray) -> float:
    """The span of least error down from `span`, as long as each step is worth it."""

    def error(span: float) -> float:
        seen = states.copy()
        seen[:, signal] = _told(states[:, signal], span)
        return float(np.square(played(seen) - expected).mean())

    least = error(span)
    while (found := error(SHORTER * span)) < WORTH * least:
        span, least = SHORTER * span, found
    return span


def _told(values: np.ndarray, span: float) -> np.ndarray:
    """Values as an int8 that reaches `span` tells them."""
    step = span / 127
    return step * np.rint(values / step).clip(-128, 127)
