# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The one net that is deployed: a ReLU residual MLP."""

from __future__ import annotations

from torch import Tensor, nn


class ResidualMLP(nn.Module):
    """first -> relu -> blocks of h = relu(h + W2 relu(W1 h)) -> last.

    No normalisation layer and no other activation: what an int8 microcontroller does well.
    """

    def __init__(self, inputs: int, width: int, blocks: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)]) for _ in range(blocks)
        )
        self.last = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        h = self.first(x).relu_()
        for block in self.blocks:
            inner, outer = block.children()
            h = outer(inner(h).relu_()).add_(h).relu_()
        return self.last(h)
