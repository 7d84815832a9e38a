# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A task's plant: its Gymnasium environment, played on MuJoCo."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdp_edge.base.errors import KdpError, reason
from kdp_edge.base.provenance import versions
from kdp_edge.tasks.robot import Robot, load_robot
from kdp_edge.tasks.task import Task

if TYPE_CHECKING:
    import gymnasium


def make_env(task: Task) -> gymnasium.Env:
    """The task's environment.

    Raises:
        KdpError: the simulator is not installed, an imported task has no environment, or that cannot be
            made or has other observations or actions than the task.
    """
    if not task.plant_name:
        raise KdpError(
            f"task '{task.name}' has no environment to play in; import its data again with --env-id, or with "
            "a robot file whose [plant] names one"
        )
    if task.robot.model is not None:
        return _of_model(task)
    env = open_env(task.env_id, f"task '{task.name}'")
    try:
        _check_spaces(task, env)
    except KdpError:
        env.close()
        raise
    return _in_units(task, env)


def open_plant(robot: Robot | Path | str) -> gymnasium.Env:
    """The plant of a robot or its file, as a Gymnasium environment in the robot's units.

    Raises:
        KdpError: as `make_env` and `load_robot` do.
    """
    found = robot if isinstance(robot, Robot) else load_robot(Path(robot))
    return make_env(Task(found.name, found))


def _of_model(task: Task) -> gymnasium.Env:
    check_installed()
    from gymnasium.wrappers import TimeLimit

    from kdp_edge.tasks.mjcf_plant import MjcfPlant

    return TimeLimit(MjcfPlant(task.robot), task.max_episode_steps)


def check_installed() -> None:
    """Raise `KdpError` where no simulator is."""
    try:
        import gymnasium  # noqa: F401
        import mujoco  # noqa: F401
    except ImportError as error:
        raise KdpError(
            f"{error.name} is missing, nothing can be simulated: pip install 'kdp-edge[hil]'"
        ) from None
    except Exception as error:  # what OpenGL's loaders raise
        raise KdpError(
            f"MuJoCo cannot be loaded ({reason(error)}): MUJOCO_GL is {os.environ.get('MUJOCO_GL')!r}; "
            "unset it, or install what it names"
        ) from None


def first_step(task: Task, env: Any) -> tuple[np.ndarray, float, Mapping[str, Any]]:
    """One reset and one step in the middle of the actions' ranges: observation, reward and info.

    Raises:
        KdpError: the plant fails in them.
    """
    try:
        env.reset(seed=0)
        observation, reward, _, _, info = env.step((task.robot.low + task.robot.high) / 2)
    except Exception as error:  # a user's module raises whatever it likes
        raise KdpError(
            f"plant '{task.plant_name}' of task '{task.name}' fails in its first reset or step "
            f"({reason(error)}); MuJoCo here is {versions(['mujoco']).get('mujoco')}: does it run by itself?"
        ) from None
    return observation, float(reward), info


def open_env(env_id: str, whose: str) -> gymnasium.Env:
    """The environment called `env_id`, a dictionary of observations as one vector.

    Raises:
        KdpError: the simulator is not installed, or it cannot be made.
    """
    check_installed()
    import gymnasium
    import mujoco

    earlier = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(_without_old_attribute)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Walker2d-v4 is chosen on purpose
            _let_import(env_id)
            env = _flat(gymnasium.make(env_id, disable_env_checker=True))
    except Exception as error:  # a user's module and Gymnasium raise whatever they like
        raise _unmade(env_id, whose, error) from None
    finally:
        mujoco.set_mju_user_warning(earlier)
    return env


def _let_import(env_id: str) -> None:
    """A module that is nowhere else may lie in the working directory, as for a script that is run there."""
    module = env_id.rpartition(":")[0].partition(".")[0]
    if module and module not in sys.modules and find_spec(module) is None and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _flat(env: gymnasium.Env) -> gymnasium.Env:
    """A dictionary of observations as one vector, in the order of its keys."""
    from gymnasium.spaces import Dict
    from gymnasium.wrappers import FlattenObservation

    return FlattenObservation(env) if isinstance(env.observation_space, Dict) else env


def _normalised(env: gymnasium.Env) -> bool:
    """Whether an environment takes shares of its actuators' ranges, -1 to 1, instead of their units."""
    space: Any = env.action_space
    return bool((space.low == -1).all() and (space.high == 1).all())


def _in_units(task: Task, env: gymnasium.Env) -> gymnasium.Env:
    """The environment for actions in the robot's units."""
    from gymnasium.wrappers import RescaleAction

    robot = task.robot
    if not _normalised(env) or ((robot.low == -1).all() and (robot.high == 1).all()):
        return env
    return RescaleAction(env, robot.low, robot.high)


def _unmade(env_id: str, whose: str, error: Exception) -> KdpError:
    said = reason(error)
    if isinstance(error, AssertionError):  # a simulator that is newer than the environment
        said += f", with MuJoCo {versions(['mujoco']).get('mujoco')}"
    return KdpError(
        f"environment '{env_id}' of {whose} cannot be made ({said}); give --env-id as "
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
    space, robot = env.action_space, task.robot
    wrong = ~(np.isclose(space.low, robot.low) & np.isclose(space.high, robot.high))
    if wrong.any() and not _normalised(env):
        i = int(np.flatnonzero(wrong)[0])
        raise KdpError(
            f"{where} takes {robot.actions[i].name} from {space.low[i]:g} to {space.high[i]:g}, expected "
            f"{robot.low[i]:g} to {robot.high[i]:g}, which is what planners give: declare that range"
        )


def mujoco_data(env: Any) -> Any:
    """MuJoCo's data of a plant, its model as `.model`; None of one that is simulated in another way."""
    plant = getattr(env, "unwrapped", env)
    plant = getattr(plant, "point_env", plant)  # Gymnasium-Robotics' mazes hold their robot in there
    data = getattr(plant, "data", None)
    return data if hasattr(data, "qpos") else None


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
            _let_import(task.env_id)
            importlib.import_module(module)
        return gymnasium.spec(name)
    except Exception as error:  # as in make_env
        raise _unmade(task.env_id, f"task '{task.name}'", error) from None
