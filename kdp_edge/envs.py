# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The address under which Gymnasium finds the project's own environments; data sets name it.

`gymnasium.make("kdp_edge.envs:kdp-edge/Maze2D-umaze-v0")` imports this file, which registers them all.
"""

from __future__ import annotations

from typing import Any

import gymnasium

from kdp_edge.tasks import TASKS, Task
from kdp_edge.tasks.maze import RING

_HANDS = {"door": "make_door", "relocate": "make_relocate"}


def _register(task: Task, env_id: str, entry_point: str, **options: Any) -> None:
    gymnasium.register(
        env_id.rpartition(":")[2],
        entry_point=f"kdp_edge.tasks.{entry_point}",
        max_episode_steps=task.max_episode_steps,
        kwargs=options,
    )


def _register_all() -> None:
    for task in TASKS.values():
        kind, _, variant = task.name.partition("-")
        if task.name == RING:
            _register(task, task.env_id, "ring_maze:RingMaze")
            _register(task, task.play_env_id, "ring_maze:RingMaze", play=True)
        elif kind == "maze2d":
            _register(task, task.env_id, "maze2d:Maze2D", maze=variant)
            _register(task, task.play_env_id, "maze2d:Maze2D", maze=variant, play=True)
        elif kind in _HANDS:
            _register(task, task.env_id, f"adroit_hand:{_HANDS[kind]}")


_register_all()
