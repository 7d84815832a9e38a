"""Behaviour cloning: the same backbone regresses on each state's own window, good or poor alike."""

from __future__ import annotations

import torch
from torch import Tensor

from kdp_edge.generator import ResidualMLP
from kdp_edge.run import RunConfig
from kdp_edge.stage import Resumable


class CloneStage(Resumable):
    """As many steps as the generator, on as many windows a step; no tilt, no neighbours."""

    name = "clone"
    saved = ("net", "optimizer", "schedule")

    def __init__(self, config: RunConfig, keys: Tensor, flat: Tensor, rng: torch.Generator) -> None:
        """keys [M, obs] and flat [M, C]: of the data's windows."""
        self.keys, self.flat, self.rng = keys, flat, rng
        self.net = ResidualMLP(config.obs_dim, config.width, config.blocks, config.window_dim)
        self.net.to(keys.device)
        self.batch = config.batch * config.samples + config.anchor_batch
        self.optimizer = torch.optim.AdamW(self.net.parameters(), config.lr, fused=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, config.steps)
        self.total = config.steps
        self.done = 0
        self.loss = torch.zeros((), device=keys.device)

    def step(self) -> None:
        """One regression step on rows drawn evenly."""
        rows = torch.randint(len(self.keys), (self.batch,), generator=self.rng, device=self.keys.device)
        loss = (self.net(self.keys[rows]) - self.flat[rows]).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.loss = loss.detach()
        self.done += 1

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss.item()}
