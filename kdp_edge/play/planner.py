# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The float planner: K candidates, the critic's choice, a margin for candidate 0.

`RankingPlanner` is all of it but the net that makes the candidates: KDP's is here, its rivals' are
in baseline_planners.py. So whatever makes planning fast does so for all of them.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from kdp_edge.base.errors import KdpError
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.play.columns import ColumnNet, joined, with_bias
from kdp_edge.quantization.float_actor import load as load_actor
from kdp_edge.quantization.plan import choose
from kdp_edge.run import ACTOR_FILE, Run, RunConfig

Net = TypeVar("Net", bound=nn.Module)


class Candidates:
    """E x K candidates, a column each, in one table of rows: noise | 1 | state | actions.

    The generator reads the rows down to the state and writes the actions; the critic reads from the
    row of ones on. So nothing is joined or copied between them. The `..._grid`s are NumPy's view of
    the same memory, [rows, E, K].
    """

    def __init__(self, config: RunConfig, noise_dim: int, states: int, k: int) -> None:
        c, begin = config, noise_dim + 1 + config.obs_dim
        table = torch.ones(begin + c.horizon * c.act_dim, states * k)
        self.noise, self.inputs, self.actions = table[:noise_dim], table[:begin], table[begin:]
        self.judged = table[noise_dim : begin + c.critic_steps * c.act_dim]
        self.scores = torch.zeros(1, states * k)
        grid = table.view(-1, states, k).numpy()
        self.noise_grid, self.state_grid = grid[:noise_dim], grid[noise_dim + 1 : begin]
        self.action_grid = grid[begin:]
        self.score_grid = self.scores.view(states, k).numpy()  # [E, K]
        self.draws = torch.zeros(states, k, noise_dim)
        self.states, self.numbers = states, np.arange(states)
        self.shape = (states, c.horizon, c.act_dim)

    def draw(self, rng: torch.Generator, first_too: bool) -> None:
        """New noise for every candidate; 0 for the first of each state unless `first_too`."""
        self.draws.normal_(generator=rng)
        self.noise_grid[:] = self.draws.numpy().transpose(2, 0, 1)
        if not first_too:
            self.noise_grid[:, :, 0] = 0.0

    def actions_of(self, winner: np.ndarray) -> np.ndarray:
        """Actions [E, horizon, act_dim] of one candidate, int64 [E], for each state."""
        return self.action_grid[:, self.numbers, winner].T.reshape(self.shape)


class RankingPlanner:
    """Plans for E states at once; the same rule as on a device, in float32.

    Candidate 0 is made of noise 0, the others of N(0, 1). The best-scored candidate wins, ties go to
    the lowest number, and a candidate other than 0 must beat candidate 0 by `margin`.
    """

    def __init__(
        self,
        run: Run,
        net: ColumnNet,
        noise_dim: int,
        k: int | None = None,
        margin: float | None = None,
        sample_all: bool = False,
        gain: float = 1.0,
    ) -> None:
        """
        Args:
            net: makes actions of `Candidates.inputs`.
            sample_all: candidate 0 is drawn as well.
            gain: by which actions are larger than `net` makes them.
        """
        c = self.config = run.config
        self.net, self.noise_dim = net, noise_dim
        self.k = c.k if k is None else k
        self.margin = c.margin if margin is None else margin
        self.sample_all, self.gain = sample_all, gain
        critic = ResidualMLP(c.obs_dim + c.critic_steps * c.act_dim, c.critic_width, c.critic_blocks, 1)
        self.critic = ColumnNet(filled(critic, run.tensors("critic")))
        self.normalizer = run.normalizer()
        self.table = self._room(1)

    @torch.inference_mode()
    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Choose a window for each state.

        Args:
            observations: raw [E, obs_dim].
            rng: draws the noise.

        Returns:
            actions float32 [E, horizon, act_dim], clipped to [-1, 1], and the winners int64 [E].
        """
        if len(observations) != self.table.states:
            self.table = self._room(len(observations))
        table = self.table
        table.state_grid[:] = self.normalizer(observations).T[:, :, None]
        table.draw(rng, self.sample_all)
        self._generate(table)
        if self.gain != 1.0:
            table.actions.mul_(self.gain)
        table.actions.clamp_(-1, 1)
        winner = self._choose(table)
        return table.actions_of(winner), winner

    def _generate(self, table: Candidates) -> None:
        """Write the actions of all candidates."""
        self.net(table.inputs, out=table.actions)

    def _choose(self, table: Candidates) -> np.ndarray:
        if self.k == 1:
            return np.zeros(table.states, np.int64)
        self.critic(table.judged, out=table.scores)
        return choose(table.score_grid, self.margin)

    def _room(self, states: int) -> Candidates:
        for net in (self.net, self.critic):
            net.fit(states * self.k)
        return Candidates(self.config, self.noise_dim, states, self.k)

    @property
    def multiply_adds(self) -> int:
        """Of one plan: what it costs where nothing but arithmetic counts."""
        ranked = self.critic.multiply_adds if self.k > 1 else 0
        return self.k * (self._multiply_adds_to_make() + ranked)

    def _multiply_adds_to_make(self) -> int:
        return self.net.multiply_adds


class KdpPlanner(RankingPlanner):
    """KDP: one pass makes a window of state and latent, latent_scale * N(0, 1)."""

    def __init__(
        self, run: Run, k: int | None = None, margin: float | None = None, sample_all: bool = False
    ) -> None:
        """`sample_all`: candidate 0 is drawn as well; with k = 1 this plays the raw samples."""
        c = run.config
        net = ResidualMLP(c.obs_dim + c.latent_dim, c.width, c.blocks, c.window_dim)
        filled(net, run.tensors("generator"))
        of_state, of_latent = net.first.weight.split([c.obs_dim, c.latent_dim], 1)
        first = with_bias(torch.cat([c.latent_scale * of_latent, of_state], 1), net.first.bias, c.latent_dim)
        last = joined(net.last)[action_columns(c)]
        super().__init__(run, ColumnNet(net, first, last), c.latent_dim, k, margin, sample_all)


class ActorPlanner:
    """An imported actor: one answer, no noise."""

    multiply_adds: int

    def __init__(self, run: Run) -> None:
        self.actor, self.robot = load_actor(run.path / ACTOR_FILE), run.task().robot
        self.multiply_adds = sum(step.layer.weight.size for step in self.actor.net.denses)

    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Raw observations [E, obs_dim] -> actions as shares, float32 [E, 1, act_dim], zeros int64 [E]."""
        actions = self.robot.shares(self.actor(np.asarray(observations, np.float32)))
        return np.clip(actions, -1, 1)[:, None], np.zeros(len(observations), np.int64)


def planner_of(
    run: Run, k: int | None = None, margin: float | None = None, sample_all: bool = False
) -> RankingPlanner | ActorPlanner:
    """The float planner of a run; see `KdpPlanner`.

    Raises:
        KdpError: choices among candidates where there is one answer.
    """
    if not run.config.is_actor:
        return KdpPlanner(run, k, margin, sample_all)
    if k not in (None, 1) or sample_all:
        raise KdpError(f"{run.path} is an imported actor: it has one answer, without k and without samples")
    return ActorPlanner(run)


def action_columns(config: RunConfig) -> Tensor:
    """Which columns of a window are actions, int64 [horizon * act_dim]: a planner needs no others."""
    return torch.from_numpy(config.shape.action_columns())


def filled(net: Net, arrays: dict[str, np.ndarray]) -> Net:
    """`net` with the weights `arrays`, not to be trained any more."""
    net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return net.requires_grad_(False)
