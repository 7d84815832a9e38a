"""Nets and inputs that kernels are held against the reference with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdp_edge.quantize import reference
from kdp_edge.quantize.integer_net import Add, IntegerNet, Linear
from kdp_edge.quantize.synthetic import random_net


def extreme_net(inputs: int, width: int, blocks: int, outputs: int, seed: int) -> IntegerNet:
    """Weights at their ends, biases and shifts over many orders of magnitude, swapped additions.

    The last layer stays as it was, so that not everything saturates and differences reach the output.
    """
    rng = np.random.default_rng(seed)
    net = random_net("extreme", inputs, width, blocks, outputs, seed)
    operations = []
    for op in net.operations[:-1]:
        if isinstance(op, Linear):
            weight = rng.choice(np.array([-127, 127, -1, 0, 1, 64], np.int8), op.weight.shape)
            magnitude = 10 ** rng.uniform(0, 7, len(op.bias))
            bias = (magnitude * rng.choice([-1, 1], len(op.bias))).astype(np.int32)
            factor = 10 ** rng.uniform(-6, 0, len(op.bias))
            scale = (op.weight_scale * factor).astype(np.float32)
            operations.append(replace(op, weight=weight, bias=bias, weight_scale=scale))
        else:
            swap = rng.random() < 0.5
            operations.append(Add(op.name, op.right, op.left, op.output, op.relu) if swap else op)
    operations.append(net.operations[-1])
    scales = {name: np.float32(scale * rng.uniform(0.2, 5)) for name, scale in net.scales.items()}
    return replace(net, operations=tuple(operations), scales=scales)


def adversarial_inputs(size: int) -> np.ndarray:
    """int8 [n, size]: constants at both ends, alternations, single spikes."""
    rows = [np.full(size, v) for v in (-128, 127, -127, 0, 1, -1)]
    index = np.arange(size)
    rows += [np.where(index % 2 == phase, -128, 127) for phase in (0, 1)]
    rows += [np.where(index % 4 < 2, high, low) for high, low in ((-128, 127), (127, -128))]
    rows += [np.where(index == size - 1, v, 0) for v in (-128, 127)]
    return np.array(rows, np.int8)


def batches(
    net: IntegerNet, shared_size: int, k: int, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Random and adversarial calls: int8 shared [n, shared_size], columns [n, k, column_size]."""
    rng = np.random.default_rng(seed)
    hard = adversarial_inputs(net.input_size)
    shared = rng.integers(-128, 128, (count, shared_size), dtype=np.int8)
    columns = rng.integers(-128, 128, (count, k, net.input_size - shared_size), dtype=np.int8)
    n = min(count // 2, len(hard))
    shared[:n] = hard[:n, :shared_size]
    columns[:n] = hard[(np.arange(n)[:, None] + np.arange(k)) % len(hard)][..., shared_size:]
    return shared, columns


def expected(net: IntegerNet, shared: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """What the reference makes of `batches`: int8 [n, k, outputs]."""
    n, k = columns.shape[:2]
    repeated = np.repeat(shared[:, None], k, 1)
    flat = np.concatenate([repeated, columns], 2).reshape(n * k, net.input_size)
    return reference.run(net, flat).reshape(n, k, net.output_size)
