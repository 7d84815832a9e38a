"""The float planner: K candidates, the critic's choice, a margin for candidate 0."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kdp_edge.generator import ResidualMLP
from kdp_edge.run import Run


class FloatPlanner:
    """Plans for E states at once; the same rule as on a device, in float32.

    Candidate 0 has latent 0, the others latent_scale * N(0, 1). The best-scored candidate wins,
    ties go to the lowest number, and a candidate other than 0 must beat candidate 0 by `margin`.
    """

    def __init__(
        self, run: Run, k: int | None = None, margin: float | None = None, sample_all: bool = False
    ) -> None:
        """`sample_all`: candidate 0 is drawn as well; with k = 1 this plays the raw samples."""
        c = self.config = run.config
        self.k = c.k if k is None else k
        self.margin = c.margin if margin is None else margin
        self.sample_all = sample_all
        self.generator = ResidualMLP(c.obs_dim + c.latent_dim, c.width, c.blocks, c.window_dim)
        self.critic = ResidualMLP(c.obs_dim + c.critic_steps * c.act_dim, c.critic_width, c.critic_blocks, 1)
        _fill(self.generator, run.tensors("generator"))
        _fill(self.critic, run.tensors("critic"))
        self.mean, self.std = (torch.from_numpy(array) for array in run.normalizer())

    @torch.inference_mode()
    def plan(self, observations: np.ndarray, rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Choose a window for each state.

        Args:
            observations: raw [E, obs_dim].
            rng: draws the latents.

        Returns:
            actions float32 [E, horizon, act_dim], clipped to [-1, 1], and the winners int64 [E].
        """
        c, count = self.config, len(observations)
        state = (torch.as_tensor(observations, dtype=torch.float32) - self.mean) / self.std
        latents = c.latent_scale * torch.randn(count, self.k, c.latent_dim, generator=rng)
        if not self.sample_all:
            latents[:, 0] = 0.0
        states = state[:, None].expand(-1, self.k, -1)
        # one flat batch: every layer is then one matrix product
        windows = self.generator(torch.cat([states, latents], -1).flatten(0, 1))
        actions = windows.view(count, self.k, c.horizon, -1)[..., c.obs_dim :].clamp(-1, 1)
        winner = self._choose(states, actions)
        return actions[torch.arange(count), winner].numpy(), winner.numpy()

    def _choose(self, states: Tensor, actions: Tensor) -> Tensor:
        if self.k == 1:
            return torch.zeros(len(states), dtype=torch.int64)
        seen = actions[:, :, : self.config.critic_steps].flatten(2)
        scores = self.critic(torch.cat([states, seen], -1))[..., 0]
        scores[:, 0] += self.margin
        return scores.argmax(1)


def _fill(net: ResidualMLP, arrays: dict[str, np.ndarray]) -> None:
    net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    net.requires_grad_(False)
