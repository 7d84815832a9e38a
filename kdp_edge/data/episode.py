# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One episode of a data set, before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Episode:
    """T transitions: observations [T+1, obs], actions [T, act], rewards [T]; float32.

    `terminated`: ended by the environment. Otherwise the episode was truncated, by its time limit
    or, if not `complete`, because its shard had its steps. `success`: as its plant said; None: it did not.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    complete: bool
    success: bool | None = None
