# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The robot files of the built-in tasks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from kdp_edge.tasks.robot import Robot, load_robot


@cache
def built_in(name: str) -> Robot:
    """The robot called `name`."""
    return load_robot(Path(__file__).with_name(f"{name}.toml"))
