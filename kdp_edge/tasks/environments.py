"""A task's plant: its Gymnasium environment, played on MuJoCo."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING, Any

from kdp_edge.base.errors import KdpError
from kdp_edge.tasks.task import Task

if TYPE_CHECKING:
    import gymnasium


def make_env(task: Task) -> gymnasium.Env:
    """The task's environment.

    Raises:
        KdpError: the simulator is not installed, or an imported task has no environment.
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
    import gymnasium

    module, _, name = task.env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return gymnasium.spec(name)
