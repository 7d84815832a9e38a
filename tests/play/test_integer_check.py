# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What scores integers in closed loop plays exactly what a device plays, and knows finer observations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from typer.testing import CliRunner

from kdp_edge.bench.observation import FinePlanner
from kdp_edge.cli import app
from kdp_edge.play.integer_check import BatchPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.tasks import get_task
from tests.export.runs import write_run

ROBOT = get_task("hopper-medium-expert").robot
PLANNER = random_planner(width=32, critic_width=16, margin=1)
STATES = 2 * np.random.default_rng(0).normal(size=(64, 11)).astype(np.float32)


def test_a_batch_of_plans_is_the_devices_plans_one_by_one() -> None:
    spec = PLANNER.spec
    actions, winners = BatchPlanner(PLANNER, ROBOT).plan(STATES, torch.Generator().manual_seed(3))
    drawn = torch.randint(256, (64, spec.k, spec.latent_dim), generator=torch.Generator().manual_seed(3))
    noise = np.asarray(spec.latent_table, np.int8)[drawn.numpy()]
    noise[:, 0] = 0
    for state, latents, action, winner in zip(STATES, noise, actions, winners, strict=True):
        plan = PLANNER.plan_from_latents(PLANNER.quantize_observation(state), latents)
        assert plan.best == winner
        assert np.array_equal(np.clip(plan.actions, spec.act_low, spec.act_high), action)
    assert len(set(winners)) > 1, "candidates besides the first win somewhere"


def test_finer_observations_are_nearer_to_a_first_layer_in_float() -> None:
    noise = np.zeros((64, PLANNER.spec.latent_dim), np.int8)

    def windows(planner: BatchPlanner) -> np.ndarray:
        return planner.candidates(STATES, noise)[0].astype(int)

    exact = windows(FinePlanner(PLANNER, ROBOT, 0))
    whole, fine = (
        np.abs(windows(p) - exact).mean()
        for p in (BatchPlanner(PLANNER, ROBOT), FinePlanner(PLANNER, ROBOT, 256))
    )
    assert fine < whole / 10


def test_the_command_scores_every_format_on_the_same_episodes(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "rows.json"
    command = ["bench", "observation", "--run", str(run), "--episodes", "2", "--out", str(out)]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())
    assert json.loads(result.stdout) == rows
    assert [row["observation"] for row in rows] == ["float policy", "int8", "int16", "float"]
    for row in rows:
        assert row["seeds"] == [1000, 1001] and row["episodes"] == 2
        assert row["task"] == "hopper-medium-expert" and row["seed"] == 0
