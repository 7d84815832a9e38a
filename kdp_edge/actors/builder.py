# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Builds an actor operation by operation and folds what has no integer form of its own.

A value is `scale * base + shift`, element by element, of an activation `base` of the net. So normalisers,
rescaling and the constants of a sigmoid cost nothing: the next layer takes them in, or the layer before.
What can neither be folded nor be computed in integers is refused: the layer, and the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_actor import INPUT, Activation, Actor, ActorNet, Dense, Step, Sum
from kdp_edge.quantization.float_net import Layer

MOST_WIDE, MOST_STEPS = 4096, 64


@dataclass(frozen=True)
class Value:
    """`scale * base + shift`, float64 [size] each, clipped to [low, high], of the activation `base`."""

    base: str
    scale: np.ndarray
    shift: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def size(self) -> int:
        return len(self.scale)

    @property
    def is_plain(self) -> bool:
        """Whether it is the activation itself."""
        return bool(self.low is None and (self.scale == 1).all() and (self.shift == 0).all())


class Builder:
    """Every method adds an operation called `name`, as the file calls it, and returns its result."""

    def __init__(self, observations: int, where: str) -> None:
        self.where = where
        self.steps: list[Step] = []
        self.read: dict[str, int] = {}  # how often each activation was read so far
        self.mean, self.std = np.zeros(observations), np.ones(observations)
        self.clip = np.inf
        self.count = 0

    def refuse(self, name: str, rule: str) -> KdpError:
        """What cannot be carried: the layer, counted from 1, and the rule."""
        return KdpError(f"{self.where}: layer {self.count} ({name}): {rule}")

    def observation(self) -> Value:
        """The raw observation."""
        return Value(INPUT, np.ones(len(self.mean)), np.zeros(len(self.mean)))

    def dense(self, name: str, value: Value, weight: np.ndarray, bias: np.ndarray | None = None) -> Value:
        """`weight @ value + bias`; weight [outputs, inputs]."""
        self.count += 1
        self._unclipped(name, value)
        weight = np.asarray(weight, np.float64)
        if weight.ndim != 2 or weight.shape[1] != value.size:
            raise self.refuse(name, f"weights {list(weight.shape)} do not fit {value.size} inputs")
        if max(weight.shape) > MOST_WIDE or len(self.steps) >= MOST_STEPS:
            raise self.refuse(
                name, f"at most {MOST_STEPS} steps of {MOST_WIDE} numbers have a place on a device"
            )
        bias = np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64)
        if bias.shape != (len(weight),):
            raise self.refuse(name, f"biases {list(bias.shape)} do not fit {len(weight)} outputs")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise self.refuse(name, "holds NaN or infinity; the training diverged, or the file is damaged")
        layer = Layer(
            (weight * value.scale).astype(np.float32), (bias + weight @ value.shift).astype(np.float32)
        )
        return self._add(Dense(f"layer{len(self.steps) + 1}", value.base, "", layer), len(weight))

    def affine(self, name: str, value: Value, scale: np.ndarray | float, shift: np.ndarray | float) -> Value:
        """`value * scale + shift`, element by element."""
        try:
            scale, shift = (np.broadcast_to(np.asarray(v, np.float64), (value.size,)) for v in (scale, shift))
        except ValueError:
            raise self.refuse(name, f"its constant does not fit {value.size} numbers") from None
        if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
            raise self.refuse(name, "its constant holds NaN or infinity")
        low, high = value.low, value.high
        if low is not None and high is not None:
            ends = np.stack([low * scale + shift, high * scale + shift])
            low, high = ends.min(0), ends.max(0)
        return Value(value.base, value.scale * scale, value.shift * scale + shift, low, high)

    def clipped(self, name: str, value: Value, low: float, high: float) -> Value:
        """`value` within low and high: of the normalised observation, or of the answer."""
        if not low < high:
            raise self.refuse(name, f"clips to {low:g} … {high:g}, expected a range")
        if value.base == INPUT and value.low is None and self._unread(INPUT) and self.clip == np.inf:
            if low != -high or not (value.scale > 0).all():
                raise self.refuse(name, f"clips observations to {low:g} … {high:g}; only -c … c is carried")
            self.std = 1 / value.scale
            self.mean = -value.shift / value.scale
            self.clip = high
            return self.observation()
        bounds = np.full(value.size, low), np.full(value.size, high)
        if value.low is not None and value.high is not None:
            bounds = np.maximum(bounds[0], value.low), np.minimum(bounds[1], value.high)
        return replace(value, low=bounds[0], high=bounds[1])

    def activation(self, name: str, value: Value, kind: str) -> Value:
        """`relu`, `tanh`, `elu` or `sigmoid` of a layer or a sum."""
        self._unclipped(name, value)
        if kind == "sigmoid":  # (1 + tanh(x / 2)) / 2
            half = self.activation(name, self.affine(name, value, 0.5, 0.0), "tanh")
            return self.affine(name, half, 0.5, 0.5)
        if kind not in ("relu", "tanh", "elu"):
            raise self.refuse(name, f"{kind} has no integer form here; ReLU, tanh, ELU and sigmoid have")
        base = self._absorbed(name, value)
        if kind != "relu":
            return self._add(Activation(f"{kind}{len(self.steps) + 1}", base, "", kind), value.size)
        writer = self._writer(base)
        if not isinstance(writer, Dense | Sum) or writer.relu or not self._unread(base):
            raise self.refuse(name, "a ReLU must follow its layer or sum, which nothing else may read")
        self._exchange(writer, replace(writer, relu=True))
        return self._value(base, value.size)

    def sum(self, name: str, left: Value, right: Value) -> Value:
        """`left + right`, element by element."""
        self._unclipped(name, left)
        self._unclipped(name, right)
        if left.size != right.size:
            raise self.refuse(name, f"adds {left.size} numbers to {right.size}")
        one, other = self._absorbed(name, left), self._absorbed(name, right)
        if INPUT in (one, other):
            raise self.refuse(name, "adds the observation itself; only fully connected layers may read it")
        return self._add(Sum(f"sum{len(self.steps) + 1}", one, other, ""), left.size)

    def actor(self, value: Value, actions: int) -> Actor:
        """The finished actor, whose answer is `value`.

        Raises:
            KdpError: not that many actions, or an answer whose factor is not positive.
        """
        if value.size != actions:
            raise KdpError(
                f"{self.where}: answers with {value.size} numbers, the robot has {actions} actions"
            )
        low, high = value.low, value.high
        bare = replace(value, low=None, high=None)
        writer = self._writer(value.base)
        if isinstance(writer, Activation) and writer.kind == "tanh" and (value.scale < 0).any():
            bare = self._mirrored(writer, bare)
        elif isinstance(writer, Dense) and not writer.relu and self._unread(value.base):
            bare = self._value(self._absorbed("answer", bare), value.size)
        if writer is None or not (bare.scale > 0).all():
            raise self.refuse("answer", "the factor of an action is 0 or below; fold it into the layer")
        vectors = {
            "mean": self.mean, "std": self.std, "gain": bare.scale, "offset": bare.shift,
            "low": np.full(actions, -np.inf) if low is None else low,
            "high": np.full(actions, np.inf) if high is None else high,
        }  # fmt: skip
        arrays = {name: np.asarray(vector, np.float32) for name, vector in vectors.items()}
        return Actor(ActorNet(tuple(self.steps)), clip=float(self.clip), **arrays)

    def _absorbed(self, name: str, value: Value) -> str:
        """The activation that is `value` once the layer that makes it took in scale and shift."""
        if value.is_plain:
            return value.base
        writer = self._writer(value.base)
        if not isinstance(writer, Dense) or writer.relu or not self._unread(value.base):
            raise self.refuse(
                name, "a factor or an offset stands where no fully connected layer beside it can take it in"
            )
        weight = writer.layer.weight * value.scale[:, None]
        bias = writer.layer.bias * value.scale + value.shift
        layer = Layer(weight.astype(np.float32), bias.astype(np.float32))
        self._exchange(writer, replace(writer, layer=layer))
        return value.base

    def _mirrored(self, tanh: Activation, value: Value) -> Value:
        """tanh is odd: negative factors move in front of it."""
        sign = np.sign(value.scale)
        inner = self._writer(tanh.input)
        if not isinstance(inner, Dense) or self.read.get(tanh.input, 0) != 1 or not self._unread(tanh.output):
            raise self.refuse("answer", "a negative factor stands where no layer can take it in")
        layer = Layer((inner.layer.weight * sign[:, None]).astype(np.float32),
                      (inner.layer.bias * sign).astype(np.float32))  # fmt: skip
        self._exchange(inner, replace(inner, layer=layer))
        return replace(value, scale=np.abs(value.scale))

    def _unclipped(self, name: str, value: Value) -> None:
        if value.low is not None:
            raise self.refuse(name, "a clip is carried of observations and of the answer only")

    def _unread(self, base: str) -> bool:
        return self.read.get(base, 0) == 0

    def _writer(self, base: str) -> Step | None:
        return next((step for step in self.steps if step.output == base), None)

    def _exchange(self, old: Step, new: Step) -> None:
        self.steps[self.steps.index(old)] = new

    def _add(self, step: Step, size: int) -> Value:
        if len(self.steps) >= MOST_STEPS:
            raise self.refuse(step.name, f"at most {MOST_STEPS} steps have a place on a device")
        step = replace(step, output=step.name)
        for name in step.inputs:
            self.read[name] = self.read.get(name, 0) + 1
        self.steps.append(step)
        return self._value(step.output, size)

    def _value(self, base: str, size: int) -> Value:
        return Value(base, np.ones(size), np.zeros(size))
