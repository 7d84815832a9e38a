# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Closed-loop checks of quantization: the integer reference against the float policy.

Also answers how the observation should enter the net: as int8, as int16, or through a first layer
kept in float. `kdp-edge bench observation` prints that table.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import torch

from kdp_edge.base.progress import Progress, silent
from kdp_edge.base.statistics import POINTS, Comparison, compare
from kdp_edge.play.evaluate import FIRST_SEED, Result, play_episodes
from kdp_edge.play.planner import planner_of
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import deployed_config
from kdp_edge.run import Run
from kdp_edge.tasks import Robot

LIMIT = POINTS  # of score that integers may always differ from float
CHANCE = 0.05  # of a sign test
BAR, BAR_SPREADS = 1.0, 0.02  # points, or standard deviations of the episodes: what integers should not lose


@dataclass(frozen=True)
class BatchPlanner:
    """The integer planner for E states at once, in the form that `play_episodes` plays."""

    planner: IntegerPlanner
    robot: Robot

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Raw observations [E, obs_dim] -> actions as shares, float32 [E, horizon, act_dim], winners [E]."""
        spec, count = self.planner.spec, len(observations)
        table = np.asarray(spec.latent_table, np.int8)
        noise = table[torch.randint(256, (count, spec.k, spec.latent_dim), generator=rng).numpy()]
        noise[:, 0] = 0
        windows, scores = self.candidates(
            np.repeat(observations, spec.k, 0), noise.reshape(count * spec.k, -1)
        )
        winner = self.planner.choose(scores.reshape(count, spec.k))
        chosen = windows.reshape(count, spec.k, -1)[np.arange(count), winner]
        actions = np.clip(self.planner.actions(chosen), spec.act_low, spec.act_high)
        return self.robot.shares(actions), winner

    def candidates(self, observations: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw observations [n, obs_dim], int8 latents [n, latent_dim] -> windows [n, size], scores [n]."""
        return self.planner.candidates(self.planner.quantize_observation(observations), noise)


def check_integers(
    run: Run, planner: IntegerPlanner, episodes: int, progress: Progress = silent
) -> dict[str, Any]:
    """Scores of the float policy and of its integer planner on the same episodes, and the verdict.

    `loses`: they return less by more than a point, or 2 % of the episodes' standard deviation where that is
    more, and paired episodes say that it is not chance (`loses`). Kept in the run's evaluation.json
    together with the hash of the integer model.
    """
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    config = deployed_config(run)
    own = planner_of(run, config.k, config.margin)
    ahead = planner.spec.ahead
    floating = play_episodes(run, seeds, own, config.chunk, progress=progress, ahead=ahead)
    batch = BatchPlanner(planner, run.task().robot)
    half_way = run.task().max_episode_steps

    def second_half(done: int) -> None:
        progress(half_way + done)

    integer = play_episodes(run, seeds, batch, config.chunk, progress=second_half, ahead=ahead)
    point = floating.task.point
    # points of a score may be worth less than episodes differ by chance: the spread counts as well
    found = compare(list(integer.returns), list(floating.returns), point)
    bar = max(BAR * point, BAR_SPREADS * float(floating.returns.std()))
    verdict = {
        "episodes": episodes,
        "float_score": _score(floating),
        "integer_score": _score(integer),
        "difference": found.difference / point,
        "difference_ci95": None if found.interval is None else [v / point for v in found.interval],
        "limit": found.allowed / point,
        "passed": found.passed,
        "loses": loses(found, bar, integer.returns - floating.returns),
    }
    run.record("integer", verdict | {"model_sha256": planner.model_sha256()})
    return verdict


def loses(found: Comparison, bar: float, paired: np.ndarray) -> bool:
    """Whether integers return less by more than `bar`, and that is not chance.

    By the mean, with the interval over episodes; or by the median, with the sign test: one episode that tips
    over widens the interval so far that it hides what all others lose.

    Args:
        paired: integers' returns less float's of the same episodes [episodes].
    """
    by_mean = found.difference < -bar and (found.interval is None or found.interval[1] < 0)
    by_median = bool(np.median(paired) < -bar) and sign_chance(int((paired < 0).sum()), len(paired)) < CHANCE
    return by_mean or by_median


def sign_chance(fewer: int, count: int) -> float:
    """Chance that at least `fewer` of `count` fair coins fall on one side: the one-sided sign test."""
    return sum(comb(count, number) for number in range(fewer, count + 1)) / 2**count


def _score(result: Result) -> float:
    return float(result.task.score(float(result.returns.mean())))
