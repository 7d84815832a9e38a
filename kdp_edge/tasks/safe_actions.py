# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a stop plays, where a robot file does not say: zero force where the plant shows that it is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TypeVar

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.tasks.environments import make_env
from kdp_edge.tasks.robot import HOLD, Robot
from kdp_edge.tasks.task import Task

Value = TypeVar("Value")


def named_wishes(
    wishes: Sequence[str], names: Sequence[str], value_of: Callable[[str, str], Value]
) -> dict[str, Value]:
    """`VALUE` for every actuator, `NAME=VALUE` for one -> its value; later ones hold.

    Args:
        value_of: makes a value of VALUE; also gets the whole wish, for its message.
    """
    result: dict[str, Value] = {}
    for wish in wishes:
        name, equals, text = wish.rpartition("=")
        if equals and name not in names:
            raise unknown("actuator", name, names)
        value = value_of(text, wish)
        result.update({name: value} if equals else dict.fromkeys(names, value))
    return result


def safe_wishes(wishes: Sequence[str], names: Sequence[str]) -> dict[str, float | str]:
    """Safe actions as options give them: `VALUE`, `hold`, or `NAME=` in front of either."""
    return named_wishes(wishes, names, _safe)


def finite(text: str) -> float | None:
    """A number that float32 holds, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= np.finfo(np.float32).max else None


def _safe(text: str, wish: str) -> float | str:
    value = HOLD if text == HOLD else finite(text)
    if value is None:
        raise KdpError(f"--safe-action {wish}: '{text}' is neither a number nor hold")
    return value


def with_safe_actions(task: Task) -> Robot:
    """The task's robot with a safe action for every actuator.

    Raises:
        KdpError: nothing says what a stop plays: neither the robot's owner nor its plant.
    """
    silent = [action for action in task.robot.actions if action.safe is None]
    if not silent:
        return task.robot
    if not _rests_at_zero(task):
        names = ", ".join(action.name for action in silent)
        raise KdpError(
            f"robot '{task.robot.name}': what does a stop play on {names}? The middle of the range is no "
            "rest by itself: give --safe-action VALUE or hold (of one: NAME=VALUE), or safe in the robot file"
        )
    actions = tuple(replace(one, safe=0.0 if one.safe is None else one.safe) for one in task.robot.actions)
    return replace(task.robot, actions=actions)


def _rests_at_zero(task: Task) -> bool:
    """Whether the plant's actuators are plain motors that pull both ways alike: 0 is no force then."""
    if not task.plant_name or find_spec("mujoco") is None:
        return False
    env = make_env(task)
    try:
        model = getattr(env.unwrapped, "model", None)
        if model is None or getattr(model, "nu", None) != task.act_dim:
            return False
        low, high = model.actuator_ctrlrange.T
        motors = (model.actuator_biastype == 0).all() and (model.actuator_dyntype == 0).all()
        return bool(motors and (low == -high).all() and (task.robot.low == -task.robot.high).all())
    finally:
        env.close()
