# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Rivals as planners: the run's critic and rule choose among their candidates, as among KDP's.

Their actions are read as far ahead in the window as KDP's and enlarged alike, but for TD3+BC's, whose policy
sees no further than the next action and is held to the actuators' range by its last layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.bench.baseline_planners import read_baseline
from kdp_edge.bench.rivals.transport import Schedule, TransportNet, level_features
from kdp_edge.learn.generator import as_played
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.play.columns import ColumnNet, joined, with_bias
from kdp_edge.play.planner import Candidates, RankingPlanner, action_columns
from kdp_edge.run import Run


class TransportPlanner(RankingPlanner):
    """K candidates of a flow, MeanFlow or shortcut model: `TransportNet.sample`, made fast.

    Known before any plan: what a step's levels add to the first layer. The last step makes actions alone:
    those of the noisy window, and those that the net moves it by.
    """

    def __init__(self, run: Run, name: str, schedule: Schedule, k: int | None = None) -> None:
        c = run.config
        levels = len(schedule[0].levels)
        model = read_baseline(TransportNet(c, levels), run, name)
        net = model.net
        features = net.first.weight.shape[1] - c.obs_dim - c.window_dim
        of_state, of_noisy, of_level = net.first.weight.split([c.obs_dim, c.window_dim, features], 1)
        weight = torch.cat([of_noisy, of_state], 1)
        self.firsts = [
            with_bias(weight, net.first.bias + of_level @ _features(step.levels), c.window_dim)
            for step in schedule
        ]
        self.gains = [step.gain for step in schedule]
        self.move = joined(net.last)
        whole = with_bias(torch.diag(model.std), model.mean, c.window_dim)  # of [noisy | 1]
        as_played(whole, run.played)
        self.whole = whole[action_columns(c)]
        self.moved = self.gains[-1] * (self.whole[:, : c.window_dim] @ self.move)
        super().__init__(
            run, ColumnNet(net, self.firsts[-1], self.moved), c.window_dim, k, gain=run.brace_gain
        )

    def _generate(self, table: Candidates) -> None:
        for first, gain in zip(self.firsts[:-1], self.gains, strict=False):
            table.noise.addmm_(self.move, self.net.hidden(table.inputs, first), alpha=gain)
        torch.mm(self.whole, table.inputs[: self.whole.shape[1]], out=table.actions)
        table.actions.addmm_(self.moved, self.net.hidden(table.inputs))

    def _multiply_adds_to_make(self) -> int:
        but_last = self.net.multiply_adds - self.moved.numel() + self.move.numel()
        return (len(self.gains) - 1) * but_last + self.net.multiply_adds + self.whole.numel()


def _features(levels: tuple[float, ...]) -> Tensor:
    return torch.cat([level_features(torch.tensor(level)) for level in levels])


class OneStepPlanner(RankingPlanner):
    """K candidates of a net [state | noise] -> window, or -> its actions alone, already read ahead."""

    def __init__(
        self,
        run: Run,
        name: str,
        noise_dim: int,
        only_actions: bool = False,
        scale: float = 1.0,
        k: int | None = None,
    ) -> None:
        """`scale`: of the noise."""
        c = run.config
        columns = action_columns(c)
        outputs = len(columns) if only_actions else c.window_dim
        net = read_baseline(ResidualMLP(c.obs_dim + noise_dim, c.width, c.blocks, outputs), run, name)
        of_state, of_noise = net.first.weight.split([c.obs_dim, noise_dim], 1)
        first = with_bias(torch.cat([scale * of_noise, of_state], 1), net.first.bias, noise_dim)
        last = joined(net.last)
        last = last if only_actions else last[columns]
        super().__init__(run, ColumnNet(net, first, last), noise_dim, k, gain=run.brace_gain)


class PolicyPlanner(RankingPlanner):
    """TD3+BC's policy: one action, given for every step of a plan."""

    def __init__(self, run: Run, name: str) -> None:
        c = run.config
        net = read_baseline(ResidualMLP(c.obs_dim, c.actor_width, 1, c.act_dim), run, name)
        super().__init__(run, ColumnNet(net, last=joined(net.last).repeat(c.horizon, 1)), noise_dim=0, k=1)

    def _generate(self, table: Candidates) -> None:
        super()._generate(table)
        table.actions.tanh_()
