# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Nets that make kernels fail if they can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear
from kdp_edge.quantization.synthetic import random_net


def plain_net(inputs: int, width: int, blocks: int, outputs: int, seed: int) -> IntegerNet:
    """Random weights, quantized as a trained net would be."""
    return random_net("plain", inputs, width, blocks, outputs, seed)


def extreme_net(inputs: int, width: int, blocks: int, outputs: int, seed: int) -> IntegerNet:
    """Weights at their ends, biases and shifts over many orders of magnitude, swapped additions.

    The last layer stays as it was, so that not everything saturates and differences reach the output.
    """
    rng = np.random.default_rng(seed)
    net = random_net("extreme", inputs, width, blocks, outputs, seed)
    operations: list[Linear | Add] = []
    for op in net.operations[:-1]:
        if isinstance(op, Linear):
            weight = rng.choice(np.array([-127, 127, -1, 0, 1, 64], np.int8), op.weight.shape)
            magnitude = 10 ** rng.uniform(0, 7, len(op.bias))
            bias = (magnitude * rng.choice([-1, 1], len(op.bias))).astype(np.int32)
            # down to where the multiplier is flushed to zero
            factor = 10 ** rng.uniform(-9, 0, len(op.bias))
            scale = (op.weight_scale * factor).astype(np.float32)
            operations.append(replace(op, weight=weight, bias=bias, weight_scale=scale))
        else:
            swap = rng.random() < 0.5
            operations.append(Add(op.name, op.right, op.left, op.output, op.relu) if swap else op)
    operations.append(net.operations[-1])
    scales = {name: np.float32(scale * rng.uniform(0.2, 5)) for name, scale in net.scales.items()}
    return replace(net, operations=tuple(operations), scales=scales)
