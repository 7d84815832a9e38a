# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The behaviour policies that ship with the package: small MLPs in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.npz import read_npz

POLICIES = Path(__file__).parent / "policies"


@dataclass(frozen=True)
class SquashedGaussian:
    """Trained with SAC. A squashed Gaussian: action = tanh(mean + exp(log_std) * noise) * act_scale.

    `layers` are (weight [in, out], bias [out]) pairs with ReLU between them; the last layer's
    output is [mean | log_std], log_std clipped to -10..2.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    act_scale: float

    def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Sample actions [N, act_dim] float32 for raw observations [N, obs_dim]."""
        hidden = obs.astype(np.float32)
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        mean, log_std = np.split(hidden @ self.layers[-1][0] + self.layers[-1][1], 2, axis=-1)
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        action = np.tanh(mean + np.exp(np.clip(log_std, -10.0, 2.0)) * noise) * self.act_scale
        return action.astype(np.float32)


@dataclass(frozen=True)
class Student:
    """A distilled policy: tanh between `layers`, on normalised observations; action clipped to -1..1."""

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    obs_mean: np.ndarray
    obs_std: np.ndarray

    def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Actions [N, act_dim] float32 for raw observations [N, obs_dim]; `rng` is not used."""
        hidden = ((obs - self.obs_mean) / self.obs_std).astype(np.float32)
        for weight, bias in self.layers[:-1]:
            hidden = np.tanh(hidden @ weight + bias)
        weight, bias = self.layers[-1]
        return np.clip(hidden @ weight + bias, -1.0, 1.0)


def load_policy(
    path: Path, obs_dim: int | None = None, act_dim: int | None = None
) -> SquashedGaussian | Student:
    """Read a policy; which of the two it is shows in its arrays.

    Args:
        obs_dim: numbers of the task's observations, which the policy must take.
        act_dim: numbers of the task's actions, which it must give.

    Raises:
        KdpError: the file is missing, damaged, no policy, or one of other observations or actions.
    """
    try:
        arrays = read_npz(path)
        count = sum(name.startswith("W") for name in arrays)
        layers = tuple((arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(count))
        student = "obs_mean" in arrays
        _check_layers(arrays, layers)
        inputs, outputs = layers[0][0].shape[0], layers[-1][0].shape[1]
        _expect("takes", inputs, obs_dim, "observations")
        _expect("gives", outputs if student else outputs // 2, act_dim, "actions")
        if student:
            for name in ("obs_mean", "obs_std"):
                if arrays[name].shape != (inputs,):
                    raise ValueError(f"{name} has shape {arrays[name].shape}, expected ({inputs},)")
            return Student(layers, arrays["obs_mean"], arrays["obs_std"])
        return SquashedGaussian(layers, float(arrays["act_scale"]))
    except KeyError as error:
        reason = f"array {error} is missing"
    except (ValueError, TypeError) as error:
        reason = str(error)
    raise KdpError(f"{path}: not a behaviour policy ({reason}); give one that `kdp-edge data policy` wrote")


def _check_layers(arrays: dict[str, np.ndarray], layers: tuple[tuple[np.ndarray, np.ndarray], ...]) -> None:
    """Raise `ValueError` unless finite weights [in, out] and biases [out] follow each other."""
    if not layers:
        raise ValueError("no array W0")
    for name in arrays:
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            raise ValueError(f"array {name} is not finite")
    width = layers[0][0].shape[0] if layers[0][0].ndim == 2 else 0
    for number, (weight, bias) in enumerate(layers):
        if weight.dtype.kind != "f" or weight.ndim != 2 or weight.shape[0] != width:
            raise ValueError(
                f"array W{number} is {weight.dtype} {weight.shape}, expected floats ({width}, n)"
            )
        width = weight.shape[1]
        if bias.shape != (width,):
            raise ValueError(f"array b{number} has shape {bias.shape}, expected ({width},)")


def _expect(verb: str, found: int, wanted: int | None, what: str) -> None:
    if wanted is not None and found != wanted:
        raise ValueError(f"it {verb} {found} {what}, the task has {wanted}")


def policy_path(name: str) -> Path:
    """File of the shipped policy `name`, for example `hopper_expert`; a name with `.npz` is a path itself."""
    return Path(name) if name.endswith(".npz") else POLICIES / f"{name}.npz"
