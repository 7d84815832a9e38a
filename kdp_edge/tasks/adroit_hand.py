# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Adroit hand tasks of gymnasium-robotics, with the reward that D4RL's data have.

gymnasium-robotics 1.4.2 adds 0.1 * |palm - handle or ball| where D4RL subtracts it; the later "v2"
of these environments is not on every registry yet, so the sign is corrected here.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import gymnasium
import numpy as np

from kdp_edge.base.errors import KdpError

try:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        from gymnasium_robotics.envs.adroit_hand.adroit_door import AdroitHandDoorEnv
        from gymnasium_robotics.envs.adroit_hand.adroit_relocate import AdroitHandRelocateEnv
except ImportError as error:
    raise KdpError(
        f"{error.name} is missing, the Adroit hand cannot be simulated: pip install 'kdp-edge[train]'"
    ) from None

Step = tuple[np.ndarray, float, bool, bool, dict[str, Any]]
APPROACH = 0.1  # weight of the distance between palm and handle or ball


class Door(AdroitHandDoorEnv):
    """Open a door by its handle; observation float32 [39], action [28]."""

    def step(self, action: np.ndarray) -> Step:
        obs, reward, terminated, truncated, info = super().step(action)
        palm, handle = (self.data.site_xpos[site] for site in (self.grasp_site_id, self.handle_site_id))
        return obs, _corrected(reward, palm, handle), terminated, truncated, info


class Relocate(AdroitHandRelocateEnv):
    """Carry a ball to a target; observation float32 [39], action [30]."""

    def step(self, action: np.ndarray) -> Step:
        obs, reward, terminated, truncated, info = super().step(action)
        palm, ball = self.data.site_xpos[self.S_grasp_site_id], self.data.xpos[self.obj_body_id]
        return obs, _corrected(reward, palm, ball), terminated, truncated, info


def _corrected(reward: float, palm: np.ndarray, target: np.ndarray) -> float:
    return float(reward - 2 * APPROACH * np.linalg.norm(palm - target))


def make_door(**options: Any) -> gymnasium.Env:
    return Door(reward_type="dense", **options)


def make_relocate(**options: Any) -> gymnasium.Env:
    return Relocate(reward_type="dense", **options)
