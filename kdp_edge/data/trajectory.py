# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How good the whole trajectory was that a transition belongs to.

Mixed data sets hold good and poor behaviour in the same states; drawing good trajectories more
often (Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via Trajectory
Weighting", ICLR 2023) keeps a policy of limited size on the good ones.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.data.store import DataSet

ROUNDING = 1e-6  # of the rewards' sum, about ten float32 steps: returns that differ by less are alike
HALVINGS = 40  # of the interval in which the temperature is searched


def trajectory_merit(data: DataSet, tilt: float, share: float) -> np.ndarray:
    """Log-weight of each transition for its episode's return, float32 [N], in nats.

    The return in standard deviations over the episodes, divided by a temperature: `tilt`, or as
    much more as it takes for the effective number of episodes to stay at `share` of them. One
    behaviour policy's luck is no quality: without that floor, two lucky episodes of a
    single-policy set would outweigh the other thousand.
    """
    episode = np.concatenate([[0], np.cumsum(data.ends)[:-1]])
    returns = np.bincount(episode, weights=data.rewards)
    spread = returns.std()
    size = np.bincount(episode, weights=np.abs(data.rewards)).max()  # rewards of opposite sign cancel
    if spread <= ROUNDING * size:
        return np.zeros(len(data.rewards), np.float32)
    quality = (returns - returns.mean()) / spread
    return (quality / temperature(quality, tilt, share)).astype(np.float32)[episode]


def temperature(quality: np.ndarray, tilt: float, share: float) -> float:
    """Smallest temperature >= `tilt` that leaves at least `share` of [E] episodes effective."""
    if effective(quality, tilt) >= share * len(quality):
        return tilt
    low, high = tilt, 1e3 * max(tilt, 1.0)
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if effective(quality, middle) >= share * len(quality) else (middle, high)
    return high


def effective(quality: np.ndarray, tilt: float) -> float:
    """Kish's effective number of episodes drawn with chances softmax(quality / tilt)."""
    weight = np.exp((quality - quality.max()) / tilt)
    return float(weight.sum() ** 2 / np.square(weight).sum())
