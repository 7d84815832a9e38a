# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Hopper, HalfCheetah and Walker2d: Gymnasium's environments, our own twins of D4RL's data."""

from __future__ import annotations

from kdp_edge.tasks.robots import built_in
from kdp_edge.tasks.task import Part, Task

LEVELS = ("medium", "medium-replay", "medium-expert")


BODIES = ("hopper", "halfcheetah", "walker2d")

# Checkpoints on the way to the medium policy: their equal mixture stands for a replay buffer.
_LADDER = {
    "hopper": [f"ladder/Hopper-v5_{n:07d}" for n in range(50_000, 350_001, 50_000)],
    "halfcheetah": [f"ladder/HalfCheetah-v5_{n:07d}" for n in range(10_000, 70_001, 10_000)],
    "walker2d": [f"ladder/Walker2d-v5_{n:07d}" for n in range(50_000, 450_001, 50_000)],
}


def _mixture(body: str, level: str) -> tuple[Part, ...]:
    if level == "medium":
        return (Part(f"{body}_medium", 1.0),)
    if level == "medium-expert":
        return (Part(f"{body}_medium", 0.5), Part(f"{body}_expert", 0.5))
    return tuple(Part(name, 1 / len(_LADDER[body])) for name in _LADDER[body])


def _locomotion(body: str, level: str) -> Task:
    return Task(f"{body}-{level}", built_in(body), _mixture(body, level), 400_000)


def _walker_as_d4rl(level: str) -> Task:
    """Walker2d-v5 gave both feet a friction of 1.9; v4 has 0.9 and 1.9 like the published data."""
    return Task(f"walker2d-v4-{level}", built_in("walker2d-v4"))


LOCOMOTION = (
    *(_locomotion(body, level) for body in BODIES for level in LEVELS),
    *(_walker_as_d4rl(level) for level in LEVELS),
)
