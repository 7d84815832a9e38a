# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""AdamW on all weights of a net as one flat float32 vector, with products in bfloat16 where it pays.

The layers' weights are views of that vector: AdamW, clipping by the norm, Polyak and exponential moving
averages and the all-reduce between processes are one operation each, however many layers the net has.
Mixed precision with float32 master weights as in Micikevicius
et al., "Mixed Precision Training" (arXiv 1710.03740): the net computes with a rounded copy of float32
weights. bfloat16 has float32's range, so no loss scaling is needed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from kdp_edge.learn import distributed

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Net = TypeVar("Net", bound=nn.Module)


def in_order(net: nn.Module) -> list[tuple[nn.Parameter, bool]]:
    """The net's weights, and whether each is exact: those that it names in its attribute `exact`, last."""
    exact = getattr(net, "exact", ())
    marked = [(p, name in exact) for name, p in net.named_parameters()]
    return sorted(marked, key=lambda pair: pair[1])


def flatten(net: nn.Module) -> Tensor:
    """Move all weights of a net into one vector, of which they become views."""
    vector = torch.cat([p.detach().flatten() for p, _ in in_order(net)])
    attach(net, vector)
    return vector


def attach(net: nn.Module, vector: Tensor, rounded: Tensor | None = None) -> None:
    """Make the net's weights views of `vector`, those that need not be exact of `rounded` if given."""
    begin = 0
    for p, exact in in_order(net):
        source = vector if rounded is None or exact else rounded
        p.data = source[begin : begin + p.numel()].view(p.shape)
        begin += p.numel()


class Rounded(Generic[Net]):
    """A net that computes in `dtype`, and its float32 weights `vector`; `refresh()` after changing it.

    Weights that the net names in its attribute `exact` stay float32.
    """

    def __init__(self, net: Net, dtype: torch.dtype) -> None:
        self.net, self.dtype = net, dtype
        self.vector = flatten(net)
        self.inexact = self.vector[: sum(p.numel() for p, exact in in_order(net) if not exact)]
        self.copy = self.inexact
        if dtype != torch.float32:
            self.copy = self.inexact.to(dtype)
            attach(net, self.vector, self.copy)

    def refresh(self) -> None:
        """Round anew."""
        if self.copy is not self.inexact:
            self.copy.copy_(self.inexact)

    def unrounded(self) -> Net:
        """A float32 copy of the net, for judging and deploying."""
        made = copy.deepcopy(self.net).float().requires_grad_(False)
        attach(made, self.vector.clone())
        return made

    def state_dict(self) -> dict[str, Any]:
        return {"vector": self.vector}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.vector.copy_(state["vector"])
        self.refresh()


class Learner(Rounded[Net]):
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101) on the flat weight vector of a net."""

    def __init__(
        self,
        net: Net,
        dtype: torch.dtype,
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        decay: float = 0.01,
        clip: float | None = None,
    ) -> None:
        """`rate`: of the first step; `clip`: greatest norm of a gradient."""
        super().__init__(net, dtype)
        self.parameters = [p for p, _ in in_order(net)]
        self.exact = sum(exact for _, exact in in_order(net))
        self.rate, self.clip = rate, clip
        self.vector.grad = self.gradient = torch.zeros_like(self.vector)
        self.rounded_gradient = torch.zeros_like(self.copy)
        on_gpu = self.vector.is_cuda  # there a step may be recorded, and the rate must be in memory
        first = torch.tensor(rate, device=self.vector.device) if on_gpu else rate
        self.optimizer = torch.optim.AdamW(
            [self.vector], first, betas, weight_decay=decay, fused=True, capturable=on_gpu
        )

    def at(self, share: float) -> None:
        """Step at `share` of the rate from here on."""
        group = self.optimizer.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(share * self.rate)
        else:
            group["lr"] = share * self.rate

    def step(self, loss: Tensor) -> None:
        """Move all weights against the gradient of `loss`."""
        self._gather(torch.autograd.grad(loss, self.parameters))
        distributed.average(self.gradient)
        if self.clip is not None:
            self.gradient.mul_((self.clip / (self.gradient.norm() + 1e-6)).clamp(max=1.0))
        self.optimizer.step()
        self.refresh()

    def _gather(self, gradients: Sequence[Tensor]) -> None:
        """Into one float32 vector; `cat` is fast within one dtype only."""
        flat = [gradient.reshape(-1) for gradient in gradients]
        border = len(flat) - self.exact
        torch.cat(flat[:border], out=self.rounded_gradient)
        self.gradient[: len(self.inexact)].copy_(self.rounded_gradient)
        if self.exact:
            torch.cat(flat[border:], out=self.gradient[len(self.inexact) :])

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.optimizer.load_state_dict(state["optimizer"])


def cosine(done: int, total: int) -> float:
    """Share of the learning rate: from 1 to 0 over `total` steps."""
    return 0.5 * (1 + math.cos(math.pi * done / total))
