# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The states that an imported policy itself meets in its plant: what its integers have to tell apart.

A data set may hold states that this policy never sees, such as those of the worse half of a mixture, and the
levels that they take from a signal are missing in its everyday range.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_actor import Actor
from kdp_edge.tasks import Robot, Task
from kdp_edge.tasks.environments import first_step, make_env

FIRST_SEED = 70_000  # of its episodes: neither an evaluation's nor a data set's
NOISE = 0.3  # of half an action's range, in every other episode: how the policy comes back is met as well
MOST_STEPS = 1000  # of an episode


def met_states(actor: Actor, task: Task, episodes: int) -> list[np.ndarray]:
    """Raw observations of `episodes` episodes, float32 [steps, obs] each; none where the robot has no plant.

    Raises:
        KdpError: the plant cannot be made here, or fails at once.
    """
    if not task.plant_name or not episodes:
        return []
    try:
        env = make_env(task)
        first_step(task, env)
    except KdpError as error:
        raise KdpError(f"{error}; or calibrate with the data alone: --episodes 0") from None
    rng = np.random.default_rng(0)
    found = [_episode(env, actor, task, number, rng) for number in range(episodes)]
    env.close()
    return found


def _episode(env: Any, actor: Actor, task: Task, number: int, rng: np.random.Generator) -> np.ndarray:
    observation, _ = env.reset(seed=FIRST_SEED + number)
    rows = [np.asarray(observation, np.float32)]
    while len(rows) < min(task.max_episode_steps, MOST_STEPS):
        observation, _, ended, cut, _ = env.step(
            _action(actor, task.robot, rows[-1], NOISE * (number % 2), rng)
        )
        if ended or cut or not np.isfinite(observation).all():
            break
        rows.append(np.asarray(observation, np.float32))
    return np.stack(rows)


def _action(
    actor: Actor, robot: Robot, observation: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    drawn = noise * (robot.high - robot.low) / 2 * rng.standard_normal(len(robot.low))
    return np.asarray(np.clip(actor(observation[None])[0] + drawn, robot.low, robot.high))
