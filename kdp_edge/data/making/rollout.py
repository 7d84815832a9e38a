# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Roll behaviour policies in MuJoCo: worker processes, each with a few in-process environments.

The work is cut into shards whose size and random streams do not depend on the number of workers,
so a data set is a function of its recipe alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import numpy as np

from kdp_edge.base.progress import Progress
from kdp_edge.data.episode import Episode
from kdp_edge.data.making.behaviour import load_actor
from kdp_edge.data.making.randomise import RandomisedPlant
from kdp_edge.tasks import Part, Task
from kdp_edge.tasks.environments import make_env
from kdp_edge.tasks.success import succeeded

ENVS_PER_SHARD = 8  # share one batched policy call
SHARD_STEPS = 50_000


@dataclass(frozen=True)
class Shard:
    """One worker's job: `steps` transitions of one part, split evenly over its environments."""

    task: Task
    part: Part
    steps: int
    seed: tuple[int, ...]  # (data seed, part, shard)
    randomise: bool = False  # the plant of every episode


def shards(task: Task, steps: int, seed: int, randomise: bool = False) -> list[Shard]:
    """Cut `steps` transitions of the task's recipe into shards, in the order of the data set."""
    jobs = []
    share = np.cumsum([0.0] + [behaviour.fraction for behaviour in task.recipe])
    bounds = np.rint(steps * share).astype(int).tolist()
    for part, behaviour in enumerate(task.recipe):
        left, number = bounds[part + 1] - bounds[part], 0
        while left > 0:
            size = min(left, SHARD_STEPS)
            jobs.append(Shard(task, behaviour, size, (seed, part, number), randomise))
            left, number = left - size, number + 1
    return jobs


def roll(shard: Shard, on_steps: Progress) -> list[Episode]:
    """Play one shard; `on_steps(n)` is called now and then with the number of new transitions."""
    task, actor = shard.task, load_actor(shard.task, shard.part)
    rng = np.random.default_rng(shard.seed)
    count = min(ENVS_PER_SHARD, shard.steps)
    envs = [_plant(shard, number) for number in range(count)]
    quota = [shard.steps // count + (i < shard.steps % count) for i in range(count)]
    episodes: list[list[Episode]] = [[] for _ in envs]
    tracks: list[list[tuple[np.ndarray, np.ndarray, float]]] = [[] for _ in envs]
    success: list[bool | None] = [None] * count
    obs = np.stack([env.reset(seed=int(rng.integers(2**31)))[0] for env in envs]).astype(np.float32)
    for step in range(max(quota)):
        actions = actor.act(obs, rng)
        for i, env in enumerate(envs):
            if step >= quota[i]:
                continue
            following, reward, terminated, truncated, info = env.step(task.robot.units(actions[i]))
            success[i] = succeeded(task, info, success[i])
            tracks[i].append((obs[i].copy(), actions[i], float(reward)))
            obs[i] = following
            complete = terminated or truncated or len(tracks[i]) == task.max_episode_steps
            if complete or step + 1 == quota[i]:
                episodes[i].append(_episode(tracks[i], obs[i].copy(), terminated, complete, success[i]))
                tracks[i], success[i] = [], None
                obs[i] = env.reset()[0]
        if step % 100 == 99:
            on_steps(100 * count)
    return [episode for track in episodes for episode in track]


def _plant(shard: Shard, number: int) -> Any:
    """Where behaviour is rolled: the task's plant, or what stands for it, redrawn for each episode or not."""
    import gymnasium

    task = shard.task
    env: Any = gymnasium.make(task.play_env_id).unwrapped if task.play_env_id else make_env(task)
    return RandomisedPlant(env, (*shard.seed, number)) if shard.randomise else env


def _episode(
    track: list[tuple[np.ndarray, np.ndarray, float]],
    last: np.ndarray,
    terminated: bool,
    complete: bool,
    success: bool | None,
) -> Episode:
    return Episode(
        np.stack([row[0] for row in track] + [last]),
        np.stack([row[1] for row in track]),
        np.array([row[2] for row in track], np.float32),
        bool(terminated),
        bool(complete),
        success,
    )


_counter: Synchronized[int] | None = None  # of this worker process; shared with its parent


def _start_worker(counter: Synchronized[int]) -> None:
    global _counter
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides and terminates the pool


def _roll_in_worker(shard: Shard) -> list[Episode]:
    def count(steps: int) -> None:
        assert _counter is not None
        with _counter.get_lock():
            _counter.value += steps

    return roll(shard, count)


def roll_all(jobs: list[Shard], workers: int, progress: Progress) -> list[list[Episode]]:
    """Play all shards in `workers` processes; `progress(done)` gets the transitions so far.

    Returns:
        the episodes of each shard, in the order of `jobs`.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process per core already
    context = multiprocessing.get_context("spawn")
    try:
        counter = context.Value("q", 0)
        pool = context.Pool(min(workers, len(jobs)), _start_worker, (counter,))
    except OSError as error:  # semaphores lie in /dev/shm, which is missing or read-only in some containers
        print(f"kdp-edge: no worker processes here ({error}); rolling in this process alone", file=sys.stderr)
        return _roll_here(jobs, progress)
    with pool:
        result = pool.map_async(_roll_in_worker, jobs, chunksize=1)
        while not result.ready():
            progress(counter.value)
            time.sleep(0.1)
        return result.get()


def _roll_here(jobs: list[Shard], progress: Progress) -> list[list[Episode]]:
    """All shards one after the other; the data are the same."""
    done, rolled = 0, []
    for job in jobs:
        before = done

        def count(steps: int) -> None:
            nonlocal done
            done += steps
            progress(done)

        rolled.append(roll(job, count))
        done = before + job.steps
        progress(done)
    return rolled
