# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Flights of a quadrotor by three controllers of different skill, as an HDF5 file in D4RL's layout.

python fly.py ROBOT.toml EPISODES OUT.hdf5
"""

import sys

import h5py
import numpy as np

from kdp_edge import open_plant

MASS, GRAVITY = 0.5, 9.81
SKILLS = ((6.0, 4.0, 0.05), (3.0, 1.5, 0.3), (1.5, 0.4, 0.6))  # position gain, velocity gain, noise in N
# total thrust and torques (N, N m) of four motors at (+-0.1, +-0.1) m that turn in turns
MIX = np.array([[1, 1, 1, 1], [0.1, 0.1, -0.1, -0.1], [-0.1, 0.1, 0.1, -0.1], [0.02, -0.02, 0.02, -0.02]])


def turned(w: float, x: float, y: float, z: float) -> np.ndarray:
    """The rotation matrix of a unit quaternion."""
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def thrusts(observation: np.ndarray, stiffness: float, damping: float) -> np.ndarray:
    """Four thrusts that lead to the origin: a force that is wanted, and the attitude that gives it."""
    position, velocity, rates = observation[:3], observation[7:10], observation[10:]
    is_turned = turned(*observation[3:7])
    force = MASS * (-stiffness * position - damping * velocity + [0, 0, GRAVITY])
    up = force / np.linalg.norm(force)
    side = np.cross(up, [1.0, 0, 0])
    side /= np.linalg.norm(side)
    wanted = np.stack([np.cross(side, up), side, up], 1)
    error = 0.5 * (wanted.T @ is_turned - is_turned.T @ wanted)
    torque = -0.25 * np.array([error[2, 1], error[0, 2], error[1, 0]]) - 0.02 * rates
    return np.linalg.solve(MIX, [force @ is_turned[:, 2], *torque])


def fly(robot: str, episodes: int) -> dict[str, list]:
    plant, rng = open_plant(robot), np.random.default_rng(0)
    low, high = plant.action_space.low, plant.action_space.high
    names = ("observations", "actions", "rewards", "terminals", "timeouts", "infos/is_success")
    rows: dict[str, list] = {name: [] for name in names}
    for episode in range(episodes):
        stiffness, damping, noise = SKILLS[episode % len(SKILLS)]
        observation, _ = plant.reset(seed=episode)
        ended = False
        while not ended:
            wanted = thrusts(observation, stiffness, damping) + noise * rng.normal(size=4)
            action = np.clip(wanted, low, high).astype(np.float32)
            following, reward, terminated, cut, info = plant.step(action)
            row = (observation, action, np.float32(reward), terminated, cut, info["is_success"])
            for name, value in zip(names, row, strict=True):
                rows[name].append(value)
            observation, ended = following, terminated or cut
    return rows


if __name__ == "__main__":
    with h5py.File(sys.argv[3], "w") as file:
        for name, values in fly(sys.argv[1], int(sys.argv[2])).items():
            file[name] = np.array(values)
