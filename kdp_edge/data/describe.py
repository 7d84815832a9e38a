# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a data set's behaviour achieves: returns, lengths, scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdp_edge.base.statistics import success_summary
from kdp_edge.data.episode import Episode
from kdp_edge.tasks import Task


def statistics(task: Task, episodes: Sequence[Episode], has_rewards: bool = True) -> dict[str, Any]:
    """Of episodes that ended by themselves or by a limit; others are cut short by the recipe.

    Maze data pursue many goals, so there a return is what the data's motion would earn at the task's
    own goal over a whole episode: steps within its radius / steps * steps of an episode.
    Demonstrations without rewards have no return.
    """
    whole = [e for e in episodes if e.complete]
    lengths = np.array([len(e.rewards) for e in whole] or [0])
    returns = np.array([e.rewards.sum(dtype=np.float64) for e in whole])
    if task.name.startswith("maze2d"):
        returns = _at_the_goal(task, whole)
    known = has_rewards and len(returns) > 0
    mean = float(returns.mean()) if known else 0.0
    return {
        "complete_episodes": len(whole),
        "return_mean": round(mean, 2) if known else None,
        "return_std": round(float(returns.std()), 2) if known else None,
        "score_mean": round(task.score(mean), 2) if known else None,
        "length_mean": round(float(lengths.mean()), 1),
        **success_summary([e.success for e in whole]),
    }


def successes(episodes: Sequence[Episode]) -> dict[str, list[bool]]:
    """Of each episode, for the record; empty where its plant or its file has no word for it."""
    found = [e.success for e in episodes if e.success is not None]
    return {"successes": found} if found and len(found) == len(episodes) else {}


def _at_the_goal(task: Task, episodes: Sequence[Episode]) -> np.ndarray:
    from kdp_edge.tasks.maze2d import GOAL_RADIUS, maze_goal

    goal = maze_goal(task.name.partition("-")[2])
    inside = [np.linalg.norm(e.observations[1:, :2] - goal, axis=1) <= GOAL_RADIUS for e in episodes]
    if not inside:
        return np.zeros(0)
    steps = np.concatenate(inside)
    pieces = np.array_split(steps, max(1, len(steps) // task.max_episode_steps))
    return np.array([piece.mean() * task.max_episode_steps for piece in pieces])
