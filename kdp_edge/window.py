"""What a window is: H steps of observations and actions in one vector; its slices and its units.

Every array may be NumPy's or torch's: nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Array = TypeVar("Array", bound=Any)  # np.ndarray or torch.Tensor


@dataclass(frozen=True)
class WindowShape:
    """A window is step-major: `horizon` steps, each `obs_dim` observations and then `act_dim` actions."""

    horizon: int
    obs_dim: int
    act_dim: int

    @property
    def size(self) -> int:
        """Numbers in a window."""
        return self.horizon * (self.obs_dim + self.act_dim)

    def steps(self, windows: Array) -> Array:
        """Windows [..., size] by step: [..., horizon, obs_dim + act_dim]."""
        return windows.reshape(*windows.shape[:-1], self.horizon, self.obs_dim + self.act_dim)

    def observations(self, windows: Array) -> Array:
        """Observations of every step: [..., size] -> [..., horizon, obs_dim]."""
        return self.steps(windows)[..., : self.obs_dim]

    def actions(self, windows: Array, count: int | None = None) -> Array:
        """Actions of the first `count` steps, of all without it: [..., size] -> [..., count, act_dim]."""
        return self.steps(windows)[..., :count, self.obs_dim :]

    def action_columns(self, count: int | None = None) -> np.ndarray:
        """Which of a window's numbers are the actions of its first `count` steps: int64 [count * act_dim]."""
        return self.actions(np.arange(self.size), count).reshape(-1)


@dataclass(frozen=True)
class Normalizer:
    """Observations to zero mean and unit spread: (obs - mean) / std; float32 [obs]."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, observations: np.ndarray) -> Normalizer:
        """Of raw observations [N, obs]; a dimension that never moves keeps its unit."""
        mean = observations.mean(0, dtype=np.float64)
        std = observations.std(0, dtype=np.float64)
        return cls(mean.astype(np.float32), np.where(std < 1e-6, 1.0, std).astype(np.float32))

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Raw observations [..., obs] -> normalised, float32."""
        return ((observations - self.mean) / self.std).astype(np.float32)


def window_starts(ends: np.ndarray, horizon: int) -> np.ndarray:
    """First transitions of all windows of `horizon` steps that stay within one episode.

    Args:
        ends: bool [N], true at the last transition of each episode (the last one included).
    """
    crosses = np.zeros(len(ends), bool)
    last = np.flatnonzero(ends)
    for back in range(horizon - 1):
        crosses[np.maximum(last - back, 0)] = True
    starts = np.flatnonzero(~crosses)
    return starts[starts + horizon <= len(ends)]


def cut_windows(states: np.ndarray, actions: np.ndarray, start: np.ndarray, horizon: int) -> np.ndarray:
    """Windows [M, size] that begin at the transitions `start` [M] of states [N, obs] and actions [N, act]."""
    steps = np.concatenate([states, actions], 1)
    return steps[start[:, None] + np.arange(horizon)].reshape(len(start), -1)
