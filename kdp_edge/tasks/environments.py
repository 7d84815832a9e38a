# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A task's plant: its Gymnasium environment, played on MuJoCo."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.tasks.task import Task

if TYPE_CHECKING:
    import gymnasium


def make_env(task: Task) -> gymnasium.Env:
    """The task's environment.

    Raises:
        KdpError: the simulator is not installed, an imported task has no environment, or that cannot be
            made or has other observations or actions than the task.
    """
    if not task.env_id:
        raise KdpError(
            f"task '{task.name}' has no environment to play in; import its data again with --env-id"
        )
    try:
        import gymnasium
        import mujoco
    except ImportError as error:
        raise KdpError(
            f"{error.name} is missing, nothing can be simulated: pip install 'kdp-edge[hil]'"
        ) from None
    earlier = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(_without_old_attribute)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Walker2d-v4 is chosen on purpose
            env = gymnasium.make(task.env_id)
    except Exception as error:  # a user's module and Gymnasium raise whatever they like
        raise _unmade(task, error) from None
    finally:
        mujoco.set_mju_user_warning(earlier)
    try:
        _check_spaces(task, env)
    except KdpError:
        env.close()
        raise
    return env


def _unmade(task: Task, error: Exception) -> KdpError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return KdpError(
        f"environment '{task.env_id}' of task '{task.name}' cannot be made ({reason}); give --env-id as "
        "module:Name-v0, where importing the module registers Name-v0 in Gymnasium"
    )


def _check_spaces(task: Task, env: gymnasium.Env) -> None:
    """Raise `KdpError` unless the environment's observations and actions are those of the task."""
    from gymnasium.spaces import Box

    where = f"environment '{task.env_id}' of task '{task.name}'"
    for what, space, count in (
        ("observations", env.observation_space, task.obs_dim),
        ("actions", env.action_space, task.act_dim),
    ):
        if not isinstance(space, Box) or space.shape != (count,):
            raise KdpError(
                f"{where} has {what} {' '.join(str(space).split())}, expected a Box of shape ({count},) as "
                "in the data; give the environment that the data come from, or wrap it in one that has it"
            )
    assert isinstance(env.action_space, Box)
    low, high = env.action_space.low, env.action_space.high
    if not (np.allclose(low, task.act_low) and np.allclose(high, task.act_high)):
        raise KdpError(
            f"{where} takes actions from {low.min():g} to {high.max():g}, expected {task.act_low:g} to "
            f"{task.act_high:g}, which is what planners give; register it with gymnasium.wrappers."
            "RescaleAction around it"
        )


def _without_old_attribute(message: str) -> None:
    """MuJoCo 4 dislikes an attribute of Gymnasium's HalfCheetah, which nobody here can change."""
    if "settotalmass" not in message:
        print(f"MuJoCo: {message}", file=sys.stderr)


def env_spec(task: Task) -> Any:
    """Gymnasium's specification of the task's environment; None if it has none."""
    if not task.env_id:
        return None
    import gymnasium

    module, _, name = task.env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name)
    except Exception as error:  # as in make_env
        raise _unmade(task, error) from None
