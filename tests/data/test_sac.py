# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The policy trainer: its pieces against their definitions, its files as `data make` reads them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.making.policy import SquashedGaussian, load_policy
from kdp_edge.data.making.sac import Critics, GaussianActor, SacConfig, SacLearner


def test_log_probability_is_that_of_the_squashed_gaussian() -> None:
    torch.manual_seed(0)
    actor = GaussianActor(3, 2, 8).double()
    obs = torch.randn(1, 3, dtype=torch.float64)
    torch.manual_seed(1)
    action, log_chance = actor(obs)
    hidden = torch.relu(actor.second(torch.relu(actor.first(obs))))
    mean, log_std = actor.last(hidden).chunk(2, -1)
    base = torch.distributions.Normal(mean, log_std.exp())
    squashed = torch.distributions.TransformedDistribution(base, torch.distributions.TanhTransform())
    torch.testing.assert_close(log_chance, squashed.log_prob(action).sum(-1))


def test_two_critics_are_two_separate_nets() -> None:
    critics = Critics(4, 8)
    inputs = torch.randn(5, 4)
    for which in range(2):
        hidden = inputs
        for i, (weight, bias) in enumerate(zip(critics.weights, critics.biases, strict=True)):
            hidden = (torch.relu(hidden) if i else hidden) @ weight[which] + bias[which]
        torch.testing.assert_close(critics(inputs)[which], hidden[:, 0])


def test_the_learner_finds_the_best_action_of_a_one_step_problem() -> None:
    torch.manual_seed(0)
    learner = SacLearner(1, 1, SacConfig(width=32, lr=3e-3))
    for _ in range(400):
        obs, actions = torch.zeros(64, 1), torch.rand(64, 1) * 2 - 1
        rewards = -10 * (actions[:, 0] - 0.5).square()
        learner.update(obs, actions, rewards, obs, torch.zeros(64))
    chosen, _ = learner.actor(torch.zeros(500, 1))
    assert chosen.mean().item() == pytest.approx(0.5, abs=0.15)


def test_a_trained_policy_is_saved_and_rolled_into_a_data_set(tmp_path: Path) -> None:
    command = ["data", "policy", "hopper-medium", "--steps", "400", "--evaluate-every", "200", "--json"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    records = json.loads(done.stdout)
    assert [record["steps"] for record in records] == [200, 400]
    policy = load_policy(Path(records[1]["file"]))
    assert isinstance(policy, SquashedGaussian)
    assert np.abs(policy.act(np.zeros((5, 11)), np.random.default_rng(0))).max() <= 1
    files = [option for record in records for option in ("--policy", f"{record['file']}:2")]
    make = ["data", "make", "hopper-medium", *files, "--steps", "1000", "--workers", "1", "--name", "mine"]
    made = CliRunner().invoke(app, make, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    parts = store.read_meta("mine")["recipe"]["parts"]
    assert [part["fraction"] for part in parts] == [0.5, 0.5]
    assert all(len(part["sha256"]) == 64 for part in parts)
