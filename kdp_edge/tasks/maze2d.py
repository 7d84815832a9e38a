# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Maze2D in D4RL's frame: a ball with a force on each axis, walls, one goal.

Coordinates are D4RL's: x counts rows and y columns of the maze, a cell's centre lies at its index
minus 0.2. Written from the facts of the published tasks (dimensions, dynamics, goals, rewards).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Box

MAZES = {  # '#' wall, 'O' free, 'G' the task's goal
    "umaze": "##### #GOO# ###O# #OOO# #####",
    "medium": "######## #OO##OO# #OO#OOO# ##OOO### #OO#OOO# #O#OO#O# #OOO#OG# ########",
    "large": (
        "############ #OOOO#OOOOO# #O##O#O#O#O# #OOOOOO#OOO# #O####O###O# "
        "#OO#O#OOOOO# ##O#O#O#O### #OO#OOO#OGO# ############"
    ),
}
OFFSET = 0.2  # from a cell's index to the ball's coordinate at the cell's centre
GOAL_RADIUS = 0.5
REACHED = 0.1  # the waypoint controller turns to the next goal within this distance
DWELL = 20  # steps at a reached goal before a playing episode ends
START_NOISE = 0.1
MAX_SPEED = 5.0


class Maze2D(gymnasium.Env):
    """Observation [x, y, x_velocity, y_velocity, goal_x, goal_y] float32, action [force x, y] in [-1, 1].

    Reward 1 for each step that ends within 0.5 of the goal. It never terminates. With `play`, as
    behaviour data are made: the goal is drawn anew at each reset, an episode is truncated a moment
    after the goal was reached, and the next one goes on from there.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # the type that gymnasium declares
    substeps = 1  # of physics in a control step

    def __init__(self, maze: str = "umaze", play: bool = False, rows: Sequence[str] = ()) -> None:
        """`rows`: of another maze than D4RL's."""
        self.rows = list(rows) or MAZES[maze].split()
        self.play = play
        self.model = _model(self.rows)
        self.data = mujoco.MjData(self.model)
        self.free = _cells(self.rows, "OG")
        self.task_goal = np.array(_cells(self.rows, "G")[0], np.float64)
        self.goal = self.task_goal
        self.reached_for = 0
        self.observation_space = Box(-np.inf, np.inf, (6,), np.float32)
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """`options={"goal": (x, y)}` sets another goal."""
        super().reset(seed=seed)
        if not (self.play and self.reached_for):
            self._place()
        self.reached_for = 0
        self.goal = self._next_goal() if self.play else self.task_goal
        if options and "goal" in options:
            self.goal = np.asarray(options["goal"], np.float64)
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        np.clip(self.data.qvel, -MAX_SPEED, MAX_SPEED, out=self.data.qvel)
        self.data.ctrl[:] = np.clip(action, -1.0, 1.0)
        mujoco.mj_step(self.model, self.data, self.substeps)
        distance = float(np.hypot(*(self.data.qpos - self.goal)))
        if distance < REACHED or self.reached_for:
            self.reached_for += 1
        truncated = self.play and self.reached_for > DWELL
        return self._observation(), float(distance <= GOAL_RADIUS), False, truncated, {"distance": distance}

    def _place(self) -> None:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self._start()
        self.data.qvel[:] = self.np_random.normal(0.0, START_NOISE, 2)

    def _start(self) -> np.ndarray:
        return self._near_a_free_cell()

    def _next_goal(self) -> np.ndarray:
        return self._near_a_free_cell()

    def _near_a_free_cell(self) -> np.ndarray:
        cell = self.free[self.np_random.integers(len(self.free))]
        return np.array(cell) + self.np_random.uniform(-START_NOISE, START_NOISE, 2)

    def _observation(self) -> np.ndarray:
        return np.concatenate([self.data.qpos, self.data.qvel, self.goal]).astype(np.float32)


def maze_goal(maze: str) -> np.ndarray:
    """The task's fixed goal [2] of a maze."""
    return np.array(_cells(MAZES[maze].split(), "G")[0], np.float32)


def _cells(rows: list[str], kinds: str) -> list[tuple[int, int]]:
    return [(r, c) for r, row in enumerate(rows) for c, kind in enumerate(row) if kind in kinds]


def _model(rows: list[str]) -> mujoco.MjModel:
    """Ball of radius 0.1 on two slides; time step 0.01 s, gear 100, damping 1, frictionless contacts.

    A door 'D' is a wall that `RingMaze` opens.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_TRUE
    spec.option.timestep = 0.01
    spec.option.gravity = [0.0, 0.0, 0.0]
    spec.option.iterations = 20
    solid = {"friction": [0.5, 0.1, 0.1], "density": 1000.0, "margin": 0.002, "condim": 1}
    ball = spec.worldbody.add_body(name="ball", pos=[1 + OFFSET, 1 + OFFSET, 0.0])
    ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.1, 0.0, 0.0], contype=1, conaffinity=1, **solid)
    for name, axis in (("x", [1, 0, 0]), ("y", [0, 1, 0])):
        ball.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, damping=1)
        motor = spec.add_actuator(
            name=f"{name}_force", target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT,
            ctrlrange=[-1, 1], ctrllimited=1,
        )  # fmt: skip
        motor.gear[0] = 100
    for row, column in _cells(rows, "#D"):
        spec.worldbody.add_geom(
            name=f"cell_{row}_{column}",
            type=mujoco.mjtGeom.mjGEOM_BOX, pos=[row + 1, column + 1, 0], size=[0.5, 0.5, 0.2],
            contype=2, conaffinity=1, **solid,
        )  # fmt: skip
    return spec.compile()
