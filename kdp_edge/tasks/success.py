# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whether an episode has succeeded, as its plant says: in the key of `info` that the robot file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.tasks.task import Task


def succeeded(task: Task, info: Mapping[str, Any], before: bool | None = None) -> bool | None:
    """Whether the episode has succeeded by the step that `info` came with; None: no key says it.

    Args:
        before: the answer of the step before. A success stays one, whatever comes after it.

    Raises:
        KdpError: the key is not there, or holds no truth value.
    """
    key = task.robot.score.success
    if not key:
        return None
    where = f"plant '{task.plant_name}' of task '{task.name}'"
    if key not in info:
        there = ", ".join(sorted(map(str, info))[:12]) or "nothing"
        raise KdpError(
            f"{where}: a step's info has no '{key}' (there: {there}), which [score] success in the robot "
            "file names; correct that"
        )
    try:
        return bool(info[key]) or bool(before)
    except ValueError:
        raise KdpError(
            f"{where}: info['{key}'] is not one truth value; correct [score] success in the robot file"
        ) from None
