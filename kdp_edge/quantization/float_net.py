# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The trained residual MLP as plain NumPy arrays: what quantization starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kdp_edge.base.errors import KdpError


@dataclass(frozen=True)
class Layer:
    """`y = weight @ x + bias`; weight float32 [outputs, inputs], bias float32 [outputs]."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x @ self.weight.T + self.bias)


Layers = Mapping[str, Layer]  # by the name of their operation in the integer net


@dataclass(frozen=True)
class FloatNet:
    """`h = relu(first(x))`, then per block `h = relu(h + second(relu(first(h))))`, then `last(h)`."""

    first: Layer
    blocks: tuple[tuple[Layer, Layer], ...]
    last: Layer

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], where: str) -> FloatNet:
        """From a run's tensors `first.weight`, `blocks.0.0.weight`, …, `last.bias`.

        Args:
            tensors: float32 arrays by name.
            where: file name for error messages.
        """
        blocks: list[tuple[Layer, Layer]] = []
        while f"blocks.{len(blocks)}.0.weight" in tensors:
            n = len(blocks)
            blocks.append((_layer(tensors, f"blocks.{n}.0", where), _layer(tensors, f"blocks.{n}.1", where)))
        return cls(_layer(tensors, "first", where), tuple(blocks), _layer(tensors, "last", where))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float32 [batch, inputs] -> float32 [batch, outputs]."""
        return self.activations(x)["output"]

    def activations(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Every tensor that gets a scale of its own, by its name in the integer net."""
        values = {"input": x, "hidden": np.maximum(self.first(x), 0)}
        h = values["hidden"]
        for i, (first, second) in enumerate(self.blocks):
            inner = values[f"block{i}_inner"] = np.maximum(first(h), 0)
            branch = values[f"block{i}_branch"] = second(inner)
            h = values[f"block{i}"] = np.maximum(h + branch, 0)
        values["output"] = self.last(h)
        return values

    def with_unit_ranges(self, input_range: np.ndarray, output_range: np.ndarray) -> FloatNet:
        """The same function between units: x = input_range * x', y = output_range * y'.

        Folding a range per dimension into the outer layers' weights gives every input and output
        the whole int8 span although a tensor has one scale.
        """
        weight = (self.first.weight * input_range[None]).astype(np.float32)
        last = Layer(
            (self.last.weight / output_range[:, None]).astype(np.float32),
            (self.last.bias / output_range).astype(np.float32),
        )
        return replace(self, first=Layer(weight, self.first.bias), last=last)


def _layer(tensors: dict[str, np.ndarray], name: str, where: str) -> Layer:
    try:
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    except KeyError as error:
        raise KdpError(f"{where}: tensor {error} is missing; train again") from None
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise KdpError(f"{where}: {name} has shapes {weight.shape} and {bias.shape}; train again")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise KdpError(f"{where}: {name} holds NaN or infinity; train again")
    return Layer(np.asarray(weight, np.float32), np.asarray(bias, np.float32))
