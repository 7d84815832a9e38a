# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""ManiSkill's trajectories: traj_N with actions [T], obs [T + 1] (an array or groups), terminated, truncated.

The file of the same name with .json tells the environment. Observations hold the one after the last step,
so no step is lost.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object
from kdp_edge.data import hdf5
from kdp_edge.data.formats.columns import clean, left_out
from kdp_edge.data.formats.episodes import Part, side_by_side
from kdp_edge.data.formats.found import Choice, Found
from kdp_edge.data.formats.groups import AGAIN, choose, read_episodes

if TYPE_CHECKING:
    import h5py

EPISODE = re.compile(r"traj_(\d{1,18})")
FLAGS = ("terminated", "truncated", "success", "fail")
REPLAY = (
    "make them: python -m mani_skill.trajectory.replay_trajectory --traj-path … --obs-mode state --save-traj"
)


def is_maniskill(file: h5py.File) -> bool:
    return bool(_trajectories(file))


def read_maniskill(path: Path, choice: Choice) -> Found:
    """Every trajectory; by default all of obs that are no images, and all of actions.

    Raises:
        KdpError: the file was recorded without observations, or a trajectory differs from the first one.
    """
    choice.refuse(("episode", "time"), "ManiSkill's layout")
    with hdf5.opened(path) as file:
        groups = _trajectories(file)
        chosen = choose(file, groups[0], path, choice, REPLAY)
        parts = [
            Part(
                f"{path}: {group}",
                chosen.observations.matrix(arrays),
                chosen.actions.matrix(arrays),
                arrays[chosen.reward] if chosen.reward else None,
                _terminal(arrays, f"{path}: {group}", choice.ends),
                bool(np.any(arrays["success"])) if "success" in arrays else None,
            )
            for group, arrays in read_episodes(file, groups, chosen, path, ("terminated", "success"))
        ]
    unread = [key for key in chosen.unread(FLAGS) if not key.startswith("env_states/")]
    return Found(
        "ManiSkill HDF5",
        side_by_side(parts),
        chosen.observations.names,
        chosen.actions.names,
        environment=_environment(path.with_suffix(".json")),
        has_rewards=bool(chosen.reward),
        notes=tuple(left_out(unread)),
    )


def _trajectories(file: h5py.File) -> list[str]:
    """The groups of the trajectories by their number: traj_2 before traj_10."""
    found = [(int(match[1]), name) for name in file if (match := EPISODE.fullmatch(name))]
    return [name for _, name in sorted(found)]


def _terminal(arrays: dict[str, np.ndarray], where: str, ends: str) -> bool:
    """Whether the environment ended the trajectory, unless the user says that ends are cuts."""
    flags = arrays.get("terminated")
    if flags is None or flags.reshape(-1).shape != flags.shape[:1] or len(flags) == 0:
        raise KdpError(f"{where}: field 'terminated' is missing, or not one flag a step; {AGAIN}")
    flags = flags.reshape(-1).astype(bool)
    if ends == "cut":
        return False
    if flags[:-1].any():
        raise KdpError(
            f"{where}: field 'terminated' is true at step {int(flags.argmax())} and the trajectory goes on: "
            "the environment did not reset at success; give --ends cut"
        )
    return bool(flags[-1])


def _environment(file: Path) -> str:
    """Gymnasium id in the file beside the trajectories, empty where there is none."""
    if not file.is_file():
        return ""
    said = read_object(file).get("env_info")
    name = said.get("env_id") if isinstance(said, dict) else None
    return f"mani_skill.envs:{clean(name)}" if isinstance(name, str) and name else ""
