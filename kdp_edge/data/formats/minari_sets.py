# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Minari data sets: by id from Minari's own folder or its server, or by path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError, reason
from kdp_edge.data import hdf5
from kdp_edge.data.formats.columns import Column, pick, vectors
from kdp_edge.data.formats.d4rl import pursue
from kdp_edge.data.formats.found import MINARI, Choice, Found

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
        raise KdpError(f"Minari data set '{source}': {reason(error)}; check the id and the network") from None


def _check_stored(data: Path) -> None:
    """Check the HDF5 file of a set before Minari reads it; sets in Arrow's format have none."""
    if (data / MAIN_FILE).is_file():
        hdf5.check_file(data / MAIN_FILE)


def read_minari(
    stored: Any, source: str, maze: list[str] | None = None, choice: Choice | None = None
) -> Found:
    """A Minari set as D4RL's arrays; next_observations are exact, episodes as Minari has them.

    Args:
        maze: rows of the maze if this is a PointMaze set: coordinates become D4RL's.
        choice: keys of dictionaries, or names of the columns of one array.

    Raises:
        KdpError: a field is damaged, or observations or actions are no vectors, nor dictionaries of them.
    """
    choice = choice or Choice()
    choice.refuse(("reward", "episode", "time"), "Minari's layout")
    columns: dict[str, list[np.ndarray]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for episode in _episodes(stored, source):
        fields, names = _fields(episode, source, maze, choice)
        for name, array in fields.items():
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
    if len(columns.get("success", [])) < len(columns["rewards"]):
        columns.pop("success", None)  # not of every episode
    return Found(
        MINARI,
        {name: np.concatenate(parts) for name, parts in columns.items()},
        names["observations"],
        names["actions"],
        act_range=_act_range(stored),
        environment=_environment(stored),
    )


def _act_range(stored: Any) -> tuple[float, float] | None:
    """The range of the actions where the set's space has one for all of them."""
    space = getattr(stored, "action_space", None)
    low, high = (np.unique(np.asarray(getattr(space, name, np.zeros(0)))) for name in ("low", "high"))
    if len(low) != 1 or len(high) != 1 or not np.isfinite([low[0], high[0]]).all() or low[0] >= high[0]:
        return None
    return float(low[0]), float(high[0])


def _environment(stored: Any) -> str:
    """Gymnasium id that the set says it was recorded in."""
    spec = getattr(getattr(stored, "spec", None), "env_spec", None)
    name = getattr(spec, "id", None)
    return name if isinstance(name, str) else ""


def _episodes(stored: Any, source: str) -> Iterator[Any]:
    try:
        yield from stored.iterate_episodes()
    except Exception as error:  # HDF5 and Minari answer damage with kinds of their own
        raise KdpError(f"Minari data set '{source}': unreadable ({reason(error)}); fetch it again") from None


def _fields(
    episode: Any, source: str, maze: list[str] | None, choice: Choice
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """An episode's arrays, and the names of their columns where the user or a dictionary gives them."""
    where = f"Minari data set '{source}', episode {episode.id}"
    observations, actions, goal = episode.observations, episode.actions, None
    if maze is not None:
        observations, actions, goal = _point_maze(episode, source, maze)
    rewards = np.asarray(episode.rewards)
    if rewards.ndim == 0 or len(rewards) == 0:
        raise KdpError(f"{where}: field 'rewards' has no row, expected one a transition")
    steps = len(rewards)
    observations, obs_names = _matrix(observations, "observations", steps + 1, where, choice.observations)
    actions, act_names = _matrix(actions, "actions", steps, where, choice.actions)
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
        "actions": actions,
        "rewards": rewards,
        "terminals": ended,
        "timeouts": last & ~ended,
        "next_observations": observations[1:],
    }
    if (success := _success(episode, steps)) is not None:
        fields["success"] = success
    names = {"observations": obs_names, "actions": act_names}
    return (fields if goal is None else pursue(fields, goal[:-1])), names


def _success(episode: Any, steps: int) -> np.ndarray | None:
    """Whether the episode has succeeded, bool [steps], where its recorder kept that; as its infos say."""
    infos = getattr(episode, "infos", None)
    for name in ("success", "is_success"):
        flags = np.asarray(infos.get(name)) if isinstance(infos, dict) else np.zeros(0)
        if flags.dtype == bool and flags.size in (steps, steps + 1):
            return np.full(steps, bool(flags.any()))
    return None


def _matrix(
    value: Any, field: str, rows: int, where: str, wanted: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """A field of an episode as [rows, n], and names of its columns; dictionaries are flattened."""
    if not isinstance(value, dict | tuple):
        return _vectors(value, field, rows, where), wanted
    arrays = dict(_leaves(value))
    there = {key: Column(array.shape[1:], array.dtype) for key, array in arrays.items() if array.ndim > 0}
    option = f"--{field}"
    picked = pick(option, wanted or vectors(there), there, where) if there else None
    if picked is None or not picked.keys:
        raise KdpError(
            f"{where}: field '{field}' is a {type(value).__name__} without vectors of numbers in it"
        )
    for key in picked.keys:
        if there[key].shape == () and arrays[key].dtype.kind in "iu":
            _vectors(arrays[key], f"{field}/{key}", rows, where)  # says that it is discrete
        if len(arrays[key]) != rows:
            raise KdpError(
                f"{where}: field '{field}/{key}' has shape {list(arrays[key].shape)}, expected [{rows}, …]"
            )
    return picked.matrix(arrays), picked.names


def _leaves(value: Mapping[str, Any] | tuple[Any, ...], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Arrays in dictionaries and tuples, by their path."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, inside in items:
        if isinstance(inside, dict | tuple):
            yield from _leaves(inside, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", np.asarray(inside)


def _vectors(value: Any, field: str, rows: int, where: str) -> np.ndarray:
    """A field of an episode as [rows, n]; refused are spaces that no vector of numbers stands for."""
    if isinstance(value, list):
        raise KdpError(
            f"{where}: field '{field}' is a list, expected one array [{rows}, n] or a dictionary of them"
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
