# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whether a policy fits a task's plant."""

from __future__ import annotations

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import Task


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
