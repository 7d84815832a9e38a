# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Channel equalization: the same function, with every hidden channel's values of similar size.

A tensor has one int8 scale, so a channel ten times smaller than the largest has 3 bits less. ReLU
is positively homogeneous: a channel may be multiplied by s where it is made and divided by s where
it is read (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
ICCV 2019). The strength balances activations against weight columns (Xiao et al., "SmoothQuant",
ICML 2023).
"""

from __future__ import annotations

import numpy as np

from kdp_edge.quantization.float_actor import ActorNet, Dense
from kdp_edge.quantization.float_net import FloatNet, Layer

STRENGTH = 0.5  # of the full correction, as an exponent
SMALLEST = 1e-3  # of the largest channel: dead channels are not blown up without end


def equalize(net: FloatNet, inputs: np.ndarray, strength: float = STRENGTH) -> FloatNet:
    """Rescale the hidden channels of `net` by their largest values over `inputs`.

    Args:
        inputs: float32 [n, inputs], as the net will see them.
        strength: 0 leaves the net as it is, 1 makes all channels equally large.
    """
    activations = net.activations(inputs)
    # the residual stream is one set of channels: every block adds to it
    stream_names = ["hidden", *(f"block{i}" for i in range(len(net.blocks)))]
    stream_names += [f"block{i}_branch" for i in range(len(net.blocks))]
    stream = _factors(np.max([np.abs(activations[n]).max(0) for n in stream_names], 0), strength)
    blocks = []
    for i, (first, second) in enumerate(net.blocks):
        inner = _factors(activations[f"block{i}_inner"].max(0), strength)
        blocks.append((_scaled(first, inner, stream), _scaled(second, stream, inner)))
    ones = np.ones(net.first.weight.shape[1], np.float32)
    last = _scaled(net.last, np.ones(len(net.last.bias), np.float32), stream)
    return FloatNet(_scaled(net.first, stream, ones), tuple(blocks), last)


def equalized_layers(net: ActorNet, inputs: np.ndarray, strength: float = STRENGTH) -> dict[str, Layer]:
    """The same for an actor: around each activation that a ReLU layer makes and only layers read."""
    activations, layers = net.activations(inputs), {step.name: step.layer for step in net.denses}
    for step in net.denses:
        readers = net.readers(step.output)
        if step.relu and readers and all(isinstance(reader, Dense) for reader in readers):
            factors = _factors(activations[step.output].max(0), strength)
            own = layers[step.name]
            layers[step.name] = _scaled(own, factors, np.ones(own.weight.shape[1], np.float32))
            for reader in readers:
                ones = np.ones(len(layers[reader.name].bias), np.float32)
                layers[reader.name] = _scaled(layers[reader.name], ones, factors)
    return layers


def _factors(largest: np.ndarray, strength: float) -> np.ndarray:
    bounded = np.maximum(largest, max(SMALLEST * float(largest.max()), 1e-30))  # all may be dead
    return np.asarray((bounded.max() / bounded) ** strength, np.float32)


def _scaled(layer: Layer, outputs: np.ndarray, inputs: np.ndarray) -> Layer:
    weight = layer.weight * outputs[:, None] / inputs[None]
    return Layer(weight.astype(np.float32), (layer.bias * outputs).astype(np.float32))
