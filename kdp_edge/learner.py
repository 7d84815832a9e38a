"""How the weights of a stage are moved: as one vector, in float32, with products in bfloat16 where it pays.

One vector makes the optimizer, the norm of the gradient, a running average and the exchange between
processes one operation each, however many layers the nets have. Mixed precision as in Micikevicius
et al., "Mixed Precision Training" (arXiv 1710.03740): the nets compute with a rounded copy of float32
weights. bfloat16 has float32's range, so no loss scaling is needed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Net = TypeVar("Net", bound=nn.Module)


def flatten(nets: Sequence[nn.Module]) -> Tensor:
    """Move all weights of the nets into one vector, of which they become views."""
    vector = torch.cat([p.detach().flatten() for net in nets for p in net.parameters()])
    attach(nets, vector)
    return vector


def attach(nets: Sequence[nn.Module], vector: Tensor, keep: Tensor | None = None) -> None:
    """Make the nets' weights views of `vector`; of `keep` those that a net names in `exact`."""
    begin = 0
    for net in nets:
        exact = getattr(net, "exact", ())
        for name, p in net.named_parameters():
            source = keep if keep is not None and name in exact else vector
            p.data = source[begin : begin + p.numel()].view(p.shape)
            begin += p.numel()


class Rounded:
    """Nets that compute in `dtype`, and their float32 weights `vector`; `refresh()` after changing it.

    Weights that a net names in its attribute `exact` stay float32.
    """

    def __init__(self, nets: Sequence[nn.Module], dtype: torch.dtype) -> None:
        self.nets = nets
        self.vector = flatten(nets)
        self.copy = self.vector
        if dtype != torch.float32:
            self.copy = self.vector.to(dtype)
            attach(nets, self.copy, self.vector)

    def refresh(self) -> None:
        """Round anew."""
        if self.copy is not self.vector:
            self.copy.copy_(self.vector)

    def unrounded(self, net: Net) -> Net:
        """A float32 copy of one of the nets, for judging and deploying."""
        made = copy.deepcopy(net).float().requires_grad_(False)
        begin = sum(p.numel() for n in self.nets[: self.nets.index(net)] for p in n.parameters())
        attach([made], self.vector[begin:].clone())
        return made

    def state_dict(self) -> dict[str, Any]:
        return {"vector": self.vector}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.vector.copy_(state["vector"])
        self.refresh()


class Learner(Rounded):
    """AdamW on the weights of some nets."""

    def __init__(
        self,
        nets: Sequence[nn.Module],
        dtype: torch.dtype,
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        decay: float = 0.01,
        clip: float | None = None,
    ) -> None:
        """`rate`: of the first step; `clip`: greatest norm of a gradient."""
        super().__init__(nets, dtype)
        self.parameters = [p for net in nets for p in net.parameters()]
        self.rate, self.clip = rate, clip
        self.vector.grad = torch.zeros_like(self.vector)
        self.optimizer = torch.optim.AdamW([self.vector], rate, betas, weight_decay=decay, fused=True)

    def step(self, loss: Tensor, share: float = 1.0) -> None:
        """Move all weights against the gradient of `loss`, at `share` of the rate."""
        gradients = torch.autograd.grad(loss, self.parameters)
        whole = torch.cat([gradient.reshape(-1) for gradient in gradients], out=self.vector.grad)
        if self.clip is not None:
            whole.mul_((self.clip / (whole.norm() + 1e-6)).clamp(max=1.0))
        self.optimizer.param_groups[0]["lr"] = share * self.rate
        self.optimizer.step()
        self.refresh()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.optimizer.load_state_dict(state["optimizer"])


def cosine(done: int, total: int) -> float:
    """Share of the learning rate: from 1 to 0 over `total` steps."""
    return 0.5 * (1 + math.cos(math.pi * done / total))
