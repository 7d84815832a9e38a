# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a task is: a robot, and the parts of its data."""

from __future__ import annotations

from dataclasses import dataclass

from kdp_edge.tasks.robot import Robot

USUAL_EPISODE_STEPS = 1000  # of an environment that sets no end


@dataclass(frozen=True)
class Part:
    """One behaviour policy of a data set and its share of the steps."""

    policy: str  # path under kdp_edge/data/making/policies, without .npz; or a controller of mazes
    fraction: float
    noise: float = 0.0  # standard deviation of what is added to its actions, which are then clipped


@dataclass(frozen=True)
class Task:
    """What a planner and a data set must agree on: a robot, and how its data come about.

    Observations and actions are listed in the order of the environment's vectors. Scores are
    D4RL-normalised: 100 * (return - ref_min) / (ref_max - ref_min). A task without a recipe has no
    local twin: its data are imported.
    """

    name: str
    robot: Robot
    recipe: tuple[Part, ...] = ()
    default_steps: int = 0  # transitions of the data set, all parts together
    play_env_id: str = ""  # where behaviour is rolled, if that is not the task's own environment
    in_suite: bool = True  # whether its local twin, if it has one, is among those that `bench suite` plays

    @property
    def env_id(self) -> str:
        """For gymnasium.make; "module:id" where the module registers it; empty: not there."""
        return self.robot.plant.gymnasium

    @property
    def plant_name(self) -> str:
        """Where it is simulated, for people: the environment's id or the model's file; empty: nowhere."""
        return self.env_id or self.robot.plant.mjcf

    @property
    def obs_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.robot.observations)

    @property
    def obs_units(self) -> tuple[str, ...]:
        return tuple(one.unit for one in self.robot.observations)

    @property
    def act_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.robot.actions)

    @property
    def act_units(self) -> tuple[str, ...]:
        return tuple(one.unit for one in self.robot.actions)

    @property
    def rate_hz(self) -> float:
        """Control steps per second: 1 / env.dt."""
        return self.robot.rate_hz

    @property
    def max_episode_steps(self) -> int:
        return self.robot.plant.max_episode_steps or USUAL_EPISODE_STEPS

    @property
    def ref_min(self) -> float:
        """The return that is 0 points; 0 where the robot file names none."""
        return self.robot.score.low if self.robot.score.low is not None else 0.0

    @property
    def ref_max(self) -> float:
        """The return that is 100 points; 100 above `ref_min` where the robot file names none."""
        return self.robot.score.high if self.robot.score.high is not None else self.ref_min + 100.0

    @property
    def obs_dim(self) -> int:
        return len(self.robot.observations)

    @property
    def act_dim(self) -> int:
        return len(self.robot.actions)

    def fits(self, data: Task) -> bool:
        """Whether data of that task are of this task's robot and world."""
        return self.name == data.name or bool(self.plant_name and self._world == data._world)

    @property
    def _world(self) -> str:
        model = self.robot.model
        return self.env_id if model is None else model.sha256()

    def score(self, episode_return: float) -> float:
        """D4RL-normalised score of a return (or of a mean of returns)."""
        return 100.0 * (episode_return - self.ref_min) / (self.ref_max - self.ref_min)

    @property
    def point(self) -> float:
        """Return that a point of score is worth."""
        return (self.ref_max - self.ref_min) / 100.0
