# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A deterministic actor that somebody else trained, as plain NumPy arrays: what quantization starts from.

    x = clip((observation - mean) / std, -clip, clip)
    action = clamp(net(x) * gain + offset, low, high)

The net is a chain of fully connected layers, sums and activations in execution order. A ReLU is a part of
the layer or the sum whose result it clamps, as in the integer net.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import atomic_path
from kdp_edge.quantization.float_net import Layer
from kdp_edge.quantization.integer_net import KINDS
from kdp_edge.quantization.tables import function

FORMAT = "kdp-edge actor 1"
INPUT = "input"
UNREADABLE = (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError)
VECTORS = ("mean", "std", "gain", "offset", "low", "high")


@dataclass(frozen=True)
class Dense:
    """`output = layer(input)`, at least 0 with relu."""

    name: str
    input: str
    output: str
    layer: Layer
    relu: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Sum:
    """`output = left + right`, at least 0 with relu."""

    name: str
    left: str
    right: str
    output: str
    relu: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.left, self.right)


@dataclass(frozen=True)
class Activation:
    """`output = tanh(input)` or `elu(input)`."""

    name: str
    input: str
    output: str
    kind: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


Step = Dense | Sum | Activation


@dataclass(frozen=True)
class ActorNet:
    """Steps in execution order; the first reads `input`, the last one's output is the net's."""

    steps: tuple[Step, ...]

    @property
    def output(self) -> str:
        """Name of the net's output."""
        return self.steps[-1].output

    @property
    def denses(self) -> tuple[Dense, ...]:
        """The fully connected layers, in execution order."""
        return tuple(step for step in self.steps if isinstance(step, Dense))

    def readers(self, name: str) -> tuple[Step, ...]:
        """The steps that read an activation."""
        return tuple(step for step in self.steps if name in step.inputs)

    def writer(self, name: str) -> Step | None:
        """The step that makes an activation; None for the net's input."""
        return next((step for step in self.steps if step.output == name), None)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float32 [batch, inputs] -> float32 [batch, outputs]."""
        return self.activations(x)[self.output]

    def activations(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Every activation by its name in the integer net."""
        values = {INPUT: x}
        for step in self.steps:
            if isinstance(step, Activation):
                values[step.output] = function(step.kind, values[step.input])
                continue
            if isinstance(step, Dense):
                result = step.layer(values[step.input])
            else:
                result = values[step.left] + values[step.right]
            values[step.output] = np.maximum(result, 0) if step.relu else result
        return values

    def sizes(self) -> dict[str, int]:
        """Length of every activation by name."""
        sizes = {INPUT: self.denses[0].layer.weight.shape[1]}
        for step in self.steps:
            sizes[step.output] = (
                len(step.layer.bias) if isinstance(step, Dense) else sizes.get(step.inputs[0], 0)
            )
        return sizes

    def with_layers(self, layers: dict[str, Layer]) -> ActorNet:
        """The net with other layers in place of some, by their steps' names."""
        return ActorNet(
            tuple(
                replace(step, layer=layers[step.name])
                if isinstance(step, Dense) and step.name in layers
                else step
                for step in self.steps
            )
        )


@dataclass(frozen=True)
class Actor:
    """The whole policy: see the head of this file. Vectors are float32 [obs_dim] or [act_dim]."""

    net: ActorNet
    mean: np.ndarray
    std: np.ndarray
    clip: float  # of normalised observations; infinity: none
    gain: np.ndarray  # above 0
    offset: np.ndarray
    low: np.ndarray  # in action units; minus infinity: none
    high: np.ndarray

    @property
    def obs_dim(self) -> int:
        """Length of an observation."""
        return len(self.mean)

    @property
    def act_dim(self) -> int:
        """Length of an action."""
        return len(self.gain)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Raw observations [batch, obs_dim] -> actions float32 [batch, act_dim] in their units."""
        inputs = np.clip((observations - self.mean) / self.std, -self.clip, self.clip).astype(np.float32)
        actions = np.asarray(self.net(inputs) * self.gain + self.offset, np.float32)
        return np.asarray(np.clip(actions, self.low, self.high))


def check(actor: Actor, where: str) -> None:
    """Raise `KdpError` where the steps do not connect, sizes differ or a number is not finite."""
    net = actor.net
    if not net.denses:
        raise KdpError(f"{where}: no fully connected layer in it")
    known = {INPUT: actor.obs_dim}
    for step in net.steps:
        for name in step.inputs:
            if name not in known:
                raise KdpError(f"{where}: {step.name} reads {name!r} before it is written")
        found = {known[name] for name in step.inputs}
        if isinstance(step, Dense):
            weight, bias = step.layer.weight, step.layer.bias
            if weight.ndim != 2 or bias.shape != weight.shape[:1] or 0 in weight.shape:
                raise KdpError(f"{where}: {step.name} has weights {weight.shape} and biases {bias.shape}")
            if found != {weight.shape[1]}:
                raise KdpError(
                    f"{where}: {step.name} takes {weight.shape[1]} numbers and gets {known[step.input]}"
                )
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise KdpError(f"{where}: {step.name} holds NaN or infinity")
            known[step.output] = len(bias)
            continue
        if len(found) > 1:
            raise KdpError(f"{where}: {step.name} adds {known[step.inputs[0]]} to {known[step.inputs[1]]}")
        if isinstance(step, Activation) and step.kind not in KINDS:
            raise KdpError(f"{where}: {step.name} is a {step.kind}, known: {', '.join(KINDS)}")
        known[step.output] = found.pop()
    if known[net.output] != actor.act_dim:
        raise KdpError(f"{where}: it answers with {known[net.output]} numbers, expected {actor.act_dim}")
    _check_vectors(actor, where)


def _check_vectors(actor: Actor, where: str) -> None:
    for name, size in zip(VECTORS, (actor.obs_dim,) * 2 + (actor.act_dim,) * 4, strict=True):
        values = getattr(actor, name)
        finite = np.isfinite(values) | (np.isinf(values) & (name in ("low", "high")))
        if values.dtype != np.float32 or values.shape != (size,) or not finite.all():
            raise KdpError(f"{where}: {name} is {values.dtype}{list(values.shape)}, expected {size} numbers")
    if not ((actor.std > 0).all() and (actor.gain > 0).all() and actor.clip > 0):
        raise KdpError(f"{where}: std, gain and clip must be above 0")


def save(actor: Actor, path: Path) -> None:
    """Write an actor as one safetensors file, its structure as JSON in the header."""
    check(actor, str(path))
    arrays = {name: getattr(actor, name) for name in VECTORS}
    for step in actor.net.denses:
        arrays |= {f"{step.name}.weight": step.layer.weight, f"{step.name}.bias": step.layer.bias}
    structure = {
        "steps": [_fields(step) for step in actor.net.steps],
        "clip": actor.clip if np.isfinite(actor.clip) else None,
    }
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata={FORMAT: json.dumps(structure, sort_keys=True)})


def load(path: Path) -> Actor:
    """Read an actor written by `save`; a missing or damaged file becomes a `KdpError`."""
    again = "import the policy again"
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        structure = json.loads(metadata[FORMAT])
        steps = tuple(_steps(structure["steps"], arrays))
        clip = np.inf if structure["clip"] is None else float(structure["clip"])
        vectors = {name: arrays[name] for name in VECTORS}
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file; {again}") from None
    except UNREADABLE as error:
        raise KdpError(f"{path}: not a readable actor ({error}); {again}") from None
    actor = Actor(ActorNet(steps), clip=clip, **vectors)
    check(actor, str(path))
    return actor


def _fields(step: Step) -> dict[str, Any]:
    kind = {Dense: "dense", Sum: "sum", Activation: "activation"}[type(step)]
    return {"step": kind} | {name: value for name, value in vars(step).items() if name != "layer"}


def _steps(described: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> Iterator[Step]:
    for one in described:
        fields = {name: value for name, value in one.items() if name != "step"}
        if one["step"] == "dense":
            layer = Layer(arrays[f"{one['name']}.weight"], arrays[f"{one['name']}.bias"])
            yield Dense(layer=layer, **fields)
        else:
            yield {"sum": Sum, "activation": Activation}[one["step"]](**fields)
