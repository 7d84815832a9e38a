# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""D4RL's HDF5 layout: observations, actions, rewards, terminals, timeouts, next_observations, infos/*.

Observations may be a group (a dictionary), or be put together from several fields of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data import hdf5
from kdp_edge.data.formats.columns import Column, Picked, pick, vectors
from kdp_edge.data.formats.found import D4RL, Choice, Found
from kdp_edge.data.raw import Expected, check_shapes

if TYPE_CHECKING:
    import h5py

ARRAYS = ("observations", "actions", "rewards", "terminals", "timeouts", "next_observations")
AFTER = "next_observations"
GOAL = "infos/goal"
SUCCESSES = ("infos/success", "infos/is_success", "infos/goal_achieved")  # as recorders call it


@dataclass(frozen=True)
class _Field:
    """The data sets that make up a field, and the names of its columns where a user or a group gives them.

    plain: it is the one array of that name, whose shape `check_shapes` judges.
    """

    parts: dict[str, h5py.Dataset]
    picked: Picked
    names: tuple[str, ...]
    plain: bool

    def shape(self, path: Path) -> tuple[int, ...]:
        """[N, columns]."""
        first = next(iter(self.parts.values()))
        if self.plain:
            return tuple(first.shape)
        if any(len(dataset) != len(first) for dataset in self.parts.values()):
            shapes = ", ".join(f"'{key}' {list(dataset.shape)}" for key, dataset in self.parts.items())
            raise KdpError(
                f"{path}: fields of different length ({shapes}), expected one row a transition in all"
            )
        return len(first), len(self.picked.names)

    def read(self) -> np.ndarray:
        if self.plain:
            return np.asarray(next(iter(self.parts.values()))[:])
        return self.picked.matrix({key: dataset[:] for key, dataset in self.parts.items()})


def read_hdf5(
    path: Path, with_goal: bool = False, expected: Expected | None = None, choice: Choice | None = None
) -> Found:
    """The arrays of a D4RL file by name.

    Args:
        with_goal: append infos/goal to the observations: what maze behaviour pursued.
        expected: what the shapes must fit, before a goal is appended.
        choice: fields of the file that are observations and actions, or the names of their columns.

    Raises:
        KdpError: not an HDF5 file, or the goal is missing, or a field is refused (see `hdf5.find`, and
            `raw.check_shapes`: its header tells before anything is read).
    """
    choice = choice or Choice()
    choice.refuse(("episode", "time"), "D4RL's layout")
    with hdf5.opened(path) as file:
        if not set(file) & set(ARRAYS):
            there = ", ".join(sorted(file)[:8]) or "nothing"
            raise KdpError(f"{path}: no field of D4RL's layout (there: {there}); expected {ARRAYS[0]} …")
        found = _fields(file, with_goal, choice, path)
        has_rewards = "rewards" in found
        shapes = {name: one.shape(path) for name, one in found.items() if name in (*ARRAYS, "success")}
        check_shapes(_completed(shapes), str(path), expected)
        hdf5.check_memory(sum(part.nbytes for one in found.values() for part in one.parts.values()), path)
        fields = {name: one.read() for name, one in found.items()}
    for name, shape in _completed(shapes).items():
        fields.setdefault(name, np.zeros(shape, np.float32 if name == "rewards" else bool))
    goal = fields.pop(GOAL, None)
    fields = _with_goal(fields, goal, path) if with_goal else fields
    return Found(D4RL, fields, found["observations"].names, found["actions"].names, has_rewards=has_rewards)


def _fields(file: h5py.File, with_goal: bool, choice: Choice, path: Path) -> dict[str, _Field]:
    """What makes up each field of the file that it has."""
    found: dict[str, _Field] = {}
    for name, wanted in (("observations", choice.observations), ("actions", choice.actions)):
        if (one := _chosen(file, name, wanted, path)) is not None:
            found[name] = one
    for name in ("rewards", "terminals", "timeouts", *((GOAL,) if with_goal else ())):
        source = choice.reward if name == "rewards" and choice.reward else name
        dataset = hdf5.find(file, source, path)
        if dataset is not None:
            found[name] = _plain(name, dataset)
        elif source != name:
            there = ", ".join(sorted(file)[:8]) or "nothing"
            raise KdpError(f"{path}: no field '{source}' (--reward); there: {there}")
    for name in SUCCESSES:
        dataset = hdf5.find(file, name, path)
        if dataset is not None and dataset.dtype == bool:
            found.setdefault("success", _plain("success", dataset))
    if "observations" not in found or found["observations"].plain:
        dataset = hdf5.find(file, AFTER, path)
        return found if dataset is None else {**found, AFTER: _plain(AFTER, dataset)}
    after = hdf5.arrays_under(file, AFTER, path)
    picked = found["observations"].picked
    if set(picked.keys) <= set(after):
        found[AFTER] = _Field({key: after[key] for key in picked.keys}, picked, (), False)
    return found


def _plain(name: str, dataset: h5py.Dataset, names: tuple[str, ...] = ()) -> _Field:
    return _Field({name: dataset}, Picked(((name, None),), ()), names, True)


def _chosen(file: h5py.File, name: str, wanted: tuple[str, ...], path: Path) -> _Field | None:
    """What makes up observations or actions: by default the array, or all of the group; None if missing.

    `wanted` names arrays of the group or the file; of one array it names the columns.
    """
    own = hdf5.arrays_under(file, name, path)
    if not own and (own_array := hdf5.find(file, name, path)) is not None:
        return _plain(name, own_array)
    array = own.pop("", None)
    if array is not None and not any(hdf5.has(file, key.partition("/")[0], path) for key in wanted):
        return _plain(name, array, wanted)
    if not own and not wanted:
        return None
    others = hdf5.arrays_under(file, "", path) if any(key not in own for key in wanted) else {}
    datasets = {**others, **own}
    there = {key: Column(dataset.shape[1:], dataset.dtype) for key, dataset in datasets.items()}
    picked = pick(f"--{name}", wanted or vectors({key: there[key] for key in own}), there, str(path))
    return _Field({key: datasets[key] for key in picked.keys}, picked, picked.names, False)


def _completed(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """`shapes` with rewards and terminals of as many rows as there are actions, where they are missing.

    Without rewards a file holds demonstrations; without terminals its timeouts tell the ends.
    """
    rows = shapes.get("actions", ())[:1]
    optional = ("rewards", "terminals") if "timeouts" in shapes else ("rewards",)
    missing = [name for name in optional if name not in shapes] if rows else []
    return {**dict.fromkeys(missing, rows), **shapes}


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
