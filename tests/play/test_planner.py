# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The fast planners give what the plain nets give, written out step by step."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kdp_edge.bench.baseline_planners import ClonePlanner, DiffusionPlanner
from kdp_edge.bench.diffusion import Denoiser
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.play.columns import ColumnNet
from kdp_edge.play.planner import KdpPlanner, RankingPlanner
from kdp_edge.run import Run, RunConfig

CONFIG = RunConfig(
    "hopper-medium-expert", "none", obs_dim=11, act_dim=3, latent_scale=1.3, width=24, critic_width=12,
    critic_steps=2, critic_blocks=1, margin=0.2, k=6,
)  # fmt: skip
STATES = np.random.default_rng(1).normal(3, 2, (40, CONFIG.obs_dim))


class Nets:
    """Untrained nets as large as trained ones, and the run folder that holds them."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        c = CONFIG
        self.generator = ResidualMLP(c.obs_dim + c.latent_dim, c.width, c.blocks, c.window_dim)
        self.critic = ResidualMLP(c.obs_dim + c.critic_steps * c.act_dim, c.critic_width, c.critic_blocks, 1)
        self.diffusion, self.clone = Denoiser(c), ResidualMLP(c.obs_dim, c.width, c.blocks, c.window_dim)
        self.diffusion.fit_columns(torch.randn(100, c.window_dim) * 0.5 + 0.1)
        self.mean, self.std = torch.randn(c.obs_dim), torch.rand(c.obs_dim) + 0.5
        for net in (self.generator, self.critic, self.diffusion.net, self.clone):
            net.last.weight.data.mul_(5)  # candidates that differ, some of them clipped
        (folder / "baselines").mkdir()
        save_file({"obs_mean": self.mean, "obs_std": self.std}, folder / "normalizer.safetensors")
        for name, place in (
            ("generator", folder), ("critic", folder),
            ("diffusion", folder / "baselines"), ("clone", folder / "baselines"),
        ):  # fmt: skip
            save_file(getattr(self, name).state_dict(), place / f"{name}.safetensors")
        self.run = Run(folder, CONFIG, {}, {})

    def state(self, observations: np.ndarray, k: int) -> Tensor:
        state = (torch.as_tensor(observations, dtype=torch.float32) - self.mean) / self.std
        return state[:, None].expand(-1, k, -1)

    def choose(self, state: Tensor, windows: Tensor, margin: float) -> tuple[np.ndarray, np.ndarray]:
        c = CONFIG
        actions = windows.unflatten(-1, (c.horizon, -1))[..., c.obs_dim :].clamp(-1, 1)
        scores = self.critic(torch.cat([state, actions[:, :, : c.critic_steps].flatten(2)], -1))[..., 0]
        scores[:, 0] += margin
        winner = scores.argmax(1) if windows.shape[1] > 1 else torch.zeros(len(state), dtype=torch.int64)
        return actions[torch.arange(len(state)), winner].numpy(), winner.numpy()


@pytest.fixture
def nets(tmp_path: Path) -> Nets:
    return Nets(tmp_path)


def noise(seed: int, states: int, k: int, size: int, first_too: bool = False) -> Tensor:
    drawn = torch.randn(states, k, size, generator=torch.Generator().manual_seed(seed))
    drawn[:, 0] *= float(first_too)
    return drawn


def check(
    planner: RankingPlanner, seed: int, states: np.ndarray, want: tuple[np.ndarray, np.ndarray]
) -> None:
    actions, winner = planner.plan(states, torch.Generator().manual_seed(seed))
    assert (actions.dtype, winner.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(winner, want[1])
    np.testing.assert_allclose(actions, want[0], atol=2e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("k", "sample_all", "margin"), [(6, False, 0.2), (33, True, -0.5), (1, True, 0), (1, False, 0)]
)
def test_kdp_ranks_one_pass_of_state_and_latent(nets: Nets, k: int, sample_all: bool, margin: float) -> None:
    planner = KdpPlanner(nets.run, k, margin, sample_all)
    winners = []
    for seed, count in enumerate((1, 5, 5, 40, 1)):  # any number of states, in any order
        state = nets.state(STATES[:count], k)
        latents = CONFIG.latent_scale * noise(seed, count, k, CONFIG.latent_dim, sample_all)
        want = nets.choose(state, nets.generator(torch.cat([state, latents], -1)), margin)
        check(planner, seed, STATES[:count], want)
        winners += list(want[1])
    assert len(set(winners)) > 3 or k == 1


@torch.no_grad()
@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_diffusion_ranks_what_its_model_samples(nets: Nets, steps: int) -> None:
    planner = DiffusionPlanner(nets.run, steps)
    for seed, count in enumerate((1, 7, 40)):
        state = nets.state(STATES[:count], CONFIG.k)
        drawn = noise(seed, count, CONFIG.k, CONFIG.window_dim)
        want = nets.choose(state, nets.diffusion.sample(state, drawn, steps), CONFIG.margin)
        check(planner, seed, STATES[:count], want)


@torch.no_grad()
def test_the_clone_plays_its_one_window_and_draws_nothing(nets: Nets) -> None:
    state = nets.state(STATES, 1)
    check(ClonePlanner(nets.run), 0, STATES, nets.choose(state, nets.clone(state), 0))
    rng = torch.Generator().manual_seed(5)
    before = rng.get_state()
    ClonePlanner(nets.run).plan(STATES, rng)
    assert torch.equal(rng.get_state(), before)


def test_a_plan_stays_when_the_next_one_is_made(nets: Nets) -> None:
    planner, rng = KdpPlanner(nets.run), torch.Generator().manual_seed(0)
    actions, winner = planner.plan(STATES[:3], rng)
    kept = actions.copy(), winner.copy()
    planner.plan(STATES[3:6], rng)
    np.testing.assert_array_equal(actions, kept[0])
    np.testing.assert_array_equal(winner, kept[1])


def test_the_margin_keeps_candidate_0_and_ties_go_to_the_lowest(nets: Nets) -> None:
    rng = torch.Generator().manual_seed(0)
    assert not KdpPlanner(nets.run, margin=math.inf).plan(STATES, rng)[1].any()
    assert KdpPlanner(nets.run, margin=-math.inf).plan(STATES, rng)[1].all()
    planner = KdpPlanner(nets.run, margin=0.0)
    planner.critic.last[:] = 0.0  # all are scored 0
    assert not planner.plan(STATES, rng)[1].any()


@torch.no_grad()
def test_columns_with_a_row_of_ones_are_the_net(nets: Nets) -> None:
    fast, inputs = ColumnNet(nets.clone), torch.randn(9, CONFIG.obs_dim)
    fast.fit(9)
    found = fast(torch.cat([torch.ones(1, 9), inputs.T]), out=torch.empty(CONFIG.window_dim, 9))
    torch.testing.assert_close(found.T, nets.clone(inputs), atol=1e-5, rtol=1e-5)


def test_multiply_adds_count_what_a_plan_computes(nets: Nets) -> None:
    blocks, actions = 4 * 24 * (24 + 1), 4 * 3 * (24 + 1)
    kdp = (8 + 1 + 11) * 24 + blocks + actions
    step = (56 + 1 + 11) * 24 + blocks
    critic = (1 + 11 + 2 * 3) * 12 + 2 * 12 * 13 + 13
    assert KdpPlanner(nets.run, 4).multiply_adds == 4 * (kdp + critic)
    assert KdpPlanner(nets.run, 1).multiply_adds == kdp
    diffusion = 19 * (step + 56 * 25) + step + actions
    assert DiffusionPlanner(nets.run, 20, 4).multiply_adds == 4 * (diffusion + critic)
    assert ClonePlanner(nets.run).multiply_adds == (1 + 11) * 24 + blocks + actions


@torch.no_grad()
def test_rivals_of_a_braced_run_are_enlarged_before_they_are_held_to_their_range(nets: Nets) -> None:
    run = Run(nets.run.path, CONFIG, {"brace": {"gain": 1.25}}, {})
    state = nets.state(STATES, CONFIG.k)
    drawn = noise(0, len(STATES), CONFIG.k, CONFIG.window_dim)
    want = nets.choose(state, 1.25 * nets.diffusion.sample(state, drawn, 5), CONFIG.margin)
    check(DiffusionPlanner(run, 5), 0, STATES, want)
    once = nets.state(STATES, 1)
    check(ClonePlanner(run), 0, STATES, nets.choose(once, 1.25 * nets.clone(once), 0))
    told = replace(CONFIG, lead=CONFIG.lead + 0.3)  # but near an edge it was not read so far ahead
    unled = Run(nets.run.path, told, {"brace": {"gain": 1.0, "lead": CONFIG.lead}}, {})
    check(ClonePlanner(unled), 0, STATES, nets.choose(once, nets.clone(once), 0))
    latents = CONFIG.latent_scale * noise(0, len(STATES), 1, CONFIG.latent_dim)
    own = nets.choose(once, nets.generator(torch.cat([once, latents], -1)), 0)  # its weights are enlarged
    check(KdpPlanner(run, 1), 0, STATES, own)
