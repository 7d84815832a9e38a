"""The simulated plant: a task's Gymnasium environment, and whether a policy fits it."""

from __future__ import annotations

from typing import Any

from kdp_edge.errors import KdpError
from kdp_edge.quantize.plan import IntegerPlanner
from kdp_edge.tasks import Task


def make_env(task: Task) -> Any:
    """The task's Gymnasium environment; raises `KdpError` when the simulator is not installed."""
    try:
        import mujoco  # noqa: F401

        from kdp_edge import envs
    except ImportError as error:
        raise KdpError(
            f"{error.name} is missing, nothing can be simulated: pip install 'kdp-edge[hil]'"
        ) from None
    return envs.make_env(task)


def check_task(planner: IntegerPlanner, task: Task) -> None:
    """Raise `KdpError` unless the policy reads and writes this task's signals in this order."""
    spec = planner.spec
    for what, found, expected in (
        ("observations", tuple(spec.obs_names), task.obs_names),
        ("actions", tuple(spec.act_names), task.act_names),
    ):
        if len(found) != len(expected):
            raise KdpError(
                f"the policy (task {spec.task}) has {len(found)} {what}, task {task.name} has "
                f"{len(expected)}; choose the run of this task"
            )
        for i, (name, wanted) in enumerate(zip(found, expected, strict=True)):
            if name != wanted:
                raise KdpError(
                    f"the policy (task {spec.task}) has '{name}' as {what}[{i}], task {task.name} has "
                    f"'{wanted}'; choose the run of this task"
                )
