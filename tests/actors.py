# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Actors with random weights, of the kinds that people train."""

from __future__ import annotations

import numpy as np

from kdp_edge.quantization.actor_net import quantize_actor_net
from kdp_edge.quantization.float_actor import Activation, ActorNet, Dense, Step, Sum
from kdp_edge.quantization.float_net import Layer
from kdp_edge.quantization.integer_net import IntegerNet

KINDS = ("relu", "tanh", "elu", "residual", "squashed")


def actor_net(kind: str, inputs: int = 11, widths: tuple[int, ...] = (48, 33), outputs: int = 3) -> ActorNet:
    """`residual`: a tanh of a sum; `squashed`: ReLU layers, then a tanh of the answer."""
    rng = np.random.default_rng(len(kind) + inputs)
    hidden = {"residual": "tanh", "squashed": "relu"}.get(kind, kind)
    steps: list[Step] = []

    def dense(name: str, source: str, size: int, count: int, relu: bool = False) -> str:
        weight = rng.normal(0, np.sqrt(2 / size), (count, size)).astype(np.float32)
        layer = Layer(weight, rng.normal(0, 0.1, count).astype(np.float32))
        steps.append(Dense(name, source, name, layer, relu))
        return name

    def active(name: str, source: str) -> str:
        steps.append(Activation(name, source, name, hidden))
        return name

    source, size = "input", inputs
    for number, width in enumerate(widths):
        made = dense(f"layer{number}", source, size, width, hidden == "relu")
        source, size = (made if hidden == "relu" else active(f"layer{number}_{hidden}", made)), width
        if kind == "residual":
            branch = dense(f"branch{number}", source, size, width)
            steps.append(Sum(f"sum{number}", source, branch, f"sum{number}"))
            source = active(f"block{number}", f"sum{number}")
    source = dense("action", source, size, outputs)
    if kind == "squashed":
        steps.append(Activation("squash", source, "squash", "tanh"))
    net = ActorNet(tuple(steps))
    if kind == "squashed":
        return net
    last = net.denses[-1].layer
    reach = np.abs(net(unit_inputs(inputs, 512))).max(0)
    return net.with_layers({"action": Layer(last.weight / reach[:, None], last.bias / reach)})


def unit_inputs(size: int, count: int, seed: int = 0) -> np.ndarray:
    """float32 [count, size] within -1 ... 1, bell-shaped."""
    return np.random.default_rng(seed).normal(0, 0.35, (count, size)).clip(-1, 1).astype(np.float32)


def integer_actor(kind: str, **shape: object) -> IntegerNet:
    """`actor_net`, quantized."""
    net = actor_net(kind, **shape)  # type: ignore[arg-type]
    inputs = net.sizes()["input"]
    ones = np.ones(net.sizes()[net.output], np.float32)
    return quantize_actor_net(net, unit_inputs(inputs, 512), unit_inputs(inputs, 512, 1), ones)
