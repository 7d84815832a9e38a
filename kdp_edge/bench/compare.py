# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""All planners of one run side by side: the same episodes, and planning time in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from kdp_edge.base.lookup import unknown
from kdp_edge.base.progress import Progress, StageProgress, silent, silent_stages
from kdp_edge.bench.baseline_planners import ClonePlanner, DiffusionPlanner
from kdp_edge.bench.rivals.flow import EULER_STEPS, euler
from kdp_edge.bench.rivals.meanflow import ONE_STEP as MEAN_STEP
from kdp_edge.bench.rivals.planners import OneStepPlanner, PolicyPlanner, TransportPlanner
from kdp_edge.bench.rivals.shortcut import ONE_STEP as SHORT_STEP
from kdp_edge.bench.rivals.table import FLOW_PLANNER, STEPS
from kdp_edge.bench.rivals.transport import Schedule
from kdp_edge.play.planner import KdpPlanner, RankingPlanner
from kdp_edge.run import Run

IN_A_ROW = 10  # plans that a planner makes when it is its turn
WARMUP_TURNS = 5

Name = TypeVar("Name")  # of a planner


@dataclass(frozen=True)
class Kind:
    """A way to plan with what was trained for a run; `make(run, k)` builds it."""

    name: str
    what: str
    make: Callable[[Run, int], RankingPlanner]


def _diffusion(steps: int) -> Kind:
    what = f"diffusion, {steps} steps, K ranked" if steps > 1 else "diffusion, 1 step, K ranked"
    return Kind(f"diffusion-{steps}", what, lambda run, k: DiffusionPlanner(run, steps, k))


def _moved(name: str, what: str, baseline: str, schedule: Schedule) -> Kind:
    return Kind(name, what, lambda run, k: TransportPlanner(run, baseline, schedule, k))


def _driftql(run: Run, k: int) -> RankingPlanner:
    noise = run.config.horizon * run.config.act_dim
    return OneStepPlanner(run, "driftql", noise, only_actions=True, k=k)


def _drift_off(run: Run, k: int) -> RankingPlanner:
    return OneStepPlanner(run, "drift-off", run.config.latent_dim, scale=run.config.latent_scale, k=k)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("kdp", "KDP, K ranked", lambda run, k: KdpPlanner(run, k)),
        Kind("kdp-plan", "KDP, latent 0 only", lambda run, k: KdpPlanner(run, 1)),
        Kind("kdp-sample", "KDP, one drawn latent", lambda run, k: KdpPlanner(run, 1, sample_all=True)),
        *(_diffusion(steps) for steps in STEPS),
        Kind("clone", "behaviour cloning", lambda run, k: ClonePlanner(run)),
        _moved(FLOW_PLANNER, f"flow matching, {EULER_STEPS} steps, K ranked", "flow", euler()),
        Kind("fql", "FQL, K ranked", lambda run, k: OneStepPlanner(run, "fql", run.config.window_dim, k=k)),
        _moved("meanflow", "MeanFlow, K ranked", "meanflow", MEAN_STEP),
        _moved("shortcut", "shortcut model, K ranked", "shortcut", SHORT_STEP),
        Kind("driftql", "DriftQL, K ranked", lambda run, k: _driftql(run, k)),
        Kind("weighted", "weighted regression on the matches", lambda run, k: ClonePlanner(run, "weighted")),
        Kind("iql", "IQL's policy", lambda run, k: ClonePlanner(run, "iql")),
        Kind("bc-10", "cloning, best 10 % of the episodes", lambda run, k: ClonePlanner(run, "bc-10")),
        Kind("td3bc", "TD3+BC", lambda run, k: PolicyPlanner(run, "td3bc")),
        Kind("drift-off", "KDP without its drift, K ranked", lambda run, k: _drift_off(run, k)),
    )
}


def kinds_named(names: Sequence[str]) -> list[Kind]:
    """The planners called `names`; raises `KdpError` that lists all."""
    for name in names:
        if name not in KINDS:
            raise unknown("planner", name, KINDS)
    return [KINDS[name] for name in names]


def latencies(
    run: Run,
    kinds: Sequence[Kind],
    k: int,
    rounds: int,
    progress: Progress = silent,
) -> dict[str, dict[str, float]]:
    """Planning time in ms for one state, of at least `rounds` plans: see `timed`."""
    return timed({kind.name: plans(run, kind, k) for kind in kinds}, rounds, progress)


def plans(run: Run, kind: Kind, k: int) -> Callable[[int], object]:
    """Plan number i of a planner: for one of the run's calibration states, with noise of its own."""
    states, noise = run.calibration().astype(np.float64), torch.Generator().manual_seed(0)
    planner = kind.make(run, k)
    return lambda number: planner.plan(states[number % len(states)][None], noise)


def timed(
    plans: Mapping[Name, Callable[[int], object]], rounds: int, progress: Progress = silent
) -> dict[Name, dict[str, float]]:
    """Time in ms of at least `rounds` plans of each planner, by name; see `_percentiles`.

    One thread; the planners take turns of IN_A_ROW plans in an order that changes every time, all for
    the same states, so that whatever else the machine does falls on all of them alike.

    Args:
        plans: each makes its plan number i when called.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _interleaved(plans, -(-rounds // IN_A_ROW), progress)
    finally:
        torch.set_num_threads(threads)


def _interleaved(
    plans: Mapping[Name, Callable[[int], object]], turns: int, progress: Progress
) -> dict[Name, dict[str, float]]:
    order, each = np.random.default_rng(0), list(plans.values())
    seconds = np.zeros((len(each), WARMUP_TURNS + turns, IN_A_ROW, 2))
    for turn in range(WARMUP_TURNS + turns):
        for i in order.permutation(len(each)):
            plan = each[i]
            for j in range(IN_A_ROW):
                number = turn * IN_A_ROW + j
                started, worked = time.perf_counter(), time.thread_time()
                plan(number)
                seconds[i, turn, j] = time.perf_counter() - started, time.thread_time() - worked
        progress(min((turn - WARMUP_TURNS + 1) * IN_A_ROW, turns * IN_A_ROW))
    return {name: _percentiles(seconds[i, WARMUP_TURNS:]) for i, name in enumerate(plans)}


def _percentiles(seconds: np.ndarray) -> dict[str, float]:
    """Of one planner's wall-clock and processor seconds [turns, IN_A_ROW, 2], in ms.

    `first`: plans that begin a turn. They find other planners' weights in the caches, as in a control
    loop that has much else to do; the rest find their own.
    """
    wall, processor = np.moveaxis(seconds * 1e3, 2, 0)
    p50, p99 = np.percentile(wall, (50, 99))
    found = {
        "latency_ms_p50": p50,
        "latency_ms_p99": p99,
        "first_ms_p50": np.median(wall[:, 0]),
        "cpu_ms_p50": np.median(processor),  # what other load cannot stretch
        "first_cpu_ms_p50": np.median(processor[:, 0]),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def multiply_adds(run: Run, name: str, k: int) -> int:
    """Of one plan of the planner `name`."""
    return KINDS[name].make(run, k).multiply_adds


def scores(
    run: Run,
    kinds: Sequence[Kind],
    k: int,
    seeds: Sequence[int],
    progress: StageProgress = silent_stages,
) -> dict[str, dict[str, Any]]:
    """`evaluate.Result.summary()` and the episodes' scores of each planner, on the same episodes."""
    from kdp_edge.play.evaluate import play_episodes

    steps = run.task().max_episode_steps
    found = {}
    for kind in kinds:

        def show(step: int, name: str = kind.name) -> None:
            progress(name, step, steps)

        result = play_episodes(run, seeds, kind.make(run, k), progress=show)
        each = [round(result.task.score(float(value)), 3) for value in result.returns]
        found[kind.name] = {**result.summary(), "scores": each}
    return found
