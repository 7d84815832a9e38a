"""Minari data sets: by id from Minari's own folder or its server, or by path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.d4rl import pursue

ID = re.compile(r"[\w.-]+(/[\w.-]+)*-v\d+")


def is_minari_id(source: str) -> bool:
    return ID.fullmatch(source) is not None


def open_minari(source: str, download: bool) -> Any:
    """The `MinariDataset` called or lying at `source`; raises `KdpError` with what to do."""
    from minari import MinariDataset, load_dataset

    folder = Path(source)
    data = folder / "data" if (folder / "data").is_dir() else folder
    try:
        if (data / "main_data.hdf5").is_file():
            return MinariDataset(data)
        return load_dataset(source, download=download)
    except FileNotFoundError:
        raise KdpError(
            f"Minari data set '{source}' is not on this machine; fetch it with --download, or copy it into "
            "the folder that MINARI_DATASETS_PATH names"
        ) from None
    except ImportError as error:
        raise KdpError(f"Minari data set '{source}': {error}; try: pip install 'minari[hf]'") from None
    except Exception as error:  # the server's client raises kinds of its own
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise KdpError(f"Minari data set '{source}': {first}; check the id and the network") from None


def read_minari(stored: Any, source: str, maze: list[str] | None = None) -> dict[str, np.ndarray]:
    """A Minari set as D4RL's arrays; next_observations are exact, episodes as Minari has them.

    Args:
        maze: rows of the maze if this is a PointMaze set: coordinates become D4RL's.

    Raises:
        KdpError: observations or actions are not plain vectors.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for episode in stored.iterate_episodes():
        for name, array in _fields(episode, source, maze).items():
            columns.setdefault(name, []).append(array)
    if not columns:
        raise KdpError(f"Minari data set '{source}' has no episode")
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _fields(episode: Any, source: str, maze: list[str] | None) -> dict[str, np.ndarray]:
    observations, actions = episode.observations, np.asarray(episode.actions)
    goal = None
    if maze is not None:
        observations, actions, goal = _point_maze(episode, source, maze)
    if isinstance(observations, dict | tuple) or np.ndim(observations) != 2:
        raise KdpError(
            f"Minari data set '{source}': field 'observations' of episode {episode.id} is a "
            f"{type(observations).__name__}, expected an array [T + 1, n]; flatten it first"
        )
    steps = len(episode.rewards)
    ends = np.zeros(steps, bool)
    ends[-1] = True
    fields = {
        "observations": observations[:-1],
        "actions": actions,
        "rewards": np.asarray(episode.rewards, np.float64),
        "terminals": np.asarray(episode.terminations, bool),
        "timeouts": ends & ~np.asarray(episode.terminations, bool),
        "next_observations": observations[1:],
    }
    return fields if goal is None else pursue(fields, goal[:-1])


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
