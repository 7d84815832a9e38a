# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A ring maze: from one end to the other two ways are equal, and one of them may be closed.

Which one is closed is a signal of the observation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box

from kdp_edge.tasks.maze2d import GOAL_RADIUS, OFFSET, START_NOISE, Maze2D

ROWS = ("#####", "#OGO#", "#D#D#", "#OOO#", "#####")
ENDS = ((3, 2), (1, 2))  # the cells of start and goal
LEFT, NONE, RIGHT = -1, 0, 1  # which way is closed; the left one has the smaller y
DOORS = {LEFT: (2, 1), RIGHT: (2, 3)}  # the cell that is filled where a way is closed
CLOSED = 0.5  # chance that a way is closed, either alike


class RingMaze(Maze2D):
    """`Maze2D` on a ring; observation [x, y, x_velocity, y_velocity, goal_x, goal_y, blocked] float32.

    `blocked` is -1 (the left way is closed), 0 or 1 (the right one), drawn at each reset. A step's info says
    whether the ball is at the goal (`reached`) and how far it is to the right of start and goal (`side`, m).
    With `play`, as data are made, an episode leads from one end to the other, and the next one back.
    """

    substeps = 2  # a goal is about 70 steps away: values see it
    dt = 0.02  # seconds of a control step
    blocked = NONE

    def __init__(self, play: bool = False) -> None:
        super().__init__(play=play, rows=ROWS)
        self.goal = self.task_goal = centre(ENDS[1])
        self.observation_space = Box(-np.inf, np.inf, (7,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """`options={"blocked": -1, 0 or 1}` closes that way or none; "goal" as in every maze."""
        super().reset(seed=seed, options=options)
        blocked = self.np_random.choice((LEFT, NONE, RIGHT), p=(CLOSED / 2, 1 - CLOSED, CLOSED / 2))
        self._close(int((options or {}).get("blocked", blocked)))
        return self._observation(), {"blocked": self.blocked}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        side = float(self.data.qpos[1] - centre(ENDS[0])[1])
        info |= {"reached": info["distance"] <= GOAL_RADIUS, "side": side, "blocked": self.blocked}
        return observation, reward, terminated, truncated, info

    def _start(self) -> np.ndarray:
        return centre(ENDS[0]) + self.np_random.uniform(-START_NOISE, START_NOISE, 2)

    def _next_goal(self) -> np.ndarray:
        """The end that is farther away."""
        away = [np.hypot(*(self.data.qpos - centre(end))) for end in ENDS]
        return centre(ENDS[int(np.argmax(away))])

    def _observation(self) -> np.ndarray:
        return np.append(super()._observation(), np.float32(self.blocked))

    def _close(self, blocked: int) -> None:
        """Shut one door; one that is open is neither met nor seen."""
        self.blocked = blocked
        for way, (row, column) in DOORS.items():
            door, shut = self.model.geom(f"cell_{row}_{column}").id, way == blocked
            self.model.geom_conaffinity[door] = int(shut)
            self.model.geom_rgba[door, 3] = float(shut)


def centre(cell: tuple[int, int]) -> np.ndarray:
    """Where the ball is in the middle of a cell [2]."""
    return np.array(cell, np.float64) - OFFSET
