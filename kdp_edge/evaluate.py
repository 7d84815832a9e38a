"""Closed-loop evaluation in MuJoCo: episodes in lockstep, one batched plan a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from kdp_edge.planner import FloatPlanner
from kdp_edge.run import Run
from kdp_edge.tasks import Task, get_task

FIRST_SEED = 1000  # of evaluation episodes; data sets draw theirs elsewhere
# 97.5 % quantile of Student's t for 1..30 degrees of freedom; 1.96 beyond
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class Planner(Protocol):
    """Anything that plans for E states at once, see `FloatPlanner.plan`."""

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Result:
    """Returns [episodes] and lengths of the episodes with the given environment seeds."""

    task: Task
    seeds: tuple[int, ...]
    returns: np.ndarray
    lengths: np.ndarray
    switched: float  # share of plans in which another candidate than 0 won

    def summary(self) -> dict[str, Any]:
        scores = np.array([self.task.score(value) for value in self.returns])
        return {
            "episodes": len(self.returns),
            "return_mean": round(float(self.returns.mean()), 2),
            "return_ci95": [round(v, 2) for v in interval95(self.returns)],
            "score_mean": round(float(scores.mean()), 2),
            "score_ci95": [round(v, 2) for v in interval95(scores)],
            "score_min": round(float(scores.min()), 2),
            "length_mean": round(float(self.lengths.mean()), 1),
            "switched": round(self.switched, 3),
            "seeds": list(self.seeds),
        }


def interval95(values: np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the mean (Student's t); a single value has no width."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return mean, mean
    t = _T[count - 2] if count - 2 < len(_T) else 1.96
    half = t * float(values.std(ddof=1)) / count**0.5
    return mean - half, mean + half


def evaluate(
    run: Run,
    seeds: Sequence[int],
    planner: Planner | None = None,
    latent_seed: int = 0,
    progress: Callable[[int], None] = lambda step: None,
) -> Result:
    """Play one episode per seed with the run's planner (or the one given)."""
    import gymnasium

    task = get_task(run.config.task)
    planner = planner or FloatPlanner(run)
    rng = torch.Generator().manual_seed(latent_seed)
    envs = [gymnasium.make(task.env_id) for _ in seeds]
    obs = np.stack([env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)])
    returns, lengths = np.zeros(len(envs)), np.zeros(len(envs), int)
    alive = np.ones(len(envs), bool)
    plans = switched = 0
    step = 0
    while alive.any():
        part = step % run.config.chunk
        if part == 0:
            actions, winner = planner.plan(obs, rng)
            plans, switched = plans + alive.sum(), switched + (winner[alive] > 0).sum()
        for i in np.flatnonzero(alive):
            obs[i], reward, terminated, truncated, _ = envs[i].step(actions[i, part])
            returns[i] += reward
            lengths[i] += 1
            alive[i] = not (terminated or truncated)
        step += 1
        progress(step)
    for env in envs:
        env.close()
    return Result(task, tuple(seeds), returns, lengths, float(switched / max(plans, 1)))
