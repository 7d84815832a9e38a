# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A robot in a folder of ours: its file, and beside it the archive of its model if it has one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kdp_edge.base.files import write_bytes, write_text
from kdp_edge.tasks.mjcf import ARCHIVE
from kdp_edge.tasks.robot import ROBOT_FILE, Robot
from kdp_edge.tasks.robot_text import robot_text

FILES = (ROBOT_FILE, ARCHIVE)


def write_robot(folder: Path, robot: Robot) -> None:
    """Write the robot's files into `folder`; `load_robot(folder / ROBOT_FILE)` reads them."""
    if robot.model is not None:
        write_bytes(folder / ARCHIVE, robot.model.archive())
        robot = replace(robot, plant=replace(robot.plant, mjcf=ARCHIVE))
    write_text(folder / ROBOT_FILE, robot_text(robot))
