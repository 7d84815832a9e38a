# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`data make`: from a task's recipe to a stored data set, once per recipe."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.base.provenance import versions
from kdp_edge.data import store
from kdp_edge.data.describe import statistics, successes
from kdp_edge.data.episode import Episode
from kdp_edge.data.making.behaviour import part_label, part_record
from kdp_edge.data.making.randomise import RANGES
from kdp_edge.data.making.rollout import Shard, roll_all, shards
from kdp_edge.tasks import TASKS, Task

FORMAT = 1  # raise when the same recipe would give other data
PACKAGES = ("numpy", "gymnasium", "mujoco", "minari")


@dataclass(frozen=True)
class Made:
    """What `make` did: the data set's name and record, and whether it was there already."""

    name: str
    meta: dict[str, Any]
    reused: bool


def recipe(task: Task, steps: int, seed: int, randomise: bool = False) -> dict[str, Any]:
    """Everything that determines the content, as plain data."""
    plants = {"randomise": {name: list(bounds) for name, bounds in RANGES.items()}} if randomise else {}
    return {
        "format": FORMAT,
        "task": task.name,
        "env_id": task.env_id,
        "steps": steps,
        "seed": seed,
        "parts": [part_record(part) for part in task.recipe],
        **plants,
    }


def recipe_hash(made_from: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def make(
    task: Task,
    steps: int,
    seed: int,
    workers: int,
    name: str | None = None,
    force: bool = False,
    progress: Progress = silent,
    randomise: bool = False,
) -> Made:
    """Make the task's local data set, or reuse one of the same recipe.

    Args:
        randomise: draw mass, friction and actuators anew for every episode (`RANGES`). Such a set is one of
            its own, `<task>-randomised` without a name: rows about a task are about its nominal plant.

    Raises:
        KdpError: `name` holds data of another recipe and `force` is not given, or is a task's and the plants
            are randomised.
    """
    if not task.recipe:
        raise KdpError(f"task {task.name} has no local twin; import data: kdp-edge data import --help")
    if steps < 1000:
        raise KdpError(f"--steps {steps}: expected at least 1000 transitions")
    name = name or (f"{task.name}-randomised" if randomise else task.name)
    if randomise and name in TASKS:
        raise KdpError(
            f"--name {name}: a task's own data are of its nominal plant; give randomised data another name"
        )
    made_from = recipe(task, steps, seed, randomise)
    if store.exists(name) and not force:
        meta = store.read_meta(name)
        if meta["recipe_hash"] == recipe_hash(made_from):
            return Made(name, meta, reused=True)
        raise KdpError(
            f"data set '{name}' exists with another recipe ({_brief(meta['recipe'])}; "
            f"asked for {_brief(made_from)}): choose another --name, or --force to replace it"
        )
    store.check_name(name)
    started = time.monotonic()
    jobs = shards(task, steps, seed, randomise)
    rolled = roll_all(jobs, workers, progress)
    episodes = [episode for shard in rolled for episode in shard]
    meta = {
        "recipe": made_from,
        "recipe_hash": recipe_hash(made_from),
        "task": task.name,
        "origin": store.RANDOMISED if randomise else store.TWIN,
        "transitions": sum(len(e.rewards) for e in episodes),
        "episodes": len(episodes),
        "behaviour": statistics(task, episodes),
        "by_policy": _by_policy(task, jobs, rolled),
        **successes(episodes),
        "packages": versions(PACKAGES),
        "wall_s": round(time.monotonic() - started, 1),
    }
    store.write(name, task, episodes, meta)
    return Made(name, store.read_meta(name), reused=False)


def _brief(made_from: dict[str, Any]) -> str:
    if "source" in made_from:
        return f"imported from {made_from['source']}"
    randomised = ", randomised" if "randomise" in made_from else ""
    return f"{made_from['steps']} steps, seed {made_from['seed']}{randomised}"


def _by_policy(task: Task, jobs: list[Shard], rolled: list[list[Episode]]) -> dict[str, Any]:
    return {
        part_label(part): statistics(
            task, [e for job, shard in zip(jobs, rolled, strict=True) if job.part == part for e in shard]
        )
        for part in task.recipe
    }
