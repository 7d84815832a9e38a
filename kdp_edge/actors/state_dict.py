# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Which tensors of a state dict are the actor's layers, and in which order: by their names.

`actor.0.weight`, `actor.2.weight`, … (rsl_rl), `actor_mean.0.weight`, … or `fc1`, `fc2`, `fc_mean` (CleanRL).
A name does not say what stands between two layers, so the activation is the user's to give.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdp_edge.actors.builder import Builder, Value
from kdp_edge.actors.torch_file import read_bytes, read_tensors
from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_actor import Actor

OTHERS = re.compile(r"critic|value|target|(^|[._])(v|q|qf\d|vf)[._]|log_?std|logstd|optimizer|ent_coef")
ANSWERS = ("fc_mean", "fc_mu", "mean", "mu")
RSL_EPSILON = 0.01  # rsl_rl's EmpiricalNormalization: (x - mean) / (std + 0.01)


@dataclass(frozen=True)
class Named:
    """A fully connected layer and what the file calls it."""

    name: str
    weight: np.ndarray
    bias: np.ndarray | None


def read_state_dict(
    path: Path, observations: int, actions: int, activation: str | None, squash: bool
) -> Actor:
    """The actor of a PyTorch state dict.

    Args:
        activation: between the layers: relu, tanh, elu or sigmoid.
        squash: whether the answer goes through a tanh.

    Raises:
        KdpError: unreadable, no actor or several in it, other sizes, or what cannot be carried.
    """
    tensors = read_tensors(read_bytes(path), str(path))
    layers = actor_layers(tensors, str(path))
    if activation is None:
        raise KdpError(
            f"{path}: a state dict does not say what stands between its layers; give --activation elu "
            "(rsl_rl's), tanh or relu"
        )
    builder = Builder(observations, str(path))
    value = _normalised(builder, tensors)
    value = chained(builder, value, layers, activation)
    scale, offset = _ending(tensors, "action_scale"), _ending(tensors, "action_bias")
    if squash or scale is not None:  # CleanRL's SAC and TD3: tanh(mean) * action_scale + action_bias
        value = builder.activation("tanh", value, "tanh")
    if scale is not None:
        value = builder.affine("action_scale", value, scale, 0.0 if offset is None else offset)
    return builder.actor(value, actions)


def chained(builder: Builder, value: Value, layers: list[Named], activation: str) -> Value:
    """The layers one after the other, the activation between them."""
    for number, layer in enumerate(layers):
        value = builder.dense(layer.name, value, layer.weight, layer.bias)
        if number < len(layers) - 1:
            value = builder.activation(layer.name, value, activation)
    return value


def actor_layers(tensors: dict[str, np.ndarray], where: str) -> list[Named]:
    """The fully connected layers of the one actor among the tensors, in order."""
    chains: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in tensors.items():
        prefix, number = _place(name)
        if not OTHERS.search(name) and number is not None and name.endswith((".weight", ".bias")):
            chains.setdefault(prefix, {})[name] = tensor
        elif re.search(r"weight_(ih|hh)", name) and not OTHERS.search(name):
            raise KdpError(f"{where}: layer {name}: an actor keeps no memory between observations")
    chains = {prefix: chain for prefix, chain in chains.items() if _has_matrix(chain)}
    best = [prefix for prefix in chains if re.search(r"(^|\.)actor", prefix)] or list(chains)
    if len(best) != 1:
        found = ", ".join(sorted(best)) or "none"
        raise KdpError(
            f"{where}: chains of layers that may be the actor: {found}; expected one, as actor.0.weight, "
            "actor.2.weight, …: save that module's state dict alone"
        )
    return ordered(chains[best[0]], where)


def ordered(chain: dict[str, np.ndarray], where: str) -> list[Named]:
    """The layers of a chain by the numbers in their names; refuses norms and other parts by name."""
    names = [name.removesuffix(".weight") for name in chain if name.endswith(".weight")]
    layers = []
    for number, own in enumerate(sorted(names, key=_order), 1):
        weight = chain[f"{own}.weight"]
        if weight.ndim != 2:
            kind = "a norm" if weight.ndim == 1 else f"a layer of {weight.ndim} dimensions"
            raise KdpError(
                f"{where}: layer {number} ({own}): {kind} has no integer form; fully connected layers have"
            )
        layers.append(Named(own, weight, chain.get(f"{own}.bias")))
    return layers


def _place(name: str) -> tuple[str, tuple[int, int] | None]:
    """Of `actor.2.weight` the prefix `actor` and its order; of `fc_mean.bias` that of all its layers."""
    own, _, part = name.rpartition(".")
    if part not in ("weight", "bias"):
        return "", None
    prefix, _, last = own.rpartition(".")
    if last.isdigit():
        return prefix, _order(own)
    if re.fullmatch(r"(fc|l|layer|linear)_?\d+", last) or last in ANSWERS:
        return f"{prefix}.fc" if prefix else "fc", _order(own)
    return "", None


def _order(own: str) -> tuple[int, int]:
    last = own.rpartition(".")[2]
    digits = re.search(r"\d+$", last)
    return (1, 0) if last in ANSWERS else (0, int(digits[0]) if digits else 0)


def _has_matrix(chain: dict[str, np.ndarray]) -> bool:
    return any(tensor.ndim == 2 for tensor in chain.values())


def _normalised(builder: Builder, tensors: dict[str, np.ndarray]) -> Value:
    """rsl_rl's empirical normaliser of the actor's observations, where the file has one."""
    value = builder.observation()
    mean, std = (_normalizer_part(tensors, part) for part in ("_mean", "_std"))
    if mean is None or std is None:
        return value
    scale = 1 / (std.ravel() + RSL_EPSILON)
    return builder.affine("observation normaliser", value, scale, -mean.ravel() * scale)


def _normalizer_part(tensors: dict[str, np.ndarray], part: str) -> np.ndarray | None:
    own = [name for name in tensors if not re.search("critic|privileged", name)]
    names = [name for name in own if re.search(r"obs|normaliz", name) and name.endswith(f".{part}")]
    return tensors[names[0]] if len(names) == 1 else None


def _ending(tensors: dict[str, np.ndarray], name: str) -> np.ndarray | None:
    found = [tensor for key, tensor in tensors.items() if key.rpartition(".")[2] == name]
    return found[0].ravel() if len(found) == 1 else None
