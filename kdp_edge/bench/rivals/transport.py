# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A net that moves noise to windows, in one evaluation or many: flow matching, MeanFlow, shortcuts.

Same backbone as KDP's, with the noisy window and where it is on its way as further inputs; columns are
standardised by the data's windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdp_edge.learn.net import ResidualMLP
from kdp_edge.run import RunConfig

OCTAVES = 4  # few: MeanFlow differentiates by the level, and a high octave's slope is all it would see
LEVEL_FEATURES = 2 * OCTAVES
FLOOR = 1e-3  # spread of a column that never moves


@dataclass(frozen=True)
class Move:
    """One evaluation on the way: window <- window + gain * net(state, window, levels)."""

    levels: tuple[float, ...]
    gain: float


Schedule = tuple[Move, ...]


def level_features(level: Tensor) -> Tensor:
    """Sines and cosines of a level [...] in 0..1 at low octaves [..., LEVEL_FEATURES]."""
    angle = level[..., None] * 2.0 ** torch.arange(OCTAVES, device=level.device) * (math.pi / 2)
    return torch.cat([angle.sin(), angle.cos()], -1)


class TransportNet(nn.Module):
    """How a window moves, from state, noisy window and `levels` numbers that say where it is."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: RunConfig, levels: int) -> None:
        super().__init__()
        inputs = config.obs_dim + config.window_dim + levels * LEVEL_FEATURES
        self.net = ResidualMLP(inputs, config.width, config.blocks, config.window_dim)
        self.register_buffer("mean", torch.zeros(config.window_dim))
        self.register_buffer("std", torch.ones(config.window_dim))

    def fit_columns(self, flat: Tensor) -> None:
        """Standardise by the data's windows [M, C]."""
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0).clamp(min=FLOOR))

    def forward(self, state: Tensor, noisy: Tensor, *levels: Tensor) -> Tensor:
        """state [..., obs], noisy [..., C], levels [...] each -> movement [..., C], float32."""
        inputs = torch.cat([state, noisy, *(level_features(level) for level in levels)], -1)
        return self.net(inputs.to(self.net.first.weight.dtype)).float()

    def move(self, state: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
        """Standardised windows [..., C] from normal `noise` [..., C]."""
        window = noise
        for step in schedule:
            levels = (torch.full(noise.shape[:-1], level, device=noise.device) for level in step.levels)
            window = window + step.gain * self(state, window, *levels)
        return window

    def plain(self, windows: Tensor) -> Tensor:
        """Standardised windows [..., C] in plain units."""
        return windows * self.std + self.mean

    @torch.inference_mode()
    def sample(self, state: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
        """Windows in plain units [..., C] from normal `noise` [..., C]."""
        return self.plain(self.move(state, noise, schedule))
