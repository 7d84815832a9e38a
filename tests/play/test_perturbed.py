# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A perturbed plant differs from the nominal one by what its name says, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest
from typer.testing import CliRunner

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.robust import robustness
from kdp_edge.cli import app
from kdp_edge.play.evaluate import evaluate
from kdp_edge.quantization.policy import quantize
from kdp_edge.run import Run
from kdp_edge.tasks import get_task
from kdp_edge.tasks.environments import make_env
from kdp_edge.tasks.perturbed import NOMINAL, PERTURBATIONS, PerturbedPlant, perturbation_named
from tests.export.runs import write_run

HOPPER, MAZE = get_task("hopper-medium"), get_task("maze2d-umaze")
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (12, 3)).astype(np.float32)


def states(plant: object, actions: np.ndarray = ACTIONS) -> np.ndarray:
    """Observations of an episode, the first one included [steps + 1, obs]."""
    seen = [plant.reset(seed=3)[0]]  # type: ignore[attr-defined]
    for action in actions:
        seen.append(plant.step(action)[0])  # type: ignore[attr-defined]
    return np.array(seen)


def plant(name: str) -> PerturbedPlant:
    return PerturbedPlant(HOPPER, perturbation_named([name]), np.full(11, 2.0))


def test_a_plant_with_nothing_perturbed_is_the_plant() -> None:
    ours = PerturbedPlant(HOPPER, NOMINAL, np.ones(11))
    np.testing.assert_array_equal(states(ours), states(make_env(HOPPER)))


def test_noise_is_in_the_data_s_spread_and_leaves_the_plant_alone() -> None:
    clean, noisy = states(plant("late-one")), states(plant("noise-10"))
    assert np.abs(noisy[0] - clean[0]).max() > 0, "the first observation is sensed as well"
    difference = noisy - states(make_env(HOPPER))
    assert 0.15 < difference.std() < 0.25, "a tenth of a spread of 2"
    np.testing.assert_array_equal(noisy, states(plant("noise-10")))


def test_bias_stays_within_an_episode() -> None:
    difference = states(plant("bias-5")) - states(make_env(HOPPER))
    np.testing.assert_allclose(difference, np.broadcast_to(difference[0], difference.shape), atol=1e-9)
    assert np.abs(difference[0]).min() > 0


def test_a_step_late_is_the_nominal_plant_with_actions_shifted() -> None:
    shifted = np.concatenate([0 * ACTIONS[:1], ACTIONS[:-1]])
    np.testing.assert_array_equal(states(plant("late-one")), states(make_env(HOPPER), shifted))


def test_half_a_step_late_holds_the_action_before_for_half_of_the_sub_steps() -> None:
    env = make_env(HOPPER)
    env.reset(seed=3)
    bare = env.unwrapped
    for before, action in zip(np.concatenate([0 * ACTIONS[:1], ACTIONS[:-1]]), ACTIONS, strict=True):
        for control in (before, action):
            bare.data.ctrl[:] = control
            for _ in range(bare.frame_skip // 2):
                mujoco.mj_step(bare.model, bare.data)
    late = plant("late-half")
    states(late)
    np.testing.assert_array_equal(late.simulation.body.qpos, bare.data.qpos)
    with pytest.raises(KdpError, match="whole ones"):
        PerturbedPlant(MAZE, PERTURBATIONS["late-half"], np.ones(6))


def test_bodies_and_motors_are_changed_by_the_factor_that_the_name_says() -> None:
    nominal = PerturbedPlant(HOPPER, NOMINAL, np.ones(11)).simulation.body.model
    other = PerturbedPlant(HOPPER, PERTURBATIONS["all"], np.ones(11)).simulation.body.model
    for field, factor in (
        ("body_mass", 1.1), ("body_inertia", 1.1), ("geom_friction", 0.8), ("actuator_gainprm", 0.9)
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(other, field), factor * getattr(nominal, field), rtol=1e-12)
    assert other.opt.timestep == nominal.opt.timestep


def test_eval_names_the_plant_and_keeps_no_record_of_it(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    (run.path / "metrics.json").write_text('{"behaviour_score": 0.0}', encoding="utf-8")
    command = ["eval", "--run", str(run.path), "--episodes", "2", "--perturb", "mass+10", "--json"]
    done = CliRunner().invoke(app, [*command, "--perturb", "noise-5"], catch_exceptions=False)
    assert json.loads(done.stdout)["perturbed"] == ["mass+10", "noise-5"]
    assert "float" not in run.evaluation()
    with pytest.raises(KdpError, match="unknown perturbation 'mass10'"):
        evaluate(run, perturb=["mass10"])


def test_robust_plays_float_integers_and_the_data_s_policies_side_by_side(tmp_path: Path) -> None:
    run = Run.load(write_run(tmp_path / "run"))
    rows = robustness(run, quantize(run), (0, 1), ("mass+10",))
    policies = [f"data: {part.policy}" for part in run.task().recipe]
    expected = ["float", "int8", *policies]
    assert [row["planner"] for row in rows] == expected * 2
    assert [row["perturbation"] for row in rows] == ["nominal"] * len(expected) + ["mass+10"] * len(expected)
    assert rows[0]["scores"] != rows[len(expected)]["scores"]
