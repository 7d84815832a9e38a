# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Episodes whose plans are made ahead: of which observation."""

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
        first = step // chunk * chunk
        action = plan_of(seen[max(first - ahead, 0)])[step - first]
        observation, reward, terminated, truncated, _ = env.step(run.task().robot.units(action))
        seen.append(observation.copy())
        total, over = total + float(reward), terminated or truncated
    return total


@pytest.mark.parametrize(("chunk", "ahead"), [(1, False), (2, False), (4, False), (2, True), (4, True)])
def test_episodes_are_those_of_a_plain_loop(tmp_path: Path, chunk: int, ahead: bool) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    played = play_episodes(run, (5, 6, 7), Stub(), chunk, ahead=ahead)
    expected = [by_hand(run, seed, chunk, ahead) for seed in (5, 6, 7)]
    assert played.returns.tolist() == pytest.approx(expected, rel=1e-12)
    assert played.lengths.min() > chunk + 1, "more than the first plan"


def test_a_chunk_that_there_is_no_room_for_is_refused(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    with pytest.raises(KdpError, match=r"chunk is 1, expected 2 to 4: a window has 4 steps, and plans are"):
        evaluate(run, ahead=True)
    with pytest.raises(KdpError, match=r"chunk is 5, expected 1 to 4: a window has 4 steps$"):
        evaluate(run, chunk=HORIZON + 1)
    with pytest.raises(KdpError, match="plans are made ahead while a chunk of 2 steps or more plays"):
        quantize_run(run, wishes=Wishes(ahead=True))


def test_only_the_policy_as_trained_is_recorded(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    evaluate(run, episodes=1, chunk=2)
    evaluate(run, episodes=1, chunk=2, ahead=True)
    assert "float" not in run.evaluation()
    evaluate(run, episodes=1, chunk=run.config.chunk)
    assert "float" in run.evaluation()


def test_integers_are_checked_as_they_are_deployed(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    planner = quantize_run(run, wishes=Wishes(chunk=2, ahead=True))
    assert (planner.spec.chunk, planner.spec.ahead) == (2, True)
    verdict = check_integers(run, planner, 2)
    ahead = play_episodes(run, range(1000, 1002), None, 2, ahead=True)
    plain = play_episodes(run, range(1000, 1002), None, 2)
    assert verdict["float_score"] == pytest.approx(run.task().score(float(ahead.returns.mean())))
    assert verdict["float_score"] != pytest.approx(run.task().score(float(plain.returns.mean())))
