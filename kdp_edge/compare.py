"""All planners of one run side by side: the same episodes, and planning time in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kdp_edge.baselines import STEPS, ClonePlanner, DiffusionPlanner
from kdp_edge.errors import KdpError
from kdp_edge.planner import FloatPlanner
from kdp_edge.run import Run

WARMUP_ROUNDS = 50


@dataclass(frozen=True)
class Kind:
    """A way to plan with what was trained for a run; `make(run, k)` builds it."""

    name: str
    what: str
    make: Callable[[Run, int], FloatPlanner]


def _diffusion(steps: int) -> Kind:
    what = f"diffusion, {steps} steps, K ranked" if steps > 1 else "diffusion, 1 step, K ranked"
    return Kind(f"diffusion-{steps}", what, lambda run, k: DiffusionPlanner(run, steps, k))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("kdp", "KDP, K ranked", lambda run, k: FloatPlanner(run, k)),
        Kind("kdp-plan", "KDP, latent 0 only", lambda run, k: FloatPlanner(run, 1)),
        Kind("kdp-sample", "KDP, one drawn latent", lambda run, k: FloatPlanner(run, 1, sample_all=True)),
        *(_diffusion(steps) for steps in STEPS),
        Kind("clone", "behaviour cloning", lambda run, k: ClonePlanner(run)),
    )
}


def kinds_named(names: Sequence[str]) -> list[Kind]:
    """The planners called `names`; raises `KdpError` that lists all."""
    for name in names:
        if name not in KINDS:
            raise KdpError(f"unknown planner '{name}'; expected {', '.join(KINDS)}")
    return [KINDS[name] for name in names]


def latencies(
    run: Run,
    kinds: Sequence[Kind],
    k: int,
    rounds: int,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, dict[str, float]]:
    """Planning time in ms for one state: wall-clock p50 and p99, processor p50 of each planner.

    One thread; the planners take turns in an order that changes every round, each planning for the
    same state, so that whatever else the machine does falls on all of them alike.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _interleaved(run, kinds, k, rounds, progress)
    finally:
        torch.set_num_threads(threads)


def _interleaved(
    run: Run, kinds: Sequence[Kind], k: int, rounds: int, progress: Callable[[int], None]
) -> dict[str, dict[str, float]]:
    states = run.calibration().astype(np.float64)
    planners = [(kind.name, kind.make(run, k)) for kind in kinds]
    order, latents = np.random.default_rng(0), torch.Generator().manual_seed(0)
    seconds: dict[str, list[tuple[float, float]]] = {kind.name: [] for kind in kinds}
    for number in range(WARMUP_ROUNDS + rounds):
        state = states[number % len(states)][None]
        for i in order.permutation(len(planners)):
            name, planner = planners[i]
            started, worked = time.perf_counter(), time.thread_time()
            planner.plan(state, latents)
            seconds[name].append((time.perf_counter() - started, time.thread_time() - worked))
        progress(number)
    return {name: _percentiles(values[WARMUP_ROUNDS:]) for name, values in seconds.items()}


def _percentiles(seconds: list[tuple[float, float]]) -> dict[str, float]:
    wall, processor = np.array(seconds).T * 1e3
    p50, p99 = np.percentile(wall, (50, 99))
    return {
        "latency_ms_p50": round(float(p50), 4),
        "latency_ms_p99": round(float(p99), 4),
        "cpu_ms_p50": round(float(np.median(processor)), 4),  # what other load cannot stretch
    }


def multiply_adds(run: Run, name: str, k: int) -> int:
    """Multiplications of weights in one plan: what a planner costs where nothing but arithmetic counts."""
    planner = KINDS[name].make(run, k)
    if isinstance(planner, ClonePlanner):
        return _weights(planner.clone)
    once = _weights(planner.generator)
    if isinstance(planner, DiffusionPlanner):
        once = planner.steps * _weights(planner.denoiser)
    ranked = _weights(planner.critic) if planner.k > 1 else 0
    return planner.k * (once + ranked)


def _weights(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters() if parameter.ndim == 2)


def scores(
    run: Run,
    kinds: Sequence[Kind],
    k: int,
    seeds: Sequence[int],
    progress: Callable[[str, int, int], None] = lambda name, done, of: None,
) -> dict[str, dict[str, Any]]:
    """`evaluate.Result.summary()` and the episodes' scores of each planner, on the same episodes."""
    from kdp_edge.evaluate import evaluate
    from kdp_edge.tasks import get_task

    steps = get_task(run.config.task).max_episode_steps
    found = {}
    for kind in kinds:

        def show(step: int, name: str = kind.name) -> None:
            progress(name, step, steps)

        result = evaluate(run, seeds, kind.make(run, k), progress=show)
        each = [round(result.task.score(float(value)), 3) for value in result.returns]
        found[kind.name] = {**result.summary(), "scores": each}
    return found
