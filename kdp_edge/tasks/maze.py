# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Maze2D: D4RL's three mazes, and a ring of two equal ways; the ball and its walls are in maze2d.py."""

from __future__ import annotations

from kdp_edge.tasks.robots import built_in
from kdp_edge.tasks.task import Part, Task

SIZES = ("umaze", "medium", "large")
RING = "ring-maze"
MAZE_NOISE = 0.5  # of the waypoint controller's actions, as in D4RL
RING_NOISE = 0.2  # of the ring's controller


def _maze(size: str) -> Task:
    """The goal is part of the observation: data pursue many goals, the task has one fixed goal."""
    return Task(
        f"maze2d-{size}",
        built_in(f"maze2d-{size}"),
        (Part("waypoints", 1.0, MAZE_NOISE),),
        400_000,
        play_env_id=f"kdp_edge.envs:kdp-edge/Maze2D-{size}-play-v0",
    )


def _ring() -> Task:
    """No D4RL task: what `bench ring` asks whether plans take one of two equal ways."""
    return Task(
        RING,
        built_in(RING),
        (Part("either-way", 1.0, RING_NOISE),),
        30_000,
        play_env_id="kdp_edge.envs:kdp-edge/RingMaze-play-v0",
        in_suite=False,
    )


MAZE = (*(_maze(size) for size in SIZES), _ring())
