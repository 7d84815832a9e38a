# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a robot is asked to do and where: the task class, its look-up, and the simulated plants."""

from kdp_edge.tasks.registry import TASKS, get_task
from kdp_edge.tasks.robot import Robot, load_robot
from kdp_edge.tasks.task import Part, Task

__all__ = ["TASKS", "Part", "Robot", "Task", "get_task", "load_robot"]
