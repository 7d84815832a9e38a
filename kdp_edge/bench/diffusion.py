# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The planner that KDP replaces: a diffusion model of windows, sampled in T steps with DDIM.

Same data, windows, condition, draw of good trajectories, backbone (plus a time embedding), critic
and candidates as KDP; only the generator differs. Noise schedule: cosine (Nichol & Dhariwal, arXiv
2102.09672); sampling: DDIM without noise (Song et al., arXiv 2010.02502); the net predicts the
clean window, which few steps need.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdp_edge.learn.feed import Feed
from kdp_edge.learn.generator import CLIP_NORM, EMA_WARMUP
from kdp_edge.learn.learner import DTYPES, Learner, cosine, flatten
from kdp_edge.learn.matches import Matches, column_weights
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.replay import Replay
from kdp_edge.learn.stage import Resumable
from kdp_edge.run import RunConfig

TIME_FEATURES = 32
OFFSET = 0.008  # of the cosine schedule: the first step adds little noise
FLOOR = 1e-3  # spread of a column that never moves


def signal(level: Tensor) -> Tensor:
    """Share of the clean window in the noisy one, squared (alpha bar), at noise level 0..1."""
    angle = (level + OFFSET) / (1 + OFFSET) * (math.pi / 2)
    return angle.cos().square().clamp(1e-5, 1.0)


def time_features(level: Tensor) -> Tensor:
    """Sines and cosines of a noise level [...] in 0..1 at octaves of frequency [..., TIME_FEATURES]."""
    octaves = 2.0 ** torch.arange(TIME_FEATURES // 2, device=level.device)
    angle = level[..., None] * octaves * (math.pi / 2)
    return torch.cat([angle.sin(), angle.cos()], -1)


@dataclass(frozen=True)
class DdimStep:
    """At noise `level`: noisy <- keep * noisy + gain * clean; the last step keeps nothing."""

    level: Tensor
    keep: float
    gain: float


def ddim_steps(count: int) -> list[DdimStep]:
    """From noise to a clean window in `count` evaluations, at levels that are evenly apart."""
    levels = torch.linspace(1, 0, count + 1)
    alphas = signal(levels).sqrt().tolist()
    sigmas = (1 - signal(levels)).clamp(min=0).sqrt().tolist()
    found = []
    for i in range(count - 1):
        keep = sigmas[i + 1] / sigmas[i]  # the noise that is left, in units of the noise now
        found.append(DdimStep(levels[i], keep, alphas[i + 1] - keep * alphas[i]))
    return [*found, DdimStep(levels[count - 1], 0.0, 1.0)]


class Denoiser(nn.Module):
    """Predicts the clean window from state, noisy window and noise level; standardised columns."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        inputs = config.obs_dim + config.window_dim + TIME_FEATURES
        self.net = ResidualMLP(inputs, config.width, config.blocks, config.window_dim)
        self.register_buffer("mean", torch.zeros(config.window_dim))
        self.register_buffer("std", torch.ones(config.window_dim))
        self.mean: Tensor
        self.std: Tensor

    def fit_columns(self, flat: Tensor) -> None:
        """Standardise by the data's windows [M, C]."""
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0).clamp(min=FLOOR))

    def forward(self, state: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        """state [..., obs], noisy [..., C], level [...] -> clean window [..., C]."""
        return self.net(torch.cat([state, noisy, time_features(level)], -1))

    @torch.inference_mode()
    def sample(self, state: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Windows in plain units [..., C] from normal `noise` [..., C], in `steps` evaluations."""
        noisy = noise
        for step in ddim_steps(steps):
            clean = self(state, noisy, step.level.to(noise.device).expand(noise.shape[:-1]))
            noisy = step.keep * noisy + step.gain * clean
        return noisy * self.std + self.mean


class DiffusionStage(Resumable):
    """Trains the denoiser for as many steps as the generator, on as many windows per step."""

    name = "diffusion"
    saved = ("learner", "average", "feed")

    def __init__(self, config: RunConfig, matches: Matches, rng: torch.Generator) -> None:
        self.config, self.matches, self.rng = config, matches, rng
        device = matches.keys.device
        self.online = Denoiser(config).to(device)
        self.online.fit_columns(matches.flat)
        self.average = copy.deepcopy(self.online).requires_grad_(False)
        self.averaged = flatten(self.average)
        weight = column_weights(config).to(device).square()
        self.weight = weight / weight.mean()
        self.batch = config.batch * config.samples + config.anchor_batch
        self.dtype = DTYPES[config.precision]
        self.learner = Learner(self.online, self.dtype, config.lr, betas=(0.9, 0.95), clip=CLIP_NORM)
        self.feed = Feed(self._draw, rng)
        self.update = Replay(self._update)
        self.total = config.steps
        self.done = 0
        self.loss = torch.zeros((), device=device)

    def step(self) -> None:
        """One update: clean windows from noisy ones at levels drawn evenly."""
        self.learner.at(cosine(self.done, self.total))
        follow = 0.1 if self.done < EMA_WARMUP else self.config.ema
        self.loss = self.update(*self.feed.next(), follow)
        self.done += 1

    def _update(self, inputs: Tensor, clean: Tensor, follow: float) -> Tensor:
        error = (self.online.net(inputs).float() - clean).square()
        loss = (self.weight * error).mean()
        self.learner.step(loss)
        self.averaged.lerp_(self.learner.vector, follow)
        return loss.detach()

    def _draw(self, steps: int) -> tuple[Tensor, Tensor]:
        """Inputs of the net [steps, B, obs + C + TIME_FEATURES] and clean windows [steps, B, C]."""
        rows = self.matches.rows(steps * self.batch, self.rng)
        drawn = self.matches.draw(rows, 1, self.rng)[:, 0]
        clean = (drawn - self.online.mean) / self.online.std
        level = torch.rand(len(rows), generator=self.rng, device=clean.device)
        noise = torch.randn(clean.shape, generator=self.rng, device=clean.device)
        share = signal(level)[:, None]
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        inputs = torch.cat([self.matches.keys.index_select(0, rows), noisy, time_features(level)], -1)
        return inputs.to(self.dtype).unflatten(0, (steps, -1)), clean.unflatten(0, (steps, -1))

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}
