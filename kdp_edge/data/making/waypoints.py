# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The behaviour of maze data: breadth-first path to the goal, a spring to each waypoint on it."""

from __future__ import annotations

from collections import deque

import numpy as np

STIFFNESS = 10.0
DAMPING = 1.0
TOLERANCE = 0.1  # distance at which a waypoint counts as reached
JITTER = 0.2  # waypoints are moved by up to this much towards smaller x and y

Cell = tuple[int, int]


class Waypoints:
    """Controls several mazes at once; each path is planned when its goal changes.

    `rows`: the maze, '#' is a wall.
    """

    def __init__(self, rows: list[str]) -> None:
        self.rows = rows
        self.goals: dict[int, tuple[float, float]] = {}
        self.paths: dict[int, list[np.ndarray]] = {}

    def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Forces float32 [N, 2] in [-1, 1] for observations [N, 6] of mazes 0..N-1."""
        return np.stack([self._one(number, row, rng) for number, row in enumerate(obs)]).astype(np.float32)

    def _one(self, number: int, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        position, velocity, goal = obs[:2], obs[2:4], (float(obs[4]), float(obs[5]))
        if self.goals.get(number) != goal:
            self.goals[number] = goal
            self.paths[number] = self._path(position, goal, rng)
        path = self.paths[number]
        if len(path) > 1 and np.hypot(*(position - path[0])) < TOLERANCE:
            path.pop(0)
        return np.clip(STIFFNESS * (path[0] - position) - DAMPING * velocity, -1.0, 1.0)

    def _path(
        self, position: np.ndarray, goal: tuple[float, float], rng: np.random.Generator
    ) -> list[np.ndarray]:
        cells = shortest_path(self.rows, _cell(position), _cell(np.asarray(goal)))
        between = [np.array(cell) - JITTER * rng.uniform(size=2) for cell in cells[1:-1]]
        return [*between, np.array(goal)]


def _cell(position: np.ndarray) -> Cell:
    row, column = np.rint(position)
    return int(row), int(column)


def shortest_path(rows: list[str], start: Cell, goal: Cell) -> list[Cell]:
    """Cells from `start` to `goal`, both included; only the goal if `start` has no way to it."""
    following: dict[Cell, Cell | None] = {goal: None}
    queue = deque([goal])
    while queue and start not in following:
        cell = queue.popleft()
        for dr, dc in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            beside = (cell[0] + dr, cell[1] + dc)
            if beside not in following and rows[beside[0]][beside[1]] != "#":
                following[beside] = cell
                queue.append(beside)
    path: list[Cell] = []
    cell_or_end: Cell | None = start if start in following else goal
    while cell_or_end is not None:
        path.append(cell_or_end)
        cell_or_end = following[cell_or_end]
    return path
