"""The behaviour policies that ship with the package: small MLPs in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError

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


def load_policy(path: Path) -> SquashedGaussian | Student:
    """Read a policy; which of the two it is shows in its arrays. Raises `KdpError` for anything else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            count = sum(name.startswith("W") for name in arrays.files)
            layers = tuple((arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(count))
            if "obs_mean" in arrays.files:
                return Student(layers, arrays["obs_mean"], arrays["obs_std"])
            return SquashedGaussian(layers, float(arrays["act_scale"]))
    except (OSError, KeyError, ValueError) as error:
        raise KdpError(f"{path}: not a behaviour policy ({error}); reinstall the package") from None


def policy_path(name: str) -> Path:
    """File of the shipped policy `name`, for example `hopper_expert`; a name with `.npz` is a path itself."""
    return Path(name) if name.endswith(".npz") else POLICIES / f"{name}.npz"
