"""Registers the project's own environments with Gymnasium: `gymnasium.make("kdp_edge.envs:<id>")`."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import gymnasium
import mujoco

from kdp_edge.errors import KdpError
from kdp_edge.tasks import TASKS, Task

_ENTRY_POINTS = {"door": "kdp_edge.adroit:make_door", "relocate": "kdp_edge.adroit:make_relocate"}


def make_env(task: Task) -> gymnasium.Env:
    """The task's environment; raises `KdpError` for an imported task without one."""
    if not task.env_id:
        raise KdpError(
            f"task '{task.name}' has no environment to play in; import its data again with --env-id"
        )
    earlier = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(_without_old_attribute)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Walker2d-v4 is chosen on purpose
            return gymnasium.make(task.env_id)
    finally:
        mujoco.set_mju_user_warning(earlier)


def _without_old_attribute(message: str) -> None:
    """MuJoCo 4 dislikes an attribute of Gymnasium's HalfCheetah, which nobody here can change."""
    if "settotalmass" not in message:
        print(f"MuJoCo: {message}", file=sys.stderr)


def env_spec(task: Task) -> Any:
    """Gymnasium's specification of the task's environment; None if it has none."""
    if not task.env_id:
        return None
    module, _, name = task.env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return gymnasium.spec(name)


def _register(task: Task, env_id: str, entry_point: str, **options: Any) -> None:
    gymnasium.register(
        env_id.rpartition(":")[2],
        entry_point=entry_point,
        max_episode_steps=task.max_episode_steps,
        kwargs=options,
    )


def _register_all() -> None:
    for task in TASKS.values():
        kind, _, variant = task.name.partition("-")
        if kind == "maze2d":
            _register(task, task.env_id, "kdp_edge.maze2d:Maze2D", maze=variant)
            _register(task, task.play_env_id, "kdp_edge.maze2d:Maze2D", maze=variant, play=True)
        elif kind in _ENTRY_POINTS:
            _register(task, task.env_id, _ENTRY_POINTS[kind])


_register_all()
