# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Maze2D: D4RL's three mazes; the ball and its walls are in maze2d.py."""

from __future__ import annotations

from kdp_edge.tasks.task import Part, Task

_MAZES = {"umaze": (300, 23.85, 161.86), "medium": (600, 13.13, 277.39), "large": (800, 6.7, 273.99)}
MAZE_NOISE = 0.5  # of the waypoint controller's actions, as in D4RL


def _maze(size: str) -> Task:
    """The goal is part of the observation: data pursue many goals, the task has one fixed goal."""
    steps, ref_min, ref_max = _MAZES[size]
    return Task(
        name=f"maze2d-{size}",
        env_id=f"kdp_edge.envs:kdp-edge/Maze2D-{size}-v0",
        obs_names=("x", "y", "x_velocity", "y_velocity", "goal_x", "goal_y"),
        obs_units=("m", "m", "m/s", "m/s", "m", "m"),
        act_names=("x_force", "y_force"),
        act_units=("1", "1"),
        act_low=-1.0,
        act_high=1.0,
        rate_hz=100.0,
        max_episode_steps=steps,
        ref_min=ref_min,
        ref_max=ref_max,
        recipe=(Part("waypoints", 1.0, MAZE_NOISE),),
        default_steps=400_000,
        play_env_id=f"kdp_edge.envs:kdp-edge/Maze2D-{size}-play-v0",
    )


MAZE = tuple(_maze(size) for size in _MAZES)
