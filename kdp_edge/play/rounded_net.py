# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An integer net that can be trained: its operations and roundings in float, which gradients pass through.

Weights are in steps of their channel's scale, which stays, and are rounded in every pass; so are activations
(Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018). A hidden activation's scale is trained as well (Esser et al., "Learned Step Size
Quantization", ICLR 2020). Not so those of input and output, which the plan spec holds, and those beside a
table, which is made for them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear, Operation, Table, check
from kdp_edge.quantization.post_training import bias_steps, off_power_of_two, require_right_shifts

MOST = 0.5  # of a sum, where the kernels' rounding is exact


class RoundedNet(nn.Module):
    """Starts as `net`; `integers()` is what it has become."""

    def __init__(self, net: IntegerNet) -> None:
        super().__init__()
        self.net = net
        fixed = {net.input_name, net.output_name}
        fixed |= {name for op in net.operations if isinstance(op, Table) for name in (op.input, op.output)}
        self.free = sorted(set(net.scales) - fixed)
        self.weights = nn.ParameterDict({op.name: _parameter(op.weight) for op in net.linears})
        self.biases = nn.ParameterDict({op.name: _parameter(_bias(net, op)) for op in net.linears})
        self.stretch = nn.ParameterDict({name: _parameter(np.zeros(())) for name in self.free})
        self.steps = {op.name: torch.from_numpy(op.weight_scale) for op in net.linears}

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs [batch, inputs] in int8 steps -> outputs [batch, outputs] in int8 steps."""
        net = self.net
        values = {net.input_name: inputs * float(net.scales[net.input_name])}
        for op in net.operations:
            scale, low = self._scale(op.output), -128
            if isinstance(op, Table):
                made = _function(op.kind, values[op.input])
            else:
                made = self._linear(op, values[op.input]) if isinstance(op, Linear) else _sum(op, values)
                low = 0 if op.relu else low
            values[op.output] = _rounded((made / scale).clamp(low, 127)) * scale
        return values[net.output_name] / float(net.scales[net.output_name])

    def integers(self) -> IntegerNet:
        """The integer net with the trained weights, biases and scales.

        Raises:
            KdpError: a layer multiplies its sum by more than the kernels can.
        """
        scales = dict(self.net.scales)
        for name in self.free:
            scales[name] = off_power_of_two(np.float32(self._scale(name).item()))
        operations = tuple(self._trained(op, scales) for op in self.net.operations)
        made = replace(self.net, operations=operations, scales=scales)
        check(made)
        require_right_shifts(made)
        for op in made.linears:
            if (made.scales[op.input] * op.weight_scale >= MOST * made.scales[op.output]).any():
                raise KdpError(f"{op.name} multiplies its sum by {MOST} or more")
        return made

    def _trained(self, op: Operation, scales: dict[str, np.float32]) -> Operation:
        if not isinstance(op, Linear):
            return op
        weight = _rounded(self.weights[op.name].detach().clamp(-127, 127)).numpy().astype(np.int8)
        bias = self.biases[op.name].detach().numpy().astype(np.float64) * self.net.scales[op.output]
        return replace(op, weight=weight, bias=bias_steps(bias, scales[op.input], op.weight_scale))

    def _linear(self, op: Linear, values: Tensor) -> Tensor:
        weight = _rounded(self.weights[op.name].clamp(-127, 127)) * self.steps[op.name][:, None]
        return values @ weight.T + self.biases[op.name] * float(self.net.scales[op.output])

    def _scale(self, name: str) -> Tensor:
        scale = torch.tensor(float(self.net.scales[name]))
        if name in self.stretch:
            scale = scale * self.stretch[name].exp()
        return scale


class _Rounding(torch.autograd.Function):
    """Half up; its gradient is 1."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return torch.floor(values + 0.5)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def _rounded(values: Tensor) -> Tensor:
    made: Tensor = _Rounding.apply(values)  # type: ignore[no-untyped-call]
    return made


def _sum(op: Add, values: dict[str, Tensor]) -> Tensor:
    return values[op.left] + values[op.right]


def _function(kind: str, values: Tensor) -> Tensor:
    return values.tanh() if kind == "tanh" else nn.functional.elu(values)


def _parameter(values: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float32))


def _bias(net: IntegerNet, op: Linear) -> np.ndarray:
    """Biases in steps of the layer's output, float64 [outputs]: all parameters then have sizes alike."""
    steps = np.float64(net.scales[op.input]) * op.weight_scale / np.float64(net.scales[op.output])
    return np.asarray(op.bias * steps)
