# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a recipe has to know of a data set, in a few numbers: dimensions, goals, ends, how much is good."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from kdp_edge.data.store import DataSet, dataset_path, load_data, read_meta
from kdp_edge.learn.modes import forks

STILL = 1e-3  # of a signal's spread: what moves less within an episode is told to it, not sensed by it
ALIKE = 1e-6  # of the largest reward, about ten float32 steps
TOP, BOTTOM = 0.95, 0.05  # quantiles of the returns, by steps, that stand for the best and the worst
NEAR = 0.15  # of the best, or of the range where that is wider: a return that near is as good


@dataclass(frozen=True)
class Traits:
    """Facts about a data set, none of them about its task.

    signals, actuators: dimensions of observation and action; length: mean steps of an episode; ends: share
    of episodes that the environment ended (a fall, a crash, a goal reached); goals: signals that differ
    between episodes and stand still within each; same_reward: share of steps that have the most common
    reward; rewards: whether these differ at all; verdict: whether they differ by episodes' last steps
    alone, and some are better there, so that a return says whether an episode succeeded; best: share of steps
    in episodes whose return is near the best's; stands: of these steps, the share in episodes that the
    environment did not end; step: median distance between successive observations, in standard deviations of
    a signal; forks: share of states from which the data go on in two separate ways
    (modes.py).
    """

    signals: int
    actuators: int
    transitions: int
    episodes: int
    length: float
    ends: float
    goals: int
    same_reward: float
    rewards: bool
    verdict: bool
    best: float
    step: float
    forks: float = 0.0
    stands: float = 0.0

    @property
    def to_goals(self) -> bool:
        """Whether episodes pursue goals that they are told, and rewards say little but that one is there."""
        return self.goals > 0 and self.same_reward >= 0.5

    def to_json(self) -> dict[str, Any]:
        rounded = {name: round(v, 4) if isinstance(v, float) else v for name, v in asdict(self).items()}
        return {**rounded, "to_goals": self.to_goals}


def traits_named(name: str) -> Traits:
    """Of a data set in the workspace; a process measures each once.

    Raises:
        KdpError: no such data set.
    """
    return _measured(name, str(dataset_path(name)), read_meta(name)["sha256"])


@cache
def _measured(name: str, path: str, sha256: str) -> Traits:
    """`path` and `sha256` tell sets of one name apart."""
    return traits_of(load_data(name))


def traits_of(data: DataSet) -> Traits:
    """Measure a data set."""
    episode = np.concatenate([[0], np.cumsum(data.ends)[:-1]])
    steps = np.bincount(episode)
    rewards = data.rewards.astype(np.float64)
    returns = np.bincount(episode, weights=rewards)
    ended = np.bincount(episode, weights=data.terminals) > 0
    spread = data.observations.std(0, dtype=np.float64)
    moved = (data.next_observations.astype(np.float64) - data.observations) / (spread + 1e-6)
    values, counts = np.unique(data.rewards, return_counts=True)
    usual = values[counts.argmax()]
    special = data.rewards != usual
    differ = bool(np.ptp(rewards) > ALIKE * np.abs(rewards).max())
    return Traits(
        signals=data.observations.shape[1],
        actuators=data.actions.shape[1],
        transitions=len(data),
        episodes=len(steps),
        length=float(steps.mean()),
        ends=float(ended.mean()),
        goals=_goals(data.observations, episode, steps, spread),
        same_reward=float(1 - special.mean()),
        rewards=differ,
        verdict=differ and bool((data.rewards > usual).any() and data.ends[special].all()),
        best=near_best(returns, steps),
        step=float(np.median(np.sqrt(np.square(moved).mean(1)))),
        forks=forks(data),
        stands=share_of_best(returns, steps, ~ended),
    )


def _goals(observations: np.ndarray, episode: np.ndarray, steps: np.ndarray, spread: np.ndarray) -> int:
    """Signals that differ between episodes and stand still within each."""
    count = 0
    for column in range(observations.shape[1]):
        values = observations[:, column].astype(np.float64)
        mean = np.bincount(episode, weights=values) / steps
        within = np.sqrt(np.square(values - mean[episode]).mean())
        count += int(spread[column] > 0 and within < STILL * spread[column])
    return count


def near_best(returns: np.ndarray, steps: np.ndarray) -> float:
    """Share of the steps that lie in episodes near the best; `returns` and `steps` [E] of the episodes."""
    return float(steps[_near(returns, steps)].sum() / steps.sum())


def share_of_best(returns: np.ndarray, steps: np.ndarray, having: np.ndarray) -> float:
    """Share of the steps near the best that lie in episodes `having` [E] something."""
    near = _near(returns, steps)
    return float(steps[near & having].sum() / steps[near].sum())


def _near(returns: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Which episodes [E] are near the best."""
    order = np.argsort(returns)
    rank = np.searchsorted(np.cumsum(steps[order]) / steps.sum(), (BOTTOM, TOP))
    worst, best = returns[order][np.minimum(rank, len(order) - 1)]
    near: np.ndarray = returns >= best - NEAR * max(best - worst, abs(best))
    return near
