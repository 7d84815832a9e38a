# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Fast inference with a `ResidualMLP`: a column for every candidate, a row of ones for the biases.

Activations are [features, columns] below a first row of ones, so that a bias is a weight like any
other and a layer is one matrix product and one relu, written into memory that is kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdp_edge.learn.net import ResidualMLP


def with_bias(weight: Tensor, bias: Tensor, at: int = 0) -> Tensor:
    """`bias` [out] as column `at` of `weight` [out, in]: [out, in + 1]."""
    return torch.cat([weight[:, :at], bias[:, None], weight[:, at:]], 1)


def joined(layer: nn.Module) -> Tensor:
    """A linear layer's bias and weight: [out, 1 + in]."""
    return with_bias(layer.get_parameter("weight"), layer.get_parameter("bias"))


class ColumnNet:
    """The numbers of a `ResidualMLP`, to float rounding; `fit` gives it memory for its columns."""

    def __init__(self, net: ResidualMLP, first: Tensor | None = None, last: Tensor | None = None) -> None:
        """`first` [width, inputs with the row of ones], `last` [outputs, 1 + width]: instead of the net's."""
        self.first = joined(net.first) if first is None else first
        self.last = joined(net.last) if last is None else last
        self.blocks = [tuple(joined(layer) for layer in block.children()) for block in net.blocks]
        self.fit(1)

    def fit(self, columns: int) -> None:
        """Make room for that many columns."""
        self.outer, self.inner = (torch.ones(1 + len(self.first), columns) for _ in range(2))
        self.outer_rows, self.inner_rows = self.outer[1:], self.inner[1:]

    def hidden(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """What the last layer reads [1 + width, columns]; the next call overwrites it.

        Args:
            inputs: [inputs with the row of ones, columns].
            first: first layer to use for this call.
        """
        outer, inner = self.outer_rows, self.inner_rows
        torch.mm(self.first if first is None else first, inputs, out=outer).relu_()
        for there, back in self.blocks:
            torch.mm(there, self.outer, out=inner).relu_()
            outer.addmm_(back, self.inner).relu_()
        return self.outer

    def __call__(self, inputs: Tensor, out: Tensor) -> Tensor:
        """Write the net's outputs [outputs, columns] to `out`."""
        return torch.mm(self.last, self.hidden(inputs), out=out)

    @property
    def multiply_adds(self) -> int:
        """For one column; a bias counts as one."""
        layers = [self.first, *(layer for block in self.blocks for layer in block), self.last]
        return sum(layer.numel() for layer in layers)
