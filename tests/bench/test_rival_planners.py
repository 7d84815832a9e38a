# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rivals' planners, made fast, plan what their nets say in plain torch: every state and candidate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kdp_edge.bench.beside import FOLDER
from kdp_edge.bench.deployed import untrained_run
from kdp_edge.bench.rivals import meanflow, shortcut
from kdp_edge.bench.rivals.flow import euler
from kdp_edge.bench.rivals.planners import OneStepPlanner, PolicyPlanner, TransportPlanner
from kdp_edge.bench.rivals.transport import Schedule, TransportNet
from kdp_edge.learn.checkpoint import save_weights
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.run import Run
from kdp_edge.tasks import get_task

K, LEAD = 5, 0.4


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = untrained_run(tmp_path / "run", get_task("hopper-medium"), width=24, horizon=3)
    return Run(made.path, replace(made.config, lead=LEAD, k=K), made.metrics, made.provenance)


def saved(run: Run, name: str, net: nn.Module) -> None:
    inner = net.net if isinstance(net, TransportNet) else net
    inner.get_parameter("last.weight").data.mul_(3)  # candidates that differ, some of them clipped
    save_weights(run.path / FOLDER / f"{name}.safetensors", net.state_dict())


def states(run: Run, count: int) -> Tensor:
    return torch.as_tensor(run.calibration()[:count], dtype=torch.float32)


def noise(size: int, count: int) -> Tensor:
    drawn = torch.randn(count, K, size, generator=torch.Generator().manual_seed(9))
    drawn[:, 0] = 0.0
    return drawn


def candidates(planner: OneStepPlanner | TransportPlanner, seen: Tensor) -> np.ndarray:
    """Actions of all candidates [E, K, H, act], whatever is chosen."""
    planner.plan(seen.numpy().astype(np.float64), torch.Generator().manual_seed(9))
    return planner.table.action_grid.transpose(1, 2, 0).reshape(len(seen), K, -1, planner.config.act_dim)


def ahead(actions: Tensor) -> np.ndarray:
    """Actions [..., H, act] due LEAD of a step later; the last stays."""
    later = torch.cat([actions[..., 1:, :], actions[..., -1:, :]], -2)
    return actions.lerp(later, LEAD).clamp(-1, 1).numpy()


@torch.no_grad()
@pytest.mark.parametrize(
    "schedule", [euler(10), euler(3), meanflow.ONE_STEP, shortcut.ONE_STEP], ids=["10", "3", "mean", "short"]
)
def test_a_transport_planner_moves_noise_as_its_net_does(run: Run, schedule: Schedule) -> None:
    c = run.config
    net = TransportNet(c, len(schedule[0].levels))
    net.fit_columns(torch.randn(50, c.window_dim) * 0.3 + 0.1)
    saved(run, "moved", net)
    planner = TransportPlanner(run, "moved", schedule, K)
    for count in (1, 4):
        seen = states(run, count)
        windows = net.sample(seen[:, None].expand(-1, K, -1), noise(c.window_dim, count), schedule)
        wanted = windows.unflatten(-1, (c.horizon, -1))[..., c.obs_dim :]
        np.testing.assert_allclose(candidates(planner, seen), ahead(wanted), atol=3e-5)


@torch.no_grad()
@pytest.mark.parametrize("only_actions", [False, True])
def test_a_one_step_planner_is_its_net(run: Run, only_actions: bool) -> None:
    c = run.config
    outputs = c.horizon * c.act_dim if only_actions else c.window_dim
    net = ResidualMLP(c.obs_dim + 7, c.width, c.blocks, outputs)
    saved(run, "one", net)
    planner = OneStepPlanner(run, "one", 7, only_actions, scale=0.5, k=K)
    seen = states(run, 4)
    windows = net(torch.cat([seen[:, None].expand(-1, K, -1), 0.5 * noise(7, 4)], -1))
    actions = windows.unflatten(-1, (c.horizon, -1))[..., 0 if only_actions else c.obs_dim :]
    np.testing.assert_allclose(candidates(planner, seen), actions.clamp(-1, 1).numpy(), atol=3e-5)


@torch.no_grad()
def test_a_policy_plays_its_action_for_every_step(run: Run) -> None:
    c = run.config
    net = ResidualMLP(c.obs_dim, c.actor_width, 1, c.act_dim)
    saved(run, "policy", net)
    seen = states(run, 3)
    actions, winner = PolicyPlanner(run, "policy").plan(seen.numpy(), torch.Generator())
    wanted = net(seen).tanh()[:, None].expand(-1, c.horizon, -1)
    np.testing.assert_allclose(actions, wanted.numpy(), atol=1e-5)
    assert not winner.any()
