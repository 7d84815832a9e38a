# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What acts in behaviour data: a shipped policy or a maze's controller, plus action noise."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from kdp_edge.base.files import sha256_file
from kdp_edge.data.making.policy import load_policy, policy_path
from kdp_edge.tasks import Part, Task

WAYPOINTS, EITHER_WAY = "waypoints", "either-way"
CONTROLLERS = (WAYPOINTS, EITHER_WAY)  # of mazes; every other policy is a file


class Behaviour(Protocol):
    """Chooses an action in each of N environments that are stepped together."""

    def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...


class Noisy:
    """Adds normal noise to another actor's actions and clips them to its limits."""

    def __init__(self, actor: Behaviour, noise: float, low: np.ndarray, high: np.ndarray) -> None:
        self.actor, self.noise, self.low, self.high = actor, noise, low, high

    def act(self, obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        action = self.actor.act(obs, rng)
        action = action + self.noise * rng.standard_normal(action.shape, dtype=np.float32)
        return np.clip(action, self.low, self.high).astype(np.float32)


def load_actor(task: Task, part: Part) -> Behaviour:
    """The actor of one part of the task's recipe."""
    actor: Behaviour
    if part.policy == WAYPOINTS:
        from kdp_edge.data.making.waypoints import Waypoints
        from kdp_edge.tasks.maze2d import MAZES

        actor = Waypoints(MAZES[task.name.partition("-")[2]].split())
    elif part.policy == EITHER_WAY:
        from kdp_edge.data.making.either_way import EitherWay

        actor = EitherWay()
    else:
        actor = load_policy(policy_path(part.policy), task.obs_dim, task.act_dim)
    return Noisy(actor, part.noise, task.robot.low, task.robot.high) if part.noise else actor


def part_record(part: Part) -> dict[str, Any]:
    """What determines the part's behaviour, as plain data."""
    record = {key: value for key, value in asdict(part).items() if value}
    if part.policy not in CONTROLLERS:
        record["sha256"] = sha256_file(policy_path(part.policy))
    return record


def part_label(part: Part) -> str:
    """How tables name the part."""
    return f"{part.policy}, noise {part.noise:g}" if part.noise else part.policy
