# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Minari data sets: by id from Minari's own folder or its server, or by path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data import hdf5
from kdp_edge.data.d4rl import pursue

METADATA, MAIN_FILE = "metadata.json", "main_data.hdf5"
ID = re.compile(r"[\w.-]+(/[\w.-]+)*-v\d+")


def is_minari_id(source: str) -> bool:
    return ID.fullmatch(source) is not None


def open_minari(source: str, download: bool) -> Any:
    """The `MinariDataset` called or lying at `source`; raises `KdpError` with what to do."""
    from minari import MinariDataset, load_dataset

    folder = Path(source)
    data = folder / "data" if (folder / "data").is_dir() else folder
    try:
        if (data / METADATA).is_file():
            _check_stored(data)
            return MinariDataset(data)
        found = load_dataset(source, download=download)
        _check_stored(Path(found.spec.data_path))
        return found
    except KdpError:
        raise
    except FileNotFoundError:
        raise KdpError(
            f"Minari data set '{source}' is not on this machine; fetch it with --download, or copy it into "
            "the folder that MINARI_DATASETS_PATH names"
        ) from None
    except ImportError as error:
        hint = "" if "pip install" in str(error) else "; try: pip install 'minari[hf]'"
        raise KdpError(f"Minari data set '{source}': {error}{hint}") from None
    except Exception as error:  # the server's client raises kinds of its own
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise KdpError(f"Minari data set '{source}': {first}; check the id and the network") from None


def _check_stored(data: Path) -> None:
    """Check the HDF5 file of a set before Minari reads it; sets in Arrow's format have none."""
    if (data / MAIN_FILE).is_file():
        hdf5.check_file(data / MAIN_FILE)


def read_minari(stored: Any, source: str, maze: list[str] | None = None) -> dict[str, np.ndarray]:
    """A Minari set as D4RL's arrays; next_observations are exact, episodes as Minari has them.

    Args:
        maze: rows of the maze if this is a PointMaze set: coordinates become D4RL's.

    Raises:
        KdpError: a field is damaged, or observations or actions are not plain vectors.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for episode in _episodes(stored, source):
        for name, array in _fields(episode, source, maze).items():
            columns.setdefault(name, []).append(array)
    if not columns:
        raise KdpError(f"Minari data set '{source}' has no episode")
    for name, parts in columns.items():
        widths = {part.shape[1:] for part in parts}
        if len(widths) > 1:
            raise KdpError(
                f"Minari data set '{source}': field '{name}' has rows of shape {sorted(widths)} in different "
                "episodes, expected one shape in all"
            )
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _episodes(stored: Any, source: str) -> Iterator[Any]:
    try:
        yield from stored.iterate_episodes()
    except Exception as error:  # HDF5 and Minari answer damage with kinds of their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise KdpError(f"Minari data set '{source}': unreadable ({reason}); fetch it again") from None


def _fields(episode: Any, source: str, maze: list[str] | None) -> dict[str, np.ndarray]:
    where = f"Minari data set '{source}', episode {episode.id}"
    observations, actions, goal = episode.observations, episode.actions, None
    if maze is not None:
        observations, actions, goal = _point_maze(episode, source, maze)
    rewards = np.asarray(episode.rewards)
    if rewards.ndim == 0 or len(rewards) == 0:
        raise KdpError(f"{where}: field 'rewards' has no row, expected one a transition")
    steps = len(rewards)
    observations = _matrix(observations, "observations", steps + 1, where)
    terminations = np.asarray(episode.terminations)
    if terminations.shape not in ((steps,), (steps, 1)):
        raise KdpError(
            f"{where}: field 'terminations' has shape {list(terminations.shape)}, "
            f"expected [{steps}] as rewards"
        )
    ended = terminations.reshape(-1).astype(bool)
    last = np.arange(steps) == steps - 1
    fields = {
        "observations": observations[:-1],
        "actions": _matrix(actions, "actions", steps, where),
        "rewards": rewards,
        "terminals": ended,
        "timeouts": last & ~ended,
        "next_observations": observations[1:],
    }
    return fields if goal is None else pursue(fields, goal[:-1])


def _matrix(value: Any, field: str, rows: int, where: str) -> np.ndarray:
    """A field of an episode as [rows, n]; refused are spaces that no vector of numbers stands for."""
    if isinstance(value, dict | tuple | list):
        parts = f" of {', '.join(value)}" if isinstance(value, dict) else ""
        raise KdpError(
            f"{where}: field '{field}' is a {type(value).__name__}{parts}, expected one array [{rows}, n]; "
            "flatten it first (gymnasium.wrappers.FlattenObservation, or side by side)"
        )
    array = np.asarray(value)
    if array.ndim == 1 and array.dtype.kind in "iu":
        raise KdpError(
            f"{where}: field '{field}' is discrete ({array.dtype} of shape {list(array.shape)}), expected "
            f"floats [{rows}, n]; only continuous observations and actions can be planned"
        )
    if array.ndim != 2 or len(array) != rows:
        raise KdpError(
            f"{where}: field '{field}' has shape {list(array.shape)} and dtype {array.dtype}, expected "
            f"[{rows}, n] of floats; flatten it first"
        )
    return array


def _point_maze(episode: Any, source: str, maze: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PointMaze counts x to the right and y upwards from the maze's middle; D4RL row and column."""
    from kdp_edge.tasks.maze2d import OFFSET

    seen = episode.observations
    if not isinstance(seen, dict) or not {"observation", "desired_goal"} <= set(seen):
        raise KdpError(
            f"Minari data set '{source}': field 'observations' is no PointMaze dictionary; expected "
            "observation and desired_goal"
        )
    middle = np.array([len(maze) / 2 - 0.5 - OFFSET, len(maze[0]) / 2 - 0.5 - OFFSET], np.float32)

    def turned(xy: np.ndarray) -> np.ndarray:
        return np.stack([-xy[:, 1], xy[:, 0]], 1).astype(np.float32)

    state, goal = seen["observation"], seen["desired_goal"]
    position = turned(state[:, :2]) + middle
    return np.concatenate([position, turned(state[:, 2:])], 1), turned(episode.actions), turned(goal) + middle
