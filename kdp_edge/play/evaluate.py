# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Closed-loop evaluation in MuJoCo: episodes in lockstep, one batched plan a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.base.statistics import interval95, rounded95, success_summary
from kdp_edge.play.planner import planner_of
from kdp_edge.run import Run
from kdp_edge.tasks import Task
from kdp_edge.tasks.environments import make_env
from kdp_edge.tasks.perturbed import NOMINAL, Perturbation, PerturbedPlant, perturbation_named
from kdp_edge.tasks.success import succeeded

FIRST_SEED = 1000  # of evaluation episodes; data sets draw theirs elsewhere


class BatchedPlanner(Protocol):
    """Anything that plans for E states at once, see `KdpPlanner.plan`."""

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Result:
    """Returns [episodes] and lengths of the episodes with the given environment seeds."""

    task: Task
    seeds: tuple[int, ...]
    returns: np.ndarray
    lengths: np.ndarray
    switched: float  # share of plans in which another candidate than 0 won
    successes: tuple[bool | None, ...] = ()  # of each episode; None where the plant has no word for it

    @property
    def scores(self) -> np.ndarray:
        """D4RL-normalised, [episodes]."""
        return np.array([self.task.score(value) for value in self.returns])

    @property
    def score_mean(self) -> float:
        return float(self.scores.mean())

    @property
    def score_interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean score over episodes; None for a single one."""
        return interval95(self.scores)

    def summary(self) -> dict[str, Any]:
        """The result in numbers, for JSON."""
        scores = self.scores
        return {
            "episodes": len(self.returns),
            "return_mean": round(float(self.returns.mean()), 2),
            "return_ci95": rounded95(self.returns),
            "score_mean": round(float(scores.mean()), 2),
            "score_ci95": rounded95(scores),
            "score_min": round(float(scores.min()), 2),
            "length_mean": round(float(self.lengths.mean()), 1),
            **success_summary(self.successes),
            "switched": round(self.switched, 3),
            "seeds": list(self.seeds),
        }


def evaluate(
    run: Run | Path | str,
    *,
    episodes: int = 10,
    seed: int = FIRST_SEED,
    k: int | None = None,
    margin: float | None = None,
    sample_all: bool = False,
    perturb: Sequence[str] = (),
    progress: Progress = silent,
    chunk: int | None = None,
    ahead: bool = False,
) -> Result:
    """Play episodes in MuJoCo with the float planner of a run.

    Played as the run is deployed (its own `k` and `margin`, candidate 0 not drawn, the plant as it is), the
    result is kept in the run's evaluation.json, where the model card finds it.

    Args:
        run: the run, or its folder.
        seed: of the first episode; the next ones count up.
        k: candidates per plan; without it the run's own; 1 plays latent 0.
        margin: what a candidate must gain over latent 0, in the critic's units; without it the run's own.
        sample_all: draw candidate 0 as well.
        perturb: names of `PERTURBATIONS`, all of which the plant has at once.
        progress: is told how many control steps are played.
        chunk: steps of a plan that are played; without it the run's own.
        ahead: see `play_episodes`.

    Raises:
        KdpError: no complete run, no episodes, k below 1, a chunk beyond the window, a margin that is not
            finite, an unknown perturbation or one that the plant cannot have, or the run's task has no
            environment or one that does not fit it.
    """
    if episodes < 1:
        raise KdpError(f"episodes is {episodes}, expected at least 1")
    if k is not None and k < 1:
        raise KdpError(f"k is {k}, expected at least 1")
    if margin is not None and not isfinite(margin):
        raise KdpError(f"margin is {margin}, expected a finite number, in the critic's units")
    perturbation = perturbation_named(perturb)
    chosen = run if isinstance(run, Run) else Run.load(Path(run))
    planner = planner_of(chosen, k, margin, sample_all)
    seeds = range(seed, seed + episodes)
    result = play_episodes(
        chosen, seeds, planner, chunk, perturbation=perturbation, progress=progress, ahead=ahead
    )
    own = {"k": k, "margin": margin, "chunk": chunk}
    as_trained = all(value in (None, getattr(chosen.config, name)) for name, value in own.items())
    as_deployed = as_trained and not sample_all and not ahead
    if as_deployed and perturbation == NOMINAL:
        chosen.record("float", result.summary())
    return result


def play_episodes(
    run: Run,
    seeds: Sequence[int],
    planner: BatchedPlanner | None = None,
    chunk: int | None = None,
    latent_seed: int = 0,
    perturbation: Perturbation = NOMINAL,
    progress: Progress = silent,
    ahead: bool = False,
) -> Result:
    """Play one episode per seed, all in lockstep, with the run's planner or the one given.

    Args:
        chunk: steps of a plan that are played before the next; without it the run's.
        perturbation: what the plant differs by.
        ahead: plans are made in the last step of a chunk, of its observation, as `PlanSpec.ahead` says.

    Raises:
        KdpError: a chunk that a window, or planning ahead, has no room for.
    """
    task, chunk, horizon = run.task(), chunk or run.config.chunk, run.config.horizon
    if not 1 + ahead <= chunk <= horizon:
        raise KdpError(
            f"chunk is {chunk}, expected {1 + ahead} to {horizon}: a window has {horizon} steps"
            f"{', and plans are made ahead while a chunk plays' if ahead else ''}"
        )
    planner = planner or planner_of(run)
    rng = torch.Generator().manual_seed(latent_seed)
    envs = [_plant(run, task, perturbation) for _ in seeds]
    obs = np.stack([env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)])
    returns, lengths = np.zeros(len(envs)), np.zeros(len(envs), int)
    alive = np.ones(len(envs), bool)
    successes: list[bool | None] = [None] * len(envs)
    plans = switched = 0
    step = 0
    before: np.ndarray | None = None  # the observations of the step before
    while alive.any():
        part = step % chunk
        if part == 0:
            actions, winner = planner.plan(obs if before is None else before, rng)
            plans, switched = plans + alive.sum(), switched + (winner[alive] > 0).sum()
        before = obs.copy() if ahead else None
        for i in np.flatnonzero(alive):
            obs[i], reward, terminated, truncated, info = envs[i].step(task.robot.units(actions[i, part]))
            successes[i] = succeeded(task, info, successes[i])
            returns[i] += reward
            lengths[i] += 1
            alive[i] = not (terminated or truncated)
        step += 1
        progress(step)
    for env in envs:
        env.close()
    rate = float(switched / max(plans, 1))
    return Result(task, tuple(seeds), returns, lengths, rate, tuple(successes))


def _plant(run: Run, task: Task, perturbation: Perturbation) -> Any:
    if perturbation == NOMINAL:
        return make_env(task)
    return PerturbedPlant(task, perturbation, run.calibration().std(0))
