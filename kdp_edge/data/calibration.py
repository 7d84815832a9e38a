# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What quantization needs of a data set: sampled states, and how fast actions change."""

from __future__ import annotations

import numpy as np

from kdp_edge.data.store import DataSet

CHANGE_QUANTILE = 0.999  # of the changes between two steps of the data: what is rarer may be a glitch


def calibration_states(data: DataSet, seed: int, count: int) -> np.ndarray:
    """Raw observations float32 [count, obs] sampled from the data set, for quantization."""
    rows = np.random.default_rng(seed).choice(len(data), min(count, len(data)), replace=False)
    return np.ascontiguousarray(data.observations[rows], np.float32)


def action_change(actions: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How far each action changes between two steps of an episode, as a share of half its range: the 99.9 %
    quantile, float32 [act].

    Args:
        actions: shares [N, act].
        ends: bool [N], true at the last step of each episode.
    """
    played = np.clip(actions, -1, 1)
    change = np.abs(np.diff(played, axis=0))
    within = change[~ends[:-1]]
    if len(within) == 0:
        return np.full(played.shape[1], 2, np.float32)
    return np.quantile(within, CHANGE_QUANTILE, axis=0).astype(np.float32)
