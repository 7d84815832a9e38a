# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Maze2D: D4RL's three mazes; the ball and its walls are in maze2d.py."""

from __future__ import annotations

from kdp_edge.tasks.robots import built_in
from kdp_edge.tasks.task import Part, Task

SIZES = ("umaze", "medium", "large")
MAZE_NOISE = 0.5  # of the waypoint controller's actions, as in D4RL


def _maze(size: str) -> Task:
    """The goal is part of the observation: data pursue many goals, the task has one fixed goal."""
    return Task(
        f"maze2d-{size}",
        built_in(f"maze2d-{size}"),
        (Part("waypoints", 1.0, MAZE_NOISE),),
        400_000,
        play_env_id=f"kdp_edge.envs:kdp-edge/Maze2D-{size}-play-v0",
    )


MAZE = tuple(_maze(size) for size in SIZES)
