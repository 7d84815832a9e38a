# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A robot file drafted from an environment or data, and held against both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.data.raw import Expected, check
from kdp_edge.tasks import Robot, Task
from kdp_edge.tasks.environments import check_installed, first_step, make_env, open_env
from kdp_edge.tasks.mjcf import read_model
from kdp_edge.tasks.robot import Action, Observation, Plant
from kdp_edge.tasks.safe_actions import with_safe_actions
from kdp_edge.tasks.success import succeeded
from kdp_edge.window import MAX_OBS

RATE_SLACK = 1e-3  # of the plant's rate


def drafted(
    name: str, env_id: str, data: Path | None, rate_hz: float | None, model: Path | None = None
) -> Robot:
    """A robot with the signals of a model, or numbered ones from what environment and data say.

    Raises:
        KdpError: none of them is given, or nothing says the rate.
    """
    if model is not None:
        if env_id or data is not None:
            raise KdpError(f"{model} says all signals; leave --env-id and --data out")
        check_installed()
        from kdp_edge.tasks.mjcf_draft import drafted_from_model

        return drafted_from_model(name, read_model(model), rate_hz)
    if not env_id and data is None:
        raise KdpError(
            "give a MuJoCo model, --env-id, --data or both: something must say how many signals there are"
        )
    if env_id:
        env = open_env(env_id, f"robot '{name}'")
        try:
            observations, low, high = _spaces(env, env_id)
            rate_hz = rate_hz or _rate(env)
            steps = env.spec.max_episode_steps if env.spec is not None else None
        finally:
            env.close()
    else:
        assert data is not None
        fields = _fields(data)
        observations, steps = fields["observations"].shape[1], None
        low, high = fields["actions"].min(0), fields["actions"].max(0)
    if rate_hz is None:
        raise KdpError("nothing says the control rate; give --rate-hz")
    signals = tuple(Observation(f"observation_{i}") for i in range(observations))
    actions = tuple(
        Action(f"action_{i}", low=float(a), high=float(b))
        for i, (a, b) in enumerate(zip(low, high, strict=True))
    )
    return Robot(name, float(rate_hz), signals, actions, Plant(env_id, steps))


def checked(robot: Robot, data: Path | None) -> list[str]:
    """What was held against the robot file, a line each.

    Raises:
        KdpError: something does not fit, or nothing says what a stop plays.
    """
    lines = [f"{len(robot.observations)} observations, {len(robot.actions)} actions, {robot.rate_hz:g} Hz"]
    task = Task(robot.name, robot)
    if task.plant_name:
        env = make_env(task)
        try:
            _check_rate(robot, env)
            observation, reward, info = first_step(task, env)
            if not np.isfinite(observation).all() or not np.isfinite(reward):
                raise KdpError(f"plant '{task.plant_name}': the first step gives numbers that are not finite")
            succeeded(task, info)
        finally:
            env.close()
        lines.append(f"plant {task.plant_name}: spaces, rate, one reset and one step")
    for action in with_safe_actions(task).actions:
        unit = "" if action.unit == "1" else f" {action.unit}"
        safe = action.safe if isinstance(action.safe, str) else f"{action.safe:g}{unit}"
        lines.append(f"{action.name}: {action.low:g} to {action.high:g}{unit}, a stop plays {safe}")
    if data is not None:
        names = [tuple(one.name for one in signals) for signals in (robot.observations, robot.actions)]
        expected = Expected(
            len(names[0]), len(names[1]), robot.low, robot.high, None,
            "low and high of each [[action]] in the robot file", *names,
        )  # fmt: skip
        rows = len(check(_fields(data), expected, str(data)).rewards)
        lines.append(f"data {data}: {rows} rows, every action within its range")
    return lines


def _fields(path: Path) -> dict[str, np.ndarray]:
    from kdp_edge.data.formats.d4rl import read_hdf5

    return read_hdf5(path).fields


def _spaces(env: Any, env_id: str) -> tuple[int, np.ndarray, np.ndarray]:
    """Length of an observation, and the ranges of the actions."""
    from gymnasium.spaces import Box

    inputs, outputs = env.observation_space, env.action_space
    for what, space in (("observations", inputs), ("actions", outputs)):
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise KdpError(f"environment '{env_id}' has {what} {space}, expected a vector (Box) of numbers")
    if inputs.shape[0] > MAX_OBS:
        raise KdpError(
            f"environment '{env_id}' has {inputs.shape[0]} observations, a device takes at most {MAX_OBS}; "
            "where pictures are among them, register it with its signals alone, or give its model (MJCF)"
        )
    if not (np.isfinite(outputs.low).all() and np.isfinite(outputs.high).all()):
        raise KdpError(f"environment '{env_id}' has actions without bounds; wrap it in one that has them")
    return inputs.shape[0], outputs.low, outputs.high


def _rate(env: Any) -> float | None:
    """Control steps per second, where the plant says it (Gymnasium's MuJoCo environments: dt)."""
    dt = getattr(env.unwrapped, "dt", None)
    return 1 / float(dt) if isinstance(dt, int | float) and dt > 0 else None


def _check_rate(robot: Robot, env: Any) -> None:
    rate = _rate(env)
    if rate is not None and abs(rate - robot.rate_hz) > RATE_SLACK * rate:
        raise KdpError(
            f"environment '{robot.plant.gymnasium}' makes {rate:g} steps a second (dt {1 / rate:g} s), the "
            f"robot file says rate_hz = {robot.rate_hz:g}; give the environment's"
        )
