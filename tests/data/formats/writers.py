# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The same random walks in every layout, written as the layouts' own tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import minari
import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import zarr
from minari.data_collector import EpisodeBuffer

from ..test_misread import EPISODES, LENGTH, Arrays, walks

RATE = 20.0
EPISODE = np.repeat(np.arange(EPISODES), LENGTH)
FRAME = np.tile(np.arange(LENGTH), EPISODES)
LAST = FRAME == LENGTH - 1
MOTORS = ["pan", "lift", "grip"]


def rows_of(arrays: Arrays, episode: int) -> Arrays:
    return {name: array[episode == EPISODE] for name, array in arrays.items()}


def d4rl(home: Path, arrays: Arrays) -> Path:
    with h5py.File(home / "walks.hdf5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return home / "walks.hdf5"


def minari_set(home: Path, arrays: Arrays) -> Path:
    buffers = []
    for episode in range(EPISODES):
        one = rows_of(arrays, episode)
        buffers.append(
            EpisodeBuffer(
                id=episode,
                observations=np.concatenate([one["observations"], one["observations"][-1:]]),
                actions=one["actions"],
                rewards=one["rewards"],
                terminations=np.zeros(LENGTH, bool),
                truncations=np.arange(LENGTH) == LENGTH - 1,
            )
        )
    box = gymnasium.spaces.Box
    made = minari.create_dataset_from_buffers(
        "walks/test-v0", buffers, action_space=box(-1, 1, (2,), np.float32),
        observation_space=box(-np.inf, np.inf, (3,), np.float32),
    )  # fmt: skip
    return Path(made.spec.data_path)


def columns(arrays: Arrays) -> dict[str, Any]:
    """One column a number, as logs have them."""
    return {
        "t": np.arange(len(EPISODE)) / RATE,
        "episode": EPISODE,
        **{name: arrays["observations"][:, i] for i, name in enumerate(MOTORS)},
        "left": arrays["actions"][:, 0],
        "right": arrays["actions"][:, 1],
        "r": arrays["rewards"],
        "mode": np.array(["auto"] * len(EPISODE)),
    }


def csv(home: Path, arrays: Arrays) -> Path:
    pyarrow.csv.write_csv(pyarrow.table(columns(arrays)), home / "log.csv")
    return home / "log.csv"


def parquet(home: Path, arrays: Arrays) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns(arrays)), home / "log.parquet")
    return home / "log.parquet"


def robomimic(home: Path, arrays: Arrays) -> Path:
    """As robomimic's dataset_states_to_obs.py writes: obs and next_obs, attributes for the rest."""
    with h5py.File(home / "robomimic.hdf5", "w") as file:
        data = file.create_group("data")
        for episode in range(EPISODES):
            one, demo = rows_of(arrays, episode), data.create_group(f"demo_{episode}")
            demo["actions"], demo["rewards"] = one["actions"], one["rewards"]
            demo["dones"] = (np.arange(LENGTH) == LENGTH - 1).astype(np.int64)
            demo["states"] = np.zeros((LENGTH, 7))
            following = np.concatenate([one["observations"][1:], one["observations"][-1:]])
            for group, values in (("obs", one["observations"]), ("next_obs", following)):
                demo[f"{group}/eef_pos"], demo[f"{group}/gripper"] = values[:, :2], values[:, 2:]
                demo[f"{group}/agentview_image"] = np.zeros((LENGTH, 8, 8, 3), np.uint8)
            demo.attrs["num_samples"] = LENGTH
        data.attrs["total"] = len(EPISODE)
        kwargs = {"control_freq": RATE, "robots": ["Panda"]}
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": kwargs}, indent=4)
    return home / "robomimic.hdf5"


def maniskill(home: Path, arrays: Arrays) -> Path:
    """As ManiSkill's RecordEpisode writes with obs_mode state_dict: one observation more than actions."""
    with h5py.File(home / "trajectory.h5", "w") as file:
        for episode in range(EPISODES):
            one, group = rows_of(arrays, episode), file.create_group(f"traj_{episode}", track_order=True)
            seen = np.concatenate([one["observations"], one["observations"][-1:]])
            obs = group.create_group("obs", track_order=True)
            obs.create_group("extra", track_order=True)["tcp"] = seen[:, :2]  # before agent, as recorded
            obs.create_group("agent", track_order=True)["qpos"] = seen[:, 2:]
            group["actions"], group["rewards"] = one["actions"], one["rewards"]
            group["terminated"], group["truncated"] = np.zeros(LENGTH, bool), np.arange(LENGTH) == LENGTH - 1
            group["env_states/articulations/panda"] = np.zeros((LENGTH + 1, 31), np.float32)
    said = {"env_info": {"env_id": "PickCube-v1", "env_kwargs": {"obs_mode": "state_dict"}}, "episodes": []}
    (home / "trajectory.json").write_text(json.dumps(said))
    return home / "trajectory.h5"


def ogbench(home: Path, arrays: Arrays) -> Path:
    file = home / "pointmaze-medium-navigate-v0.npz"
    np.savez_compressed(
        file, observations=arrays["observations"], actions=arrays["actions"],
        terminals=LAST.astype(np.float32), qpos=arrays["observations"][:, :2],
    )  # fmt: skip
    return file


def zarr_buffer(home: Path, arrays: Arrays, version: int = 2) -> Path:
    """As Diffusion Policy's ReplayBuffer has it on disk."""
    root = zarr.open_group(home / "pusht.zarr", mode="w", zarr_format=version)
    for name, values in {
        "data/state": arrays["observations"],
        "data/action": arrays["actions"],
        "data/img": np.zeros((len(EPISODE), 8, 8, 3), np.float32),
        "meta/episode_ends": np.flatnonzero(LAST) + 1,
    }.items():
        root.create_array(name, data=values, chunks=(50, *values.shape[1:]))
    return home / "pusht.zarr"


def lerobot(home: Path, arrays: Arrays, version: str = "v3.0", per_file: int = 2) -> Path:
    """As LeRobot writes its Parquet files; v2.1 has one episode a file."""
    folder = home / f"lerobot_{version}"
    vector = {"dtype": "float32", "shape": [3], "names": MOTORS}
    number = {"dtype": "int64", "shape": [1], "names": None}
    (folder / "meta").mkdir(parents=True)
    info = {
        "codebase_version": version, "robot_type": "so101_follower", "fps": int(RATE), "chunks_size": 1000,
        "total_episodes": EPISODES, "total_frames": len(EPISODE), "total_tasks": 1,
        "features": {
            "observation.state": vector,
            "observation.images.top": {"dtype": "video", "shape": [8, 8, 3], "names": ["h", "w", "c"]},
            "action": {"dtype": "float32", "shape": [2], "names": {"motors": ["left", "right"]}},
            "next.reward": {"dtype": "float32", "shape": [1], "names": None},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), number),
        },
    }  # fmt: skip
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    step = 1 if version.startswith("v2") else per_file
    for number_of_file, first in enumerate(range(0, EPISODES, step)):
        rows = (first <= EPISODE) & (first + step > EPISODE)
        name = f"episode_{first:06d}" if version.startswith("v2") else f"file-{number_of_file:03d}"
        file = folder / "data" / "chunk-000" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(lerobot_table(arrays, rows), file)
    return folder


def lerobot_table(arrays: Arrays, rows: np.ndarray) -> pyarrow.Table:
    def vectors(values: np.ndarray) -> pyarrow.Array:
        flat = pyarrow.array(values.reshape(-1), pyarrow.float32())
        return pyarrow.FixedSizeListArray.from_arrays(flat, values.shape[1])

    return pyarrow.table(
        {
            "observation.state": vectors(arrays["observations"][rows]),
            "action": vectors(arrays["actions"][rows]),
            "next.reward": pyarrow.array(arrays["rewards"][rows], pyarrow.float32()),
            "timestamp": pyarrow.array((FRAME[rows] / RATE).astype(np.float32)),
            "frame_index": FRAME[rows], "episode_index": EPISODE[rows],
            "index": np.arange(len(EPISODE))[rows], "task_index": np.zeros(rows.sum(), np.int64),
        }
    )  # fmt: skip


WRITERS: dict[str, Callable[[Path, Arrays], Path]] = {
    "d4rl": d4rl, "minari": minari_set, "csv": csv, "parquet": parquet, "robomimic": robomimic,
    "maniskill": maniskill, "ogbench": ogbench, "zarr": zarr_buffer, "lerobot": lerobot,
}  # fmt: skip

__all__ = ["EPISODE", "FRAME", "LAST", "MOTORS", "RATE", "WRITERS", "walks"]
