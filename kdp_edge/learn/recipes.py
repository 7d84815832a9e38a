# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The recorded recipe of each task: what differs from the defaults of `RunConfig`, and why.

Measured in docs/ablation.md.
"""

from __future__ import annotations

from typing import Any

from kdp_edge.run import RunConfig
from kdp_edge.tasks import TASKS, Task

Settings = dict[str, Any]

_WIDER: Settings = {"width": 192}  # at 128 the plan of one in ten episodes fails on HalfCheetah
_BODIES: dict[str, Settings] = {
    "hopper": {},
    "halfcheetah": _WIDER,
    "walker2d": {**_WIDER, "k": 4},  # 8 of that width take an STM32F405 longer than its 8 ms
}

# Where no part of the data is as good as a policy can be, values have to improve on it; where an
# expert's episodes are among them, to draw those does most of it.
_IMPROVE: Settings = {"improve": 0.05}
_LED: Settings = {"discount": 0.99, "improve": 0.6}  # by a policy better than the data's
_LOCOMOTION: dict[str, Settings] = {
    # twice as much led one seed of two into falls; ranking at this margin gains on every seed
    "hopper-medium": {"improve": 0.025, "margin": 0.6},
    "hopper-medium-replay": _IMPROVE,
    # the gradient keeps drawn candidates on their feet, the anchor keeps latent 0 to the expert's gait
    "hopper-medium-expert": {"improve": 0.03, "anchor": 3.0},
    # one gait only, or many poor ones: what is better than all of them has to be found, by a policy and
    # its values; on the one gait these rank well, too
    "halfcheetah-medium": {"actor_steps": 240_000, **_LED, "margin": 0.2},
    "halfcheetah-medium-replay": {"actor_steps": 60_000, **_LED},
    # experts run fast: where far neighbours blur the plan they fall now and then
    "halfcheetah-medium-expert": {"key_tau": 0.25},
    "walker2d-medium": _IMPROVE,
    "walker2d-medium-replay": _IMPROVE,
    # as for Hopper; and where the gait begins, ranked candidates keep their feet when latent 0 does not
    "walker2d-medium-expert": {"improve": 0.02, "anchor": 3.0, "margin": 0.3},
}

# One controller plays to many goals: neither an episode's return, which tells how long it dwelt at its
# goal, nor values of so rare a reward tell better play from worse. A temperature this high weighs all
# alike. A step moves a ball by millimetres: windows of 8 tell ways apart that windows of 4 do not.
_MAZE: Settings = {"trajectory_tilt": 1e6, "tilt": 1e6, "horizon": 8}
# Where every goal is near, values tell which way gets there sooner; farther away they mislead, and
# one net of three lost an episode in twenty without a stronger anchor. The large ways take longer to learn.
_MAZES: dict[str, Settings] = {
    "maze2d-umaze": {**_MAZE, "improve": 0.15, "margin": 0.1},
    "maze2d-medium": {**_MAZE, "anchor": 3.0},
    "maze2d-large": {**_MAZE, "anchor": 3.0, "steps": 20_000},
}

_LATENTS: Settings = {"latent_dim": 32}  # 8 cannot carry the noise of 4 times 28 actions
_ADROIT: dict[str, Settings] = {
    # with a weaker anchor the plan lost the door's handle in an episode of sixty
    "door-cloned": {**_LATENTS, "anchor": 3.0},
    "relocate-cloned": _LATENTS,
}


def settings_of(task: Task) -> Settings:
    """Fields of `RunConfig` in which the recipe of `task` differs; empty for a user's own task."""
    if task.name not in TASKS:
        return {}
    name = task.name.replace("walker2d-v4-", "walker2d-")  # the same robot, with D4RL's friction
    return _BODIES.get(name.partition("-")[0], {}) | {**_LOCOMOTION, **_MAZES, **_ADROIT}.get(name, {})


def recipe_for(task: Task, data: str, **changes: Any) -> RunConfig:
    """The configuration of a run on data set `data`: defaults, the task's settings, then `changes`.

    Raises:
        KdpError: a setting is out of its range.
    """
    given = settings_of(task) | changes
    config = RunConfig(task=task.name, data=data, obs_dim=task.obs_dim, act_dim=task.act_dim, **given)
    config.check()
    return config
