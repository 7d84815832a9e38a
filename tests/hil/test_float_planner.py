# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The float planner is the run's own arithmetic, and the integer planner's without its rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.policy import load_planner
from kdp_edge.run import Run


def test_actions_from_run_and_from_integers_agree_but_for_weight_rounding(run_folder: Path) -> None:
    planner = load_planner(run_folder)
    trained = FloatPlanner.from_run(Run.load(run_folder), planner.spec)
    rounded = FloatPlanner.from_integer(planner)
    rng = np.random.default_rng(1)
    for index in range(20):
        observation = rng.normal(0, 1, 11).astype(np.float32)
        a, b = (p.plan(observation, 3, index).actions for p in (trained, rounded))
        assert a.shape == (planner.spec.k, planner.spec.horizon, 3)
        assert np.abs(a - b).max() < 0.1


def test_the_integer_planner_is_near_its_float_self(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    rng = np.random.default_rng(1)
    gaps = []
    for index in range(50):
        observation = rng.normal(0, 1, 11).astype(np.float32)
        exact, integer = float_planner.plan(observation, 3, index), planner.plan(observation, 3, index)
        gaps.append(np.abs(integer.actions - exact.actions[integer.best]).max())
    # an int8 action step is 0.01
    assert np.median(gaps) < 0.05


def test_plans_made_at_once_are_those_made_one_by_one_to_the_bit(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    seen = np.random.default_rng(2).normal(0, 2, (33, 11)).astype(np.float32)
    numbers = [*range(7, 40)]
    for policy in (planner, float_planner):
        for one, observation, number in zip(policy.plans(seen, 5, numbers), seen, numbers, strict=True):
            alone = policy.plan(observation, 5, number)
            assert one.best == alone.best
            assert one.actions.tobytes() == alone.actions.tobytes()
            assert getattr(one, "digest", None) == getattr(alone, "digest", None)
