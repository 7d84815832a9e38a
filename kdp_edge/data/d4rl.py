# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""D4RL's HDF5 layout: observations, actions, rewards, terminals, timeouts, next_observations, infos/*."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data import hdf5
from kdp_edge.data.raw import Expected, check_shapes

ARRAYS = ("observations", "actions", "rewards", "terminals", "timeouts", "next_observations")
GOAL = "infos/goal"


def read_hdf5(path: Path, with_goal: bool = False, expected: Expected | None = None) -> dict[str, np.ndarray]:
    """The arrays of a D4RL file by name.

    Args:
        expected: what the shapes must fit, before a goal is appended.
        with_goal: append infos/goal to the observations: what maze behaviour pursued.

    Raises:
        KdpError: not an HDF5 file, or the goal is missing, or a field is refused (see `hdf5.find`, and
            `raw.check_shapes`: its header tells before anything is read).
    """
    names = (*ARRAYS, GOAL) if with_goal else ARRAYS
    with hdf5.opened(path) as file:
        found = {name: dataset for name in names if (dataset := hdf5.find(file, name, path)) is not None}
        if not set(found) & set(ARRAYS):
            there = ", ".join(sorted(file)[:8]) or "nothing"
            raise KdpError(f"{path}: no field of D4RL's layout (there: {there}); expected {ARRAYS[0]} …")
        check_shapes({name: found[name].shape for name in ARRAYS if name in found}, str(path), expected)
        fields = hdf5.read(found, path)
    goal = fields.pop(GOAL, None)
    return _with_goal(fields, goal, path) if with_goal and "observations" in fields else fields


def _with_goal(fields: dict[str, np.ndarray], goal: Any, path: Path) -> dict[str, np.ndarray]:
    if goal is None:
        raise KdpError(f"{path}: field '{GOAL}' is missing; maze data need the goal that each row pursued")
    if fields["observations"].shape[1:] != (4,):
        raise KdpError(
            f"{path}: field 'observations' has shape {list(fields['observations'].shape)}, expected [N, 4]: "
            "position and velocity"
        )
    if goal.shape != (len(fields["observations"]), 2):
        raise KdpError(f"{path}: field '{GOAL}' has shape {list(goal.shape)}, expected [N, 2]")
    return pursue(fields, goal.astype(np.float32))


def pursue(fields: dict[str, np.ndarray], goal: np.ndarray) -> dict[str, np.ndarray]:
    """Maze data as the task sees them: the goal in the observation, its reward, an end where it changes.

    Args:
        fields: D4RL arrays with observations [N, 4].
        goal: float32 [N, 2], pursued at each row.
    """
    from kdp_edge.tasks.maze2d import GOAL_RADIUS

    observations = np.concatenate([fields["observations"], goal], 1)
    changes = np.append((goal[1:] != goal[:-1]).any(1), False)
    distance = np.linalg.norm(observations[1:, :2] - goal[:-1], axis=1)
    made = {
        **fields,
        "observations": observations,
        "rewards": np.append(distance <= GOAL_RADIUS, False).astype(np.float32),
        "timeouts": np.asarray(fields.get("timeouts", changes)).astype(bool) | changes,
    }
    made.pop("next_observations", None)
    return made
