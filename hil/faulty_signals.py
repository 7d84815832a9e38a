# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Faults between device and plant: what the device sees of it, and what it gets of the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kdp_edge.hil.faults import Fault
from kdp_edge.quantization.plan import PlanSpec

OUTSIDE = np.float32(1e30)  # beyond every policy's range


class Sensor:
    """What the device gets to see of the environment's observations."""

    def __init__(self, faults: list[Fault], seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self._faults = faults
        self._rng = np.random.default_rng(seed)
        self._history: list[np.ndarray] = []

    def start_episode(self) -> None:
        """Forget the last episode."""
        self._history = []

    def sense(self, step: int, observation: np.ndarray) -> tuple[np.ndarray | None, str]:
        """float32 [obs_dim] -> what arrives (None: nothing), and the faults that were at work."""
        self._history.append(observation)
        arrived: np.ndarray | None = observation
        names = []
        for fault in self._faults:
            if arrived is not None and fault.active(step):
                changed = self._apply(fault, step, arrived)
                if changed is not arrived:
                    names.append(fault.name)
                    self.injected[fault.name] += 1
                arrived = changed
        return arrived, "+".join(names)

    def _apply(self, fault: Fault, step: int, observation: np.ndarray) -> np.ndarray | None:
        if fault.name == "off":
            return None
        if fault.name == "intermittent":
            return None if self._rng.random() < fault.value else observation
        if fault.name == "garbage":
            return np.full_like(observation, np.nan)
        if fault.name == "outside":
            return np.full_like(observation, OUTSIDE)
        if fault.name == "wrong":
            return observation + np.float32(fault.value)
        if fault.name == "jump":
            jumped = observation.copy()
            jumped[int(self._rng.integers(len(observation)))] += np.float32(fault.value)
            return jumped
        if fault.name == "stuck":
            return self._history[min(fault.first, step)]
        return self._history[max(0, step - int(fault.value))]  # delayed


class Actuator:
    """What the plant gets of the device's actions; the device is not told."""

    def __init__(self, faults: Sequence[Fault], spec: PlanSpec) -> None:
        self.injected: Counter[str] = Counter()
        self._faults, self._spec = faults, spec
        self._asked: list[np.ndarray] = []

    def start_episode(self) -> None:
        """Forget the last episode."""
        self._asked = []

    def drive(self, step: int, action: np.ndarray) -> np.ndarray:
        """float32 [act_dim] as the device wants it -> as the actuators do it."""
        self._asked.append(action)
        done = action
        for fault in self._faults:
            if fault.active(step):
                self.injected[fault.name] += 1
                done = self._apply(fault, step, done)
        return done

    def _apply(self, fault: Fault, step: int, action: np.ndarray) -> np.ndarray:
        if fault.name == "actuator-delayed":
            return self._asked[max(0, step - int(fault.value))]
        low, high = self._spec.float32("act_low"), self._spec.float32("act_high")
        if fault.name == "actuator-saturated":
            middle, reach = (low + high) / 2, np.float32(fault.value) * (high - low) / 2
            clipped: np.ndarray = np.minimum(np.maximum(action, middle - reach), middle + reach)
            return clipped
        jammed, which = action.copy(), (int(fault.value) - 1) % len(action)
        jammed[which] = self._asked[min(fault.first, step)][which]
        return jammed
