# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a task is: environment, signals with units, control rate, reference scores, parts of its data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One behaviour policy of a data set and its share of the steps."""

    policy: str  # path under kdp_edge/data/making/policies, without .npz; or "waypoints", the maze controller
    fraction: float
    noise: float = 0.0  # standard deviation of what is added to its actions, which are then clipped


@dataclass(frozen=True)
class Task:
    """What a planner, a data set and a device must agree on.

    Observations and actions are listed in the order of the environment's vectors. Scores are
    D4RL-normalised: 100 * (return - ref_min) / (ref_max - ref_min). A task without a recipe has no
    local twin: its data are imported.
    """

    name: str
    env_id: str  # for gymnasium.make; "module:id" where the module registers it
    obs_names: tuple[str, ...]
    obs_units: tuple[str, ...]
    act_names: tuple[str, ...]
    act_units: tuple[str, ...]
    act_low: float
    act_high: float
    rate_hz: float  # control steps per second: 1 / env.dt
    max_episode_steps: int
    ref_min: float
    ref_max: float
    recipe: tuple[Part, ...]
    default_steps: int  # transitions of the data set, all parts together
    play_env_id: str = ""  # where behaviour is rolled, if that is not the task's own environment

    @property
    def obs_dim(self) -> int:
        return len(self.obs_names)

    @property
    def act_dim(self) -> int:
        return len(self.act_names)

    def fits(self, data: Task) -> bool:
        """Whether data of that task are of this task's robot and world."""
        return self.name == data.name or bool(self.env_id and self.env_id == data.env_id)

    @property
    def data_env_id(self) -> str:
        return self.play_env_id or self.env_id

    def score(self, episode_return: float) -> float:
        """D4RL-normalised score of a return (or of a mean of returns)."""
        return 100.0 * (episode_return - self.ref_min) / (self.ref_max - self.ref_min)

    @property
    def point(self) -> float:
        """Return that a point of score is worth."""
        return (self.ref_max - self.ref_min) / 100.0
