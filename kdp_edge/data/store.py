# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Data sets on disk, in Minari's format, beside a `kdp.json` with recipe, statistics and hash."""

from __future__ import annotations

import hashlib
import resource
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, write_json, write_text
from kdp_edge.base.folders import Purpose, check_writable, written_folder
from kdp_edge.base.lookup import hint
from kdp_edge.base.workspace import data_folder, dataset_id, dataset_path
from kdp_edge.data.episode import Episode
from kdp_edge.data.hdf5 import check_file
from kdp_edge.tasks import Task
from kdp_edge.tasks.robot_folder import FILES, write_robot

TWIN, RANDOMISED = "local twin", "randomised twin"  # origins of data that were rolled here
ROLLED = (TWIN, RANDOMISED)
RECORD = {"task", "transitions", "behaviour", "recipe", "recipe_hash", "sha256", "by_policy"}  # of kdp.json


@dataclass(frozen=True)
class DataSet:
    """Transitions of whole episodes, one after the other; float32 and bool arrays, raw units.

    observations, next_observations [N, obs]; actions [N, act]; rewards [N]; terminals [N]: the
    environment ended the episode here; ends [N]: last transition of its episode for any reason.
    """

    name: str
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_observations: np.ndarray
    terminals: np.ndarray
    ends: np.ndarray
    sha256: str
    meta: dict[str, Any]

    def __len__(self) -> int:
        return len(self.rewards)


def content_sha256(episodes: Sequence[Episode]) -> str:
    """Hash of what the episodes hold, independent of the file format's own bytes."""
    digest = hashlib.sha256()
    for episode in episodes:
        for array in (episode.observations, episode.actions, episode.rewards):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(bytes([episode.terminated]))
    return digest.hexdigest()


def _written(folder: Path) -> set[str] | None:
    """The files of a data set's folder, None if it is none."""
    try:
        meta = read_json(folder / "kdp.json")
    except KdpError:
        return None
    if not isinstance(meta, dict) or "sha256" not in meta:
        return None
    caches = {f"cache/{file.name}" for file in folder.glob("cache/nearest-*.npz")}
    return {"kdp.json", *FILES, "task.json", "data/main_data.hdf5", "data/metadata.json"} | caches


DATA_SET = Purpose("data set", _written)


def check_name(name: str) -> None:
    """Look, before the work, whether a data set may be written under `name`; see `check_writable`."""
    check_writable(dataset_path(name), DATA_SET, "--name")


def write(name: str, task: Task, episodes: Sequence[Episode], meta: dict[str, Any]) -> Path:
    """Write a complete data set under its name, or nothing. Returns its folder."""
    path = dataset_path(name)
    check_name(name)
    _check_room(path, sum(array.nbytes for e in episodes for array in (e.observations, e.actions, e.rewards)))
    with written_folder(path, DATA_SET, "--name") as folder:
        _write_minari(folder, name, task, episodes, meta["origin"])
        write_robot(folder, task.robot)
        hashes = {"sha256": content_sha256(episodes), "robot_sha256": task.robot.sha256()}
        write_json(folder / "kdp.json", {**meta, **hashes})
    marker = path.parent / "namespace_metadata.json"  # how Minari recognises a namespace
    if not marker.exists():
        write_text(marker, "{}\n")
    return path


def _check_room(path: Path, data_bytes: int) -> None:
    """Refuse before writing what the disk cannot take: HDF5 ends the process when it runs full."""
    needed = data_bytes + data_bytes // 4 + (4 << 20)
    above = path
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if free < needed:
        raise KdpError(
            f"{path}: the data set needs about {needed >> 20} MiB, {above} has {free >> 20} MiB left; free "
            "some space, or choose another workspace (KDP_EDGE_HOME)"
        )
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise KdpError(
            f"{path}: the data set needs about {needed >> 20} MiB, files may have {limit >> 20} MiB here; "
            "raise the limit (ulimit -f)"
        )


def _write_minari(folder: Path, name: str, task: Task, episodes: Sequence[Episode], origin: str) -> None:
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    from kdp_edge.tasks.environments import env_spec

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Minari warns of missing author and code links
        storage = MinariStorage.new(
            folder / "data",
            observation_space=Box(-np.inf, np.inf, (task.obs_dim,), np.float32),
            action_space=Box(-1.0, 1.0, (task.act_dim,), np.float32),  # shares of the ranges
            env_spec=env_spec(task),
        )
        storage.update_metadata(
            {
                "dataset_id": dataset_id(name),
                "minari_version": version("minari"),
                "description": f"{origin} for {task.name}, stored by kdp-edge; not a D4RL release.",
                "ref_min_score": task.ref_min,
                "ref_max_score": task.ref_max,
            }
        )
        storage.update_episodes(_buffers(episodes, EpisodeBuffer))


def _buffers(episodes: Sequence[Episode], buffer: Any) -> list[Any]:
    made = []
    for number, episode in enumerate(episodes):
        ends = np.zeros(len(episode.rewards), bool)
        ends[-1] = True
        made.append(
            buffer(
                id=number,
                observations=episode.observations,
                actions=episode.actions,
                rewards=episode.rewards,
                terminations=ends & episode.terminated,
                truncations=ends & (not episode.terminated),
            )
        )
    return made


def exists(name: str) -> bool:
    return (dataset_path(name) / "kdp.json").is_file()


def names() -> list[str]:
    """Names of the local data sets."""
    found = dataset_path("any").parent.glob("*-v0/kdp.json")
    return sorted(path.parent.name.removesuffix("-v0") for path in found)


def read_meta(name: str) -> dict[str, Any]:
    if not exists(name):
        known = ", ".join(names()) or "none yet"
        raise KdpError(
            f"no data set '{name}' in {data_folder()}: {hint(name, names())}there: {known}; "
            f"make it with: kdp-edge data make {name}"
        )
    meta = read_json(dataset_path(name) / "kdp.json")
    if not isinstance(meta, dict) or (missing := RECORD - set(meta)):
        what = f"fields {sorted(missing)} are missing" if isinstance(meta, dict) else "no object"
        raise KdpError(f"{dataset_path(name) / 'kdp.json'}: {what}; make or import the data set again")
    return meta


def _again(meta: dict[str, Any], name: str) -> str:
    """How to get a damaged data set back."""
    if meta.get("origin") == TWIN:
        return f"remake it: kdp-edge data make {name} --force"
    if meta.get("origin") == RANDOMISED:
        return f"remake it: kdp-edge data make {meta['task']} --randomise --name {name} --force"
    return f"import it again: kdp-edge data import … --name {name} --force"


def load_data(name: str) -> DataSet:
    """Read a data set once into memory and check it against its hash."""
    from minari.dataset.minari_dataset import MinariDataset

    meta, folder = read_meta(name), dataset_path(name) / "data"
    try:
        check_file(folder / "main_data.hdf5")
        stored = list(MinariDataset(folder).iterate_episodes())
        episodes = [
            Episode(e.observations, e.actions, e.rewards, bool(e.terminations[-1]), True) for e in stored
        ]
    except Exception as error:  # Minari and HDF5 answer damage with kinds of their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise KdpError(f"{dataset_path(name)}: unreadable ({reason}); {_again(meta, name)}") from None
    found = content_sha256(episodes)
    if found != meta["sha256"]:
        raise KdpError(
            f"{dataset_path(name)}: content has sha256 {found[:12]}…, expected {meta['sha256'][:12]}…; "
            f"{_again(meta, name)}"
        )
    return _join(name, episodes, meta)


def _join(name: str, episodes: Sequence[Episode], meta: dict[str, Any]) -> DataSet:
    ends = np.zeros(sum(len(e.rewards) for e in episodes), bool)
    last = np.cumsum([len(e.rewards) for e in episodes]) - 1
    ends[last] = True
    terminals = np.zeros_like(ends)
    terminals[last] = [e.terminated for e in episodes]
    return DataSet(
        name,
        np.concatenate([e.observations[:-1] for e in episodes]),
        np.concatenate([e.actions for e in episodes]),
        np.concatenate([e.rewards for e in episodes]),
        np.concatenate([e.observations[1:] for e in episodes]),
        terminals,
        ends,
        meta["sha256"],
        meta,
    )
