# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Scripted controllers of plants that nobody tuned this product for, and their episodes as D4RL's HDF5.

Each is played at three skills, an episode each in turn: good, middling, poor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kdp_edge import open_plant
from kdp_edge.tasks import load_robot

sys.path.append(str(Path(__file__).parents[2] / "examples" / "quadrotor"))
from fly import SKILLS, thrusts

UP = np.array([0.0, 0.0, 1.0])
LEVELS = 3  # of skill, an episode each in turn, the best first
Act = Callable[[np.ndarray, int], np.ndarray]  # observation, step -> action in the plant's units


def quad(skill: int, rng: np.random.Generator, plant: Any) -> Act:
    """Attitude control, see examples/quadrotor/fly.py."""
    stiffness, damping, noise = SKILLS[skill]
    return lambda seen, step: thrusts(seen, stiffness, damping) + noise * rng.normal(size=4)


def pendulum(skill: int, rng: np.random.Generator, plant: Any) -> Act:
    """Energy is pumped up to that of the top, where a PD controller takes over."""
    pump, near, noise = ((2.0, 0.9, 0.1), (1.0, 0.8, 0.4), (0.4, 0.3, 0.8))[skill]

    def act(seen: np.ndarray, step: int) -> np.ndarray:
        upright, sideways, speed = seen
        torque = -(16 * sideways + 4 * speed)
        if upright < near:
            torque = pump * (5 - speed**2 / 6 - 5 * upright) * np.sign(speed)
        return np.array([torque + noise * rng.normal()])

    return act


def ant(skill: int, rng: np.random.Generator, plant: Any) -> Act:
    """A gait by time: PD control of hips and ankles to sines; its numbers are of a random search."""
    swing, noise = ((1.0, 0.05), (0.7, 0.2), (0.4, 0.5))[skill]
    legs, hip_signs = np.array([-np.pi / 2, np.pi, 0, np.pi / 2]), np.array([-1, -1, -1, 1])
    ankle_signs, first = np.array([1, -1, -1, 1]), int(rng.integers(12))

    def act(seen: np.ndarray, step: int) -> np.ndarray:
        phase = 2 * np.pi * 0.0802 * (step + first) + legs
        hips = swing * 0.333 * np.sin(phase) * hip_signs
        ankles = ankle_signs * (0.87 + swing * 0.286 * np.cos(phase + 1.723))
        wanted = np.stack([hips, ankles], 1).reshape(-1)
        torques = 1.434 * (wanted - seen[5:13]) - 0.0829 * seen[19:27]
        return np.roll(torques, 2) + noise * rng.normal(size=8)  # the actuators begin with the fourth leg

    return act


def fetch_reach(skill: int, rng: np.random.Generator, plant: Any) -> Act:
    """Towards the goal; the observation is achieved goal, desired goal, and ten more."""
    gain, noise = ((8.0, 0.1), (4.0, 0.3), (1.0, 0.7))[skill]

    def act(seen: np.ndarray, step: int) -> np.ndarray:
        move = gain * (seen[3:6] - seen[:3]) + noise * rng.normal(size=3)
        return np.append(move, 0.0)

    return act


def so101(skill: int, rng: np.random.Generator, plant: Any) -> Act:
    """Over the block, down, close, lift, over the goal, down, open.

    The phase follows from the observation alone, so that a policy without memory can follow it: the jaw is
    moved by steps of its command, which is observed, and that is how long the arm waits for it.
    """
    speed, noise = ((1.0, 0.05), (0.9, 0.12), (0.8, 0.18))[skill]
    robot = plant.unwrapped

    def act(seen: np.ndarray, step: int) -> np.ndarray:
        grip, block, goal = (seen[10] + 1) / 2, seen[14:17], seen[17:20]
        pinch = robot.ik_point_pos  # between the jaws: a function of the joints
        to_block, to_goal = block + 0.015 * UP - pinch, goal - block
        over_block, over_goal = (float(np.hypot(*way[:2])) for way in (to_block, to_goal))
        move, limit = np.zeros(3), 0.4 * speed
        if over_goal < 0.012 and to_goal[2] > -0.006:
            grip += 0.25
        elif over_block < 0.012 and abs(to_block[2]) < 0.012:
            grip -= 0.2
            if grip < -0.15:  # closed a step ago
                if over_goal < 0.012:
                    move[2] = to_goal[2]
                elif to_goal[2] > -0.035:
                    move[2] = 0.06
                else:
                    move, limit = to_goal + 0.05 * UP, speed
        else:
            grip += 0.25
            if over_block > 0.008:
                move, limit = to_block + 0.045 * UP, speed
            elif grip > 0.9:
                move = to_block
        push = np.clip(move / 0.025, -limit, limit) + noise * rng.normal(size=3)
        return np.append(push, grip)

    return act


CONTROLLERS = {"quad": quad, "pendulum": pendulum, "ant": ant, "fetch-reach": fetch_reach, "so101": so101}


def record(name: str, robot: Path, steps: int, out: Path) -> None:
    """Play `steps` control steps of the controllers of plant `name` and write them."""
    plant, rng = open_plant(robot), np.random.default_rng(0)
    said, success = load_robot(robot).score.success, "infos/is_success"
    names = ("observations", "actions", "rewards", "terminals", "timeouts", "next_observations", success)
    rows: dict[str, list[Any]] = {key: [] for key in names}
    low, high = plant.action_space.low, plant.action_space.high
    episode = 0
    while len(rows["rewards"]) < steps:
        act, ended, step = CONTROLLERS[name](episode % LEVELS, rng, plant), False, 0
        seen, _ = plant.reset(seed=episode)
        while not ended:
            action = np.clip(act(seen, step), low, high).astype(np.float32)
            following, reward, terminated, cut, info = plant.step(action)
            row = (seen, action, reward, terminated, cut, following, bool(said and info[said]))
            for key, value in zip(names, row, strict=True):
                rows[key].append(value)
            seen, step, ended = following, step + 1, terminated or cut
        episode += 1
    with h5py.File(out, "w") as file:
        for key, values in rows.items():
            if key == success and not said:
                continue
            kind = np.bool_ if key in ("terminals", "timeouts", success) else np.float32
            file.create_dataset(key, data=np.array(values, kind), compression="gzip")
