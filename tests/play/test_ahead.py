# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Episodes whose plans are made ahead: of which observation, and from which of their actions on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kdp_edge.base.errors import KdpError
from kdp_edge.play.evaluate import evaluate, play_episodes
from kdp_edge.play.integer_check import check_integers
from kdp_edge.quantization.limits import Wishes
from kdp_edge.quantization.policy import quantize_run
from kdp_edge.run import Run
from kdp_edge.tasks.environments import make_env
from tests.export.runs import write_run

HORIZON = 4


def plan_of(observation: np.ndarray) -> np.ndarray:
    """Some plan that only this observation has, [horizon, 3]."""
    return np.sin(7 * observation[:3] + np.arange(HORIZON)[:, None]).astype(np.float32)


class Stub:
    """Plans `plan_of` for each state."""

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([plan_of(one) for one in observations]), np.zeros(len(observations), np.int64)


def by_hand(run: Run, seed: int, chunk: int, ahead: bool) -> float:
    env = make_env(run.task())
    seen, total, over = [env.reset(seed=seed)[0].copy()], 0.0, False
    while not over:
        step = len(seen) - 1
        # ahead: plan n is made of step n * chunk and played from the step behind it on
        number = max(step - ahead, 0) // chunk
        action = plan_of(seen[number * chunk])[step - number * chunk]
        observation, reward, terminated, truncated, _ = env.step(run.task().robot.units(action))
        seen.append(observation.copy())
        total, over = total + float(reward), terminated or truncated
    return total


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_episodes_are_those_of_a_plain_loop(tmp_path: Path, chunk: int, ahead: bool) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    played = play_episodes(run, (5, 6, 7), Stub(), chunk, ahead=ahead)
    expected = [by_hand(run, seed, chunk, ahead) for seed in (5, 6, 7)]
    assert played.returns.tolist() == pytest.approx(expected, rel=1e-12)
    assert played.lengths.min() > chunk + 1, "more than the first plan"


def test_a_window_too_short_for_the_chunk_is_refused(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    with pytest.raises(KdpError, match=r"chunk is 4, expected 1 to 3: a window has 4 steps, and ahead plays"):
        evaluate(run, chunk=HORIZON, ahead=True)
    with pytest.raises(KdpError, match=r"chunk is 5, expected 1 to 4: a window has 4 steps$"):
        evaluate(run, chunk=HORIZON + 1)
    with pytest.raises(KdpError, match="ahead plays the steps 1 to 4 of a plan, a window has 4"):
        quantize_run(run, wishes=Wishes(chunk=HORIZON, ahead=True))


def test_only_the_policy_as_trained_is_recorded(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    evaluate(run, episodes=1, chunk=2)
    evaluate(run, episodes=1, ahead=True)
    assert "float" not in run.evaluation()
    evaluate(run, episodes=1, chunk=run.config.chunk)
    assert "float" in run.evaluation()


def test_integers_are_checked_as_they_are_deployed(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    planner = quantize_run(run, wishes=Wishes(chunk=2, ahead=True))
    assert (planner.spec.ahead, planner.spec.chunk_end) == (True, 3)
    verdict = check_integers(run, planner, 2)
    ahead = play_episodes(run, range(1000, 1002), None, 2, ahead=True)
    plain = play_episodes(run, range(1000, 1002), None, 2)
    assert verdict["float_score"] == pytest.approx(run.task().score(float(ahead.returns.mean())))
    assert verdict["float_score"] != pytest.approx(run.task().score(float(plain.returns.mean())))
