# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Recorded observations in place of a plant: what they were answered with is noted, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.tasks import Task
from kdp_edge.tasks.simulation import Outcome, Piece


@dataclass(frozen=True)
class Recorded:
    """Episodes of a data set: observations float32 [T, obs], actions float32 [T, act] in their units."""

    task: Task  # of the data: its signals must be the policy's
    episodes: tuple[tuple[np.ndarray, np.ndarray], ...]

    @property
    def longest(self) -> int:
        """Steps of the longest episode."""
        return max(len(actions) for _, actions in self.episodes)


class Replay:
    """Plays recorded episodes to whatever acts, in the form of a Gymnasium environment.

    The seed of an episode is its number in the data. `info["recorded"]` is the action that was recorded for
    the observation just answered; there is no reward.
    """

    substeps = 1
    body = None

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._at = 0

    def reset(self, *, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin episode number `seed`, counted around."""
        self._observations, self._actions = self._recorded.episodes[seed % len(self._recorded.episodes)]
        self._at = 0
        return self._observations[0], {}

    def step(self, action: np.ndarray, earlier: Sequence[Piece] = ()) -> Outcome:
        """The next observation, whatever the actions are."""
        info = {"recorded": self._actions[self._at]}
        self._at += 1
        ended = self._at == len(self._actions)
        return self._observations[min(self._at, len(self._actions) - 1)], 0.0, False, ended, info

    def close(self) -> None:
        """Nothing is open."""


def gap_to_recorded(action: Sequence[float] | np.ndarray, info: dict[str, Any]) -> float | None:
    """Largest difference of an action to the recorded one, in its units; None from a plant that acts."""
    recorded = info.get("recorded")
    if recorded is None:
        return None
    return float(np.abs(np.asarray(action, np.float32) - recorded).max())
