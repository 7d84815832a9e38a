# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a user's own robot is, from its file, from options, and from what the data say themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import isfinite

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.formats.found import Found
from kdp_edge.data.raw import Raw
from kdp_edge.tasks import TASKS, Robot, Task
from kdp_edge.tasks.environments import first_step, make_env
from kdp_edge.tasks.robot import Action, Observation, Plant, check_robot
from kdp_edge.tasks.safe_actions import safe_wishes, with_safe_actions
from kdp_edge.tasks.success import succeeded

RATES_AGREE = 0.05  # of a rate: farther apart may the user's and the data's not be


@dataclass(frozen=True)
class OwnRobot:
    """Facts of a robot that no file describes; None or empty where the data are to say it.

    Names choose keys or columns of the data; of data that are one array they name its columns. Actions lie
    between act_low and act_high, -1 and 1 where nobody says.
    """

    rate_hz: float | None = None
    env_id: str = ""
    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    act_low: float | None = None
    act_high: float | None = None
    safe: tuple[str, ...] = ()  # VALUE, "hold", or NAME= in front of either

    @property
    def act_range(self) -> tuple[float, float]:
        return -1.0 if self.act_low is None else self.act_low, 1.0 if self.act_high is None else self.act_high


def settled(robot: OwnRobot | None, found: Found, where: str) -> OwnRobot:
    """The robot with what the data say of it where the user does not.

    Raises:
        KdpError: nobody says the rate, or the user says another one than the data.
    """
    said = robot or OwnRobot()
    rate = said.rate_hz or found.rate_hz
    if rate is None and found.may_be_published:
        raise asked_for_task(where)
    if rate is None:
        raise KdpError(f"{where}: how many steps a second? give --rate-hz; {found.layout} does not say it")
    _check_agree(rate, found, where, f"--rate-hz {rate:g}", "leave the option out")
    own_range = (said.act_low, said.act_high) != (None, None)
    low, high = said.act_range if own_range else found.act_range or said.act_range
    names = found.obs_names or said.observations, found.act_names or said.actions
    return OwnRobot(rate, said.env_id, *names, low, high, said.safe)


def asked_for_task(where: str) -> KdpError:
    return KdpError(
        f"{where}: which task is it? give --task (one of {', '.join(TASKS)}), or --robot FILE or "
        "--rate-hz for a robot of your own"
    )


def check_facts(robot: OwnRobot) -> None:
    """Raise `KdpError` for a rate or a range that is none."""
    if robot.rate_hz is not None and not (isfinite(robot.rate_hz) and robot.rate_hz > 0):
        raise KdpError(f"--rate-hz {robot.rate_hz:g}: expected a finite number above 0, in Hz")
    low, high = robot.act_range
    for option, value in (("--act-low", low), ("--act-high", high)):
        if not isfinite(value):
            raise KdpError(f"{option} {value:g}: expected a finite number, the end of the actions' range")
    if high <= low:
        raise KdpError(f"--act-low {low:g} --act-high {high:g}: expected low < high")


def check_rate(robot: Robot, found: Found, where: str) -> None:
    """Raise `KdpError` unless a robot file's rate is that of the data, where they say it."""
    said = f"rate_hz {robot.rate_hz:g} of robot '{robot.name}'"
    _check_agree(robot.rate_hz, found, where, said, "correct the robot file")


def _check_agree(rate_hz: float, found: Found, where: str, said: str, remedy: str) -> None:
    if found.rate_hz and abs(rate_hz / found.rate_hz - 1) > RATES_AGREE:
        raise KdpError(f"{said}: {where} says {found.rate_hz:g} Hz; {remedy}, or repair the data")


def declared(name: str, robot: OwnRobot, raw: Raw) -> Robot:
    """The robot that a command line describes."""
    observations = robot.observations or _numbered("observation", raw.observations.shape[1])
    actions = robot.actions or _numbered("action", raw.actions.shape[1])
    safe, (low, high) = safe_wishes(robot.safe, actions), robot.act_range
    made = Robot(
        name,
        robot.rate_hz or 0.0,
        tuple(Observation(one) for one in observations),
        tuple(Action(one, low=low, high=high, safe=safe.get(one)) for one in actions),
        Plant(robot.env_id),
    )
    check_robot(made, "the robot that the options describe")
    return made


def completed(robot: Robot, raw: Raw) -> Robot:
    """With what the file leaves to the data: the longest episode, and the worst and the best return."""
    ends = np.flatnonzero(raw.terminals | raw.timeouts)
    firsts = np.concatenate([[0], ends[:-1] + 1])
    returns = [float(raw.rewards[a : b + 1].sum()) for a, b in zip(firsts, ends, strict=True)]
    low, high = min(returns), max(returns)
    plant, score = robot.plant, robot.score
    longest = int((ends - firsts).max()) + 1
    if plant.max_episode_steps is None:
        plant = replace(plant, max_episode_steps=longest)
    if score.low is None:
        score = replace(score, low=low)
    if score.high is None:
        base = score.low if score.low is not None else low
        score = replace(score, high=high if high > base else base + max(1.0, abs(base)))
    return replace(robot, plant=plant, score=score)


def placed(task: Task, environment: str) -> tuple[Task, list[str]]:
    """A user's own task where it can be played, with a safe action for every actuator, and notes.

    Args:
        environment: in which the data say that they were recorded.

    Raises:
        KdpError: its environment does not fit, or nothing says what a stop plays.
    """
    task, notes = _opened(task) if task.plant_name else _recorded_in(task, environment)
    return replace(task, robot=with_safe_actions(task)), notes


def _opened(task: Task) -> tuple[Task, list[str]]:
    """The task whose environment opened; a note where no simulator is there to do so."""
    if find_spec("mujoco") is None:
        return task, [f"environment {task.plant_name} was not checked: no simulator is installed here"]
    env = make_env(task)
    try:
        succeeded(task, first_step(task, env)[2])
    finally:
        env.close()
    return task, []


def _recorded_in(task: Task, environment: str) -> tuple[Task, list[str]]:
    """The task in the environment of its data if Gymnasium knows that and it fits, and a note of it.

    A module that a file names is not imported: only the user's own --env-id is.
    """
    if not environment:
        return task, []
    if ":" in environment or find_spec("mujoco") is None:
        return task, [f"recorded in {environment}; to play there, give --env-id {environment}"]
    plant = replace(task.robot.plant, gymnasium=environment)
    placed = replace(task, robot=replace(task.robot, plant=plant))
    try:
        make_env(placed).close()
    except KdpError as error:
        return task, [f"recorded in {environment}, where no policy can be played: {error}"]
    return placed, [f"recorded in {environment}: policies are played there"]


def _numbered(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what}_{number}" for number in range(count))
