"""How good the whole trajectory was that a transition belongs to.

Mixed data sets hold good and poor behaviour in the same states; drawing good trajectories more
often (Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via Trajectory
Weighting", ICLR 2023) keeps a policy of limited size on the good ones.
"""

from __future__ import annotations

import numpy as np

from kdp_edge.data.store import DataSet


def trajectory_quality(data: DataSet) -> np.ndarray:
    """Return of each transition's episode, float32 [N], in standard deviations over the episodes.

    All zeros when every episode returned the same.
    """
    episode = np.concatenate([[0], np.cumsum(data.ends)[:-1]])
    returns = np.bincount(episode, weights=data.rewards)
    spread = returns.std()
    if spread < 1e-6 * max(1.0, float(np.abs(returns).max())):
        return np.zeros(len(data.rewards), np.float32)
    return ((returns - returns.mean()) / spread).astype(np.float32)[episode]
