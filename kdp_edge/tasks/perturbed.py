# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A plant that is not the nominal one: heavier, weaker, slippery, late, or seen through worse sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.tasks.model_factors import ModelFactors
from kdp_edge.tasks.simulation import Outcome, Simulation
from kdp_edge.tasks.task import Task


@dataclass(frozen=True)
class Perturbation:
    """What differs from the nominal plant.

    noise, bias: standard deviations, in those of each signal over the data, drawn in every step and once
    an episode; late: control steps after which an action begins to act, the one before holds until then;
    mass (with inertia), friction, actuators: factors on MuJoCo's model.
    """

    noise: float = 0.0
    bias: float = 0.0
    late: float = 0.0
    mass: float = 1.0
    friction: float = 1.0
    actuators: float = 1.0

    @property
    def of_the_model(self) -> bool:
        return (self.mass, self.friction, self.actuators) != (1, 1, 1)


NOMINAL = Perturbation()
PERTURBATIONS = {
    "noise-1": Perturbation(noise=0.01),
    "noise-5": Perturbation(noise=0.05),
    "noise-10": Perturbation(noise=0.1),
    "bias-5": Perturbation(bias=0.05),
    "late-half": Perturbation(late=0.5),
    "late-one": Perturbation(late=1.0),
    "mass+10": Perturbation(mass=1.1),
    "mass-10": Perturbation(mass=0.9),
    "friction-20": Perturbation(friction=0.8),
    "actuators-10": Perturbation(actuators=0.9),
    "all": Perturbation(0.05, 0.05, 0.5, 1.1, 0.8, 0.9),
}


def perturbation_named(names: Sequence[str]) -> Perturbation:
    """Several perturbations as one; a later one holds where two change the same.

    Raises:
        KdpError: no perturbation of such a name.
    """
    values: dict[str, float] = {}
    for name in names:
        if name not in PERTURBATIONS:
            raise unknown("perturbation", name, PERTURBATIONS)
        chosen = asdict(PERTURBATIONS[name])
        values |= {f.name: chosen[f.name] for f in fields(Perturbation) if chosen[f.name] != f.default}
    return Perturbation(**values)


class PerturbedPlant:
    """A task's plant under a perturbation; `reset` and `step` as Gymnasium's."""

    def __init__(self, task: Task, perturbation: Perturbation, spread: np.ndarray) -> None:
        """
        Args:
            spread: standard deviation of each signal over the data [obs].

        Raises:
            KdpError: the plant has no model to change, or no sub-steps to be half a step late by.
        """
        self.task, self.perturbation, self.spread = task, perturbation, spread
        self.simulation = Simulation(task)
        part = perturbation.late % 1
        self._late_steps = int(perturbation.late)
        self._late_substeps = round(part * self.simulation.substeps) if part else 0
        if part and self.simulation.substeps == 1:
            raise self._impossible("has control steps of one physics step: actions are late by whole ones")
        if perturbation.of_the_model:
            self._change_model()

    def reset(self, *, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; its noise is drawn from the same seed."""
        self._rng = np.random.default_rng((seed, 7))
        self._offset = self.perturbation.bias * self.spread * self._rng.standard_normal(len(self.spread))
        robot = self.task.robot
        rest = np.clip(np.zeros_like(robot.low), robot.low, robot.high)
        self._given = [rest] * (2 + self._late_steps)
        observation, info = self.simulation.reset(seed=seed)
        return self._sensed(observation), info

    def step(self, action: np.ndarray) -> Outcome:
        """One control step in which `action` is given, and begins to act when it is due.

        Until an episode's first action is due, actuators get 0, or what of their range is nearest to it.
        """
        self._given = [*self._given[1:], action]
        before, due = self._given[:2]
        earlier = [(before, self._late_substeps)] if self._late_substeps else []
        observation, reward, terminated, truncated, info = self.simulation.step(due, earlier)
        return self._sensed(observation), reward, terminated, truncated, info

    def close(self) -> None:
        """Close the environment."""
        self.simulation.close()

    def _sensed(self, observation: np.ndarray) -> np.ndarray:
        noise = self.perturbation.noise * self.spread * self._rng.standard_normal(len(self.spread))
        return observation + noise + self._offset if self._blurred else observation

    @property
    def _blurred(self) -> bool:
        return (self.perturbation.noise, self.perturbation.bias) != (0, 0)

    def _change_model(self) -> None:
        if self.simulation.body is None:
            raise self._impossible("is not simulated by MuJoCo: no mass, friction or actuator to change")
        change = self.perturbation
        factors = ModelFactors(self.simulation.body)
        factors.set(mass=change.mass, friction=change.friction, actuators=change.actuators)

    def _impossible(self, why: str) -> KdpError:
        self.close()
        return KdpError(f"environment '{self.task.env_id}' of task '{self.task.name}' {why}")
