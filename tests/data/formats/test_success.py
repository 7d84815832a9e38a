# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Which episodes succeeded is read where a layout says so, and kept with the rate that it makes."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import h5py
import minari
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from minari.data_collector import EpisodeBuffer

from kdp_edge.base.statistics import wilson95
from kdp_edge.data import store
from kdp_edge.data.importing import OwnRobot, Source, import_set

from .writers import EPISODES, LENGTH, d4rl, lerobot, maniskill, walks

SUCCEEDED = np.arange(EPISODES) % 3 == 1
FLAGS = np.zeros((EPISODES, LENGTH), bool)
FLAGS[SUCCEEDED, LENGTH // 2] = True  # reached, and left again
ROBOT = OwnRobot(20.0, act_low=-10, act_high=10, safe=("hold",))


def of_d4rl(home: Path) -> str:
    path = d4rl(home, walks(3, 2))
    with h5py.File(path, "a") as file:
        file["infos/is_success"] = FLAGS.reshape(-1)
    return str(path)


def of_maniskill(home: Path) -> str:
    path = maniskill(home, walks(3, 2))
    with h5py.File(path, "a") as file:
        for episode in range(EPISODES):
            file[f"traj_{episode}/success"] = FLAGS[episode]
    return str(path)


def of_lerobot(home: Path) -> str:
    path = lerobot(home, walks(3, 2))
    flags = iter(FLAGS.reshape(-1).tolist())
    for file in sorted(path.glob("data/chunk-*/*.parquet")):
        table = pyarrow.parquet.read_table(file)
        mine = pyarrow.array([next(flags) for _ in range(table.num_rows)])
        pyarrow.parquet.write_table(table.append_column("next.success", mine), file)
    info = json.loads((path / "meta/info.json").read_text())
    info["features"]["next.success"] = {"dtype": "bool", "shape": [1], "names": None}
    (path / "meta/info.json").write_text(json.dumps(info))
    return str(path)


def of_minari(home: Path) -> str:
    rng = np.random.default_rng(0)
    buffers = [
        EpisodeBuffer(
            id=i, observations=rng.normal(size=(LENGTH + 1, 3)).cumsum(0),
            actions=rng.uniform(-1, 1, (LENGTH, 2)), rewards=np.ones(LENGTH),
            terminations=np.zeros(LENGTH, bool), truncations=np.arange(LENGTH) == LENGTH - 1,
            infos={"success": np.append(False, FLAGS[i])},
        )
        for i in range(EPISODES)
    ]  # fmt: skip
    spaces = [gymnasium.spaces.Box(-bound, bound, (n,)) for bound, n in ((np.inf, 3), (1.0, 2))]
    minari.create_dataset_from_buffers(
        "walk/it-v0", buffers, observation_space=spaces[0], action_space=spaces[1]
    )
    return "walk/it-v0"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("written", [of_d4rl, of_maniskill, of_lerobot, of_minari])
def test_the_episodes_that_succeeded_are_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch, written: object
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "minari"))
    assert callable(written)
    import_set(Source(written(home)), "some", ROBOT)
    meta = store.read_meta("some")
    assert meta["successes"] == SUCCEEDED.tolist()
    assert meta["behaviour"]["success_rate"] == round(float(SUCCEEDED.mean()), 4)
    assert meta["behaviour"]["success_ci95"] == [round(v, 4) for v in wilson95(SUCCEEDED.tolist())]


def test_without_a_word_of_success_none_is_made_up(home: Path) -> None:
    import_set(Source(str(d4rl(home, walks(3, 2)))), "some", ROBOT)
    meta = store.read_meta("some")
    assert "successes" not in meta and meta["behaviour"]["success_rate"] is None
