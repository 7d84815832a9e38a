# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Soft actor-critic: makes behaviour policies like the shipped ones (Haarnoja et al., arXiv 1812.05905).

Ours and not a library's: it made the shipped policies, which stay reproducible, and leaves them in their
layout; Stable-Baselines3 would be a large dependency for a command that few ever need.

Collects a few steps with the policy in NumPy, then does as many updates in torch. The policy is
evaluated and saved now and then, so a run leaves a ladder of checkpoints of growing quality.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path
from kdp_edge.base.progress import Progress, silent
from kdp_edge.data.making.policy import SquashedGaussian
from kdp_edge.tasks import Task
from kdp_edge.tasks.environments import make_env


@dataclass(frozen=True)
class SacConfig:
    """The recipe of the shipped policies. lr 5e-4 with batch 128 was unstable."""

    steps: int = 300_000  # of the environment, and about as many updates
    width: int = 128
    batch: int = 256
    lr: float = 3e-4
    discount: float = 0.99
    target_rate: float = 0.005
    random_steps: int = 5_000  # uniform actions before the first update
    collect: int = 50  # steps between two rounds of updates
    evaluate_every: int = 50_000
    episodes: int = 10  # of an evaluation, actions sampled
    seed: int = 0


class Critics(nn.Module):
    """Two independent Q nets, evaluated together: [B, obs + act] -> [2, B]."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        sizes = (inputs, width, width, 1)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(sizes):
            bound = 1 / math.sqrt(n_in)
            self.weights.append(torch.empty(2, n_in, n_out).uniform_(-bound, bound))
            self.biases.append(torch.empty(2, 1, n_out).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs.expand(2, -1, -1)
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, torch.relu(hidden) if number else hidden, weight)
        return hidden[..., 0]


class GaussianActor(nn.Module):
    """A squashed Gaussian with actions in -1..1, in the layout of the stored policies."""

    def __init__(self, obs_dim: int, act_dim: int, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(obs_dim, width), nn.Linear(width, width)
        self.last = nn.Linear(width, 2 * act_dim)

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Sampled actions [B, act] and their log-probabilities [B]."""
        hidden = torch.relu(self.second(torch.relu(self.first(obs))))
        mean, log_std = self.last(hidden).chunk(2, -1)
        log_std = log_std.clamp(-10.0, 2.0)
        noise = torch.randn_like(mean)
        before = mean + log_std.exp() * noise
        gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
        squashing = 2 * (math.log(2) - before - nn.functional.softplus(-2 * before))
        return before.tanh(), (gaussian - squashing).sum(-1)

    def policy(self) -> SquashedGaussian:
        """The same policy in NumPy."""
        layers = tuple(
            (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
            for layer in (self.first, self.second, self.last)
        )
        return SquashedGaussian(layers, 1.0)


class Replay:
    """All transitions so far: observation, action, reward, next observation, whether it goes on."""

    def __init__(self, size: int, obs_dim: int, act_dim: int) -> None:
        self.obs, self.following = (np.zeros((size, obs_dim), np.float32) for _ in range(2))
        self.actions = np.zeros((size, act_dim), np.float32)
        self.rewards, self.goes_on = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.count = 0

    def add(
        self, obs: np.ndarray, action: np.ndarray, reward: float, following: np.ndarray, end: bool
    ) -> None:
        i = self.count
        self.obs[i], self.actions[i], self.rewards[i], self.following[i] = obs, action, reward, following
        self.goes_on[i] = not end
        self.count += 1

    def sample(self, count: int, rng: np.random.Generator) -> list[Tensor]:
        rows = rng.integers(0, self.count, count)
        arrays = (self.obs, self.actions, self.rewards, self.following, self.goes_on)
        return [torch.from_numpy(array[rows]) for array in arrays]


class SacLearner:
    """GaussianActor, critics and temperature with one optimizer each."""

    def __init__(self, obs_dim: int, act_dim: int, config: SacConfig) -> None:
        self.config = config
        self.actor = GaussianActor(obs_dim, act_dim, config.width)
        self.critics = Critics(obs_dim + act_dim, config.width)
        self.slow = Critics(obs_dim + act_dim, config.width).requires_grad_(False)
        self.slow.load_state_dict(self.critics.state_dict())
        self.log_temperature = torch.zeros((), requires_grad=True)
        self.target_entropy = -float(act_dim)
        groups: tuple[list[Tensor], ...] = (
            list(self.actor.parameters()), list(self.critics.parameters()), [self.log_temperature],
        )  # fmt: skip
        self.optimizers = [torch.optim.Adam(group, config.lr, fused=True) for group in groups]

    def update(
        self, obs: Tensor, actions: Tensor, rewards: Tensor, following: Tensor, goes_on: Tensor
    ) -> None:
        """One step of critics, actor and temperature on a batch."""
        temperature = self.log_temperature.detach().exp()
        with torch.no_grad():
            then, log_chance = self.actor(following)
            value = self.slow(torch.cat([following, then], -1)).min(0).values - temperature * log_chance
            goal = rewards + self.config.discount * goes_on * value
        error = self.critics(torch.cat([obs, actions], -1)) - goal
        self._descend(1, error.square().mean(1).sum())

        chosen, log_chance = self.actor(obs)
        self.critics.requires_grad_(False)
        worth = self.critics(torch.cat([obs, chosen], -1)).min(0).values
        self._descend(0, (temperature * log_chance - worth).mean())
        self.critics.requires_grad_(True)

        surplus = (log_chance.detach() + self.target_entropy).mean()
        self._descend(2, -self.log_temperature.exp() * surplus)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.slow.parameters()), list(self.critics.parameters()), self.config.target_rate
            )

    def _descend(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad()
        loss.backward()
        self.optimizers[which].step()


def train_policy(
    task: Task,
    config: SacConfig,
    out: Path,
    stop_at: float = math.inf,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Train on the task's environment; save `<task>_<steps>.npz` into `out` at each evaluation.

    Args:
        stop_at: end early once an evaluation's mean return reaches this.

    Returns:
        one record an evaluation: steps, return_mean, return_std, score, file.
    """
    _check_out(task, config, out)
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    env = make_env(task)
    learner = SacLearner(task.obs_dim, task.act_dim, config)
    replay = Replay(config.steps, task.obs_dim, task.act_dim)
    policy, records = learner.actor.policy(), []
    obs = env.reset(seed=config.seed)[0]
    for step in range(1, config.steps + 1):
        if step <= config.random_steps:
            action = rng.uniform(-1, 1, task.act_dim).astype(np.float32)
        else:
            action = policy.act(obs[None], rng)[0]
        following, reward, terminated, truncated, _ = env.step(task.robot.units(action))
        replay.add(obs, action, float(reward), following, terminated)
        obs = env.reset()[0] if terminated or truncated else following
        if step >= config.random_steps and step % config.collect == 0:
            for _ in range(config.collect):
                learner.update(*replay.sample(config.batch, rng))
            policy = learner.actor.policy()
            progress(step)
        if step % config.evaluate_every == 0 or step == config.steps:
            records.append(_checkpoint(task, config, policy, step, out))
            if records[-1]["return_mean"] >= stop_at:
                break
    return records


def _file(task: Task, step: int, out: Path) -> Path:
    return out / f"{task.name}_{step:07d}.npz"


def _check_out(task: Task, config: SacConfig, out: Path) -> None:
    """Look, before the work: no earlier policy is replaced."""
    if out.exists() and not out.is_dir():
        raise KdpError(f"{out} is a file, expected a folder for checkpoints; give another --out")
    for step in [*range(config.evaluate_every, config.steps, config.evaluate_every), config.steps]:
        if (file := _file(task, step, out)).exists():
            raise KdpError(f"{file} exists; give another --out, or move that away")


def _checkpoint(
    task: Task, config: SacConfig, policy: SquashedGaussian, step: int, out: Path
) -> dict[str, Any]:
    returns = evaluate_policy(task, policy, config.episodes, config.seed)
    file = _file(task, step, out)
    record: dict[str, Any] = {
        "steps": step,
        "return_mean": round(float(returns.mean()), 1),
        "return_std": round(float(returns.std()), 1),
        "score": round(task.score(float(returns.mean())), 2),
        "file": str(file),
    }
    arrays: dict[str, Any] = {}
    for number, (weight, bias) in enumerate(policy.layers):
        arrays[f"W{number}"], arrays[f"b{number}"] = weight, bias
    meta = json.dumps({"task": task.name, "algorithm": "SAC", **asdict(config), **record})
    with atomic_path(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, act_scale=np.float32(policy.act_scale), meta=meta, **arrays)
    return record


def evaluate_policy(task: Task, policy: SquashedGaussian, episodes: int, seed: int) -> np.ndarray:
    """Returns [episodes] with sampled actions, as data sets are rolled."""
    rng, env, returns = np.random.default_rng(seed), make_env(task), []
    for number in range(episodes):
        obs, total, over = env.reset(seed=seed + number)[0], 0.0, False
        while not over:
            action = task.robot.units(policy.act(obs[None], rng)[0])
            obs, reward, terminated, truncated, _ = env.step(action)
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    return np.array(returns)
