# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A plant whose mass, friction and actuators are drawn anew for every episode (domain randomisation).

Tobin et al., "Domain Randomization for Transferring Deep Neural Networks from Simulation to the Real World",
IROS 2017; here of dynamics, as in Peng et al., ICRA 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.tasks.environments import mujoco_data
from kdp_edge.tasks.model_factors import ModelFactors

# factors on MuJoCo's model, drawn evenly between these bounds and independently of each other
RANGES = {"mass": (0.85, 1.15), "friction": (0.8, 1.2), "actuators": (0.9, 1.1)}
STREAM = 11  # keeps the plant's random numbers apart from the behaviour's, which draws from the same seed


class RandomisedPlant:
    """An environment behind `reset` and `step`, on another model in each episode."""

    def __init__(self, env: Any, seed: tuple[int, ...]) -> None:
        """
        Args:
            seed: of the factors; the same seed draws the same plants in the same order.

        Raises:
            KdpError: the environment is not simulated by MuJoCo.
        """
        self.env, self.rng = env, np.random.default_rng((*seed, STREAM))
        data = mujoco_data(env)
        if data is None:
            raise KdpError("--randomise: the plant is not simulated by MuJoCo: no mass, friction or actuator")
        self.factors = ModelFactors(data)
        self.drawn: dict[str, float] = {}  # of the current episode

    def reset(self, *, seed: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a plant and begin an episode on it."""
        self.drawn = {name: float(self.rng.uniform(*bounds)) for name, bounds in RANGES.items()}
        self.factors.set(**self.drawn)
        observation, info = self.env.reset(seed=seed)
        return observation, info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One control step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward), terminated, truncated, info

    def close(self) -> None:
        """Close the environment."""
        self.env.close()
