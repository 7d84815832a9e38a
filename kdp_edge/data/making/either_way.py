# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The behaviour of the ring's data: it goes either way, and turns round where it does not get on.

It does not look at the signal that says which way is closed. So data hold both ways whatever that says, and
what they cost: a plan that takes the free one has to be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kdp_edge.data.making.waypoints import DAMPING, STIFFNESS, TOLERANCE, shortest_path
from kdp_edge.tasks.maze2d import START_NOISE
from kdp_edge.tasks.ring_maze import DOORS, LEFT, RIGHT, ROWS, centre

PATIENCE = 20  # steps without a waypoint reached before it turns round


@dataclass
class _Way:
    """What is left of a path, which side it takes, and for how long no waypoint was reached."""

    goal: tuple[float, float]
    side: int
    path: list[np.ndarray] = field(default_factory=list)
    waited: int = 0


class EitherWay:
    """Controls several ring mazes at once; a coin is tossed when a goal changes."""

    def __init__(self) -> None:
        self.ways: dict[int, _Way] = {}

    def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Forces float32 [N, 2] in [-1, 1] for observations [N, 7] of mazes 0..N-1."""
        return np.stack([self._one(number, row, rng) for number, row in enumerate(obs)]).astype(np.float32)

    def _one(self, number: int, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        position, velocity, goal = obs[:2], obs[2:4], (float(obs[4]), float(obs[5]))
        way = self.ways.get(number)
        if way is None or way.goal != goal:
            way = self.ways[number] = _Way(goal, int(rng.choice((LEFT, RIGHT))))
        if way.waited == PATIENCE:
            way.side, way.path = -way.side, []
        if not way.path:
            way.path, way.waited = _path(position, goal, way.side, rng), 0
        way.waited += 1
        if len(way.path) > 1:
            if np.hypot(*(position - way.path[0])) < TOLERANCE:
                way.path.pop(0)
                way.waited = 0
        else:
            way.waited = 0
        force: np.ndarray = np.clip(STIFFNESS * (way.path[0] - position) - DAMPING * velocity, -1.0, 1.0)
        return force


def _path(
    position: np.ndarray, goal: tuple[float, float], side: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Waypoints by one side of the ring: the other's door is a wall to it."""
    row, column = DOORS[-side]
    rows = [list(line) for line in ROWS]
    rows[row][column] = "#"
    cells = shortest_path(["".join(line) for line in rows], _cell(position), _cell(np.asarray(goal)))
    between = [centre(cell) + rng.uniform(-START_NOISE, START_NOISE, 2) for cell in cells[1:-1]]
    return [*between, np.array(goal)]


def _cell(position: np.ndarray) -> tuple[int, int]:
    row, column = np.rint(position - centre((0, 0)))
    return int(row), int(column)
