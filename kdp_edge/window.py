# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a window is: H steps of observations and actions in one vector; its slices, units and limits.

Every array may be NumPy's or torch's: nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Array = TypeVar("Array", bound=Any)  # np.ndarray or torch.Tensor

# What a device takes; a test holds them against the frame and against what firmware refuses.
MAX_OBS, MAX_ACT, MAX_HORIZON, MAX_LATENT, MAX_K = 250, 64, 254, 255, 64
MAX_BODY = 1020  # bytes of a frame without its CRC
PLAN_HEAD = 8  # bytes of a PLAN reply before k scores and the window

LEAST_SPREAD = 1e-30  # of a signal: its gain must stay a float32
FEW_LEVELS = 32  # of 255: a signal with fewer is named
MANY_ROWS = 200_000  # enough to tell percentiles


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
        """Of raw observations [N, obs]; a dimension that never moves keeps its unit.

        Not to move means: by less than the distance of two float32 numbers there, whatever the unit. A
        magnetometer in tesla moves by 1e-7, and a constant 1e6 has rounding of 0.03. That distance is the
        unit where it is larger than 1.
        """
        mean = observations.mean(0, dtype=np.float64)
        std = observations.std(0, dtype=np.float64)
        step = float32_step(observations)
        still = std <= np.maximum(step, LEAST_SPREAD)
        return cls(mean.astype(np.float32), np.where(still, np.maximum(step, 1.0), std).astype(np.float32))

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


def cut_windows(
    states: np.ndarray, actions: np.ndarray, start: np.ndarray, horizon: int, ends: np.ndarray
) -> np.ndarray:
    """Windows [M, size] that begin at the transitions `start` [M] of states [N, obs] and actions [N, act].

    Beyond an episode's end its last step stays.

    Args:
        ends: bool [N], as for `window_starts`.
    """
    steps = np.concatenate([states, actions], 1)
    last = np.flatnonzero(ends)
    last = last[np.searchsorted(last, start)]
    return steps[np.minimum(start[:, None] + np.arange(horizon), last[:, None])].reshape(len(start), -1)


def float32_step(values: np.ndarray) -> np.ndarray:
    """Distance of neighbouring float32 numbers at the largest magnitude of each column: float64 [columns]."""
    largest = np.maximum(np.abs(values.min(0)), np.abs(values.max(0)))
    largest = np.minimum(largest, np.finfo(np.float32).max / 2).astype(np.float32)
    return np.spacing(largest).astype(np.float64)


def int8_levels(values: np.ndarray) -> np.ndarray:
    """How many of the 255 int8 levels the middle 98 % of each column's values use: int64 [columns].

    A tensor's range is that of its largest value, measured from the mean. One glitch row that is far
    beyond the others therefore takes the levels of all others. A column with few different values, like
    a contact or a goal, needs no more levels than values: 255 stands for it, and for one that never moves.

    Args:
        values: raw or normalised [N, columns].
    """
    rows = values[:: len(values) // MANY_ROWS + 1]
    low, high = np.percentile(rows, (1, 99), axis=0)
    mean = values.mean(0, dtype=np.float64)
    largest = np.maximum(values.max(0) - mean, mean - values.min(0))
    level = np.where(largest > 0, largest, 1.0) / 127
    used = np.minimum(np.floor((high - low) / level).astype(np.int64) + 1, 255)
    for column in np.flatnonzero(used < 255):
        middle = rows[(rows[:, column] >= low[column]) & (rows[:, column] <= high[column]), column]
        if len(np.unique(middle)) <= used[column]:
            used[column] = 255
    return used


def beyond_device(shape: WindowShape, k: int, latent_dim: int) -> str | None:
    """Why no device can serve plans of that shape with `k` candidates; None where one can."""
    limits = {
        "observations": (shape.obs_dim, MAX_OBS),
        "actions": (shape.act_dim, MAX_ACT),
        "steps of a window (horizon)": (shape.horizon, MAX_HORIZON),
        "latent dimensions (latent_dim)": (latent_dim, MAX_LATENT),
        "candidates (k)": (k, MAX_K),
    }
    for what, (found, most) in limits.items():
        if found > most:
            return f"{found} {what}, the firmware takes at most {most}"
    size = PLAN_HEAD + k + shape.size
    if size > MAX_BODY:
        return (
            f"a plan of {k} candidates and {shape.horizon} steps of {shape.obs_dim} observations and "
            f"{shape.act_dim} actions is {size} bytes, a frame holds {MAX_BODY}"
        )
    return None
