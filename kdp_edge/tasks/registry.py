# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Every task by name: the built-in ones, and those that came with a user's own data."""

from __future__ import annotations

from kdp_edge.base.files import read_object
from kdp_edge.base.lookup import unknown
from kdp_edge.base.workspace import dataset_path
from kdp_edge.tasks.adroit import ADROIT
from kdp_edge.tasks.locomotion import LOCOMOTION
from kdp_edge.tasks.maze import MAZE
from kdp_edge.tasks.robot import ROBOT_FILE, load_robot
from kdp_edge.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (*LOCOMOTION, *MAZE, *ADROIT)}


def get_task(name: str) -> Task:
    """The task called `name`, also one that came with imported data of the workspace.

    Raises:
        KdpError: unknown; names close matches and all tasks.
    """
    if name in TASKS:
        return TASKS[name]
    if (own := _own_task(name)) is not None:
        return own
    raise unknown("task", name, task_names())


def task_names() -> list[str]:
    """Names of all tasks: the built-in ones, then those of imported data."""
    folders = {file.parent.name for file in dataset_path("any").parent.glob(f"*-v0/{ROBOT_FILE}")}
    names = sorted(name.removesuffix("-v0") for name in folders)
    return [*TASKS, *(name for name in names if name not in TASKS and _own_task(name) is not None)]


def _own_task(name: str) -> Task | None:
    """A user's own robot: `data import` stored its file beside the data of the same name."""
    file = dataset_path(name) / ROBOT_FILE
    if "/" in name or not file.is_file() or read_object(file.with_name("kdp.json")).get("task") != name:
        return None
    return Task(name, load_robot(file))
