# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The baselines as planners: the run's critic and rule choose among their candidates, as among KDP's.

Their actions are read as far ahead in the window as KDP's, and enlarged alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.beside import FOLDER
from kdp_edge.bench.diffusion import TIME_FEATURES, Denoiser, ddim_steps, time_features
from kdp_edge.learn.generator import as_played
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.play.columns import ColumnNet, joined, with_bias
from kdp_edge.play.planner import Candidates, RankingPlanner, action_columns, filled
from kdp_edge.run import Run, read_safetensors

Net = TypeVar("Net", bound=nn.Module)


class DiffusionPlanner(RankingPlanner):
    """K candidates of the diffusion model in `steps` evaluations: `Denoiser.sample`, made fast.

    Known before any plan, so not computed in one: what a step's noise level adds to the first
    layer, and the unit of the actions. A step's update of the noisy window is its last product.
    """

    def __init__(self, run: Run, steps: int, k: int | None = None) -> None:
        c = run.config
        model = read_baseline(Denoiser(c), run, "diffusion")
        net = model.net
        of_state, of_noisy, of_level = net.first.weight.split([c.obs_dim, c.window_dim, TIME_FEATURES], 1)
        weight = torch.cat([of_noisy, of_state], 1)
        self.steps = ddim_steps(steps)
        self.firsts = [
            with_bias(weight, net.first.bias + of_level @ time_features(step.level), c.window_dim)
            for step in self.steps
        ]
        self.clean = joined(net.last)
        plain = with_bias(net.last.weight * model.std[:, None], net.last.bias * model.std + model.mean)
        as_played(plain, run.played)
        super().__init__(
            run,
            ColumnNet(net, self.firsts[-1], plain[action_columns(c)]),
            c.window_dim,
            k,
            gain=run.brace_gain,
        )

    def _generate(self, table: Candidates) -> None:
        for step, first in zip(self.steps[:-1], self.firsts, strict=False):
            hidden = self.net.hidden(table.inputs, first)
            table.noise.addmm_(self.clean, hidden, beta=step.keep, alpha=step.gain)
        super()._generate(table)

    def _multiply_adds_to_make(self) -> int:
        but_last = self.net.multiply_adds - self.net.last.numel() + self.clean.numel()
        return (len(self.steps) - 1) * but_last + self.net.multiply_adds


class ClonePlanner(RankingPlanner):
    """A net that regresses on windows, as cloning does: one, made without noise; nothing to choose."""

    def __init__(self, run: Run, name: str = "clone") -> None:
        c = run.config
        net = read_baseline(ResidualMLP(c.obs_dim, c.width, c.blocks, c.window_dim), run, name)
        last = joined(net.last)
        as_played(last, run.played)
        super().__init__(
            run, ColumnNet(net, last=last[action_columns(c)]), noise_dim=0, k=1, gain=run.brace_gain
        )


def read_baseline(net: Net, run: Run, name: str) -> Net:
    """`net` with the weights of the baseline `name`; raises `KdpError` where they are not its."""
    file: Path = run.path / FOLDER / f"{name}.safetensors"
    try:
        return filled(net, read_safetensors(file))
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise KdpError(
            f"{file}: does not fit its run ({first}); delete its folder to train it again"
        ) from None
