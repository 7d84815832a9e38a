# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Hopper, HalfCheetah and Walker2d: Gymnasium's environments, D4RL's reference scores, our own twins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdp_edge.tasks.task import Part, Task

LEVELS = ("medium", "medium-replay", "medium-expert")


@dataclass(frozen=True)
class _Body:
    """The robot that several tasks share: joints in the order of the MuJoCo model, without rootx."""

    env_id: str
    joints: tuple[str, ...]  # actuated, in order
    rate_hz: float
    ref_min: float
    ref_max: float


_BODIES = {
    "hopper": _Body("Hopper-v5", ("thigh_joint", "leg_joint", "foot_joint"), 125.0, -20.272305, 3234.3),
    "halfcheetah": _Body(
        "HalfCheetah-v5",
        ("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"),
        20.0,
        -280.178953,
        12135.0,
    ),
    "walker2d": _Body(
        "Walker2d-v5",
        (
            "thigh_joint",
            "leg_joint",
            "foot_joint",
            "thigh_left_joint",
            "leg_left_joint",
            "foot_left_joint",
        ),
        125.0,
        1.629008,
        4592.3,
    ),
}

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
    robot = _BODIES[body]
    position = ("rootz", "rooty", *robot.joints)
    velocity = tuple(f"{name}_velocity" for name in ("rootx", *position))
    return Task(
        name=f"{body}-{level}",
        env_id=robot.env_id,
        obs_names=position + velocity,
        obs_units=("m",) + ("rad",) * (len(position) - 1) + ("m/s",) * 2 + ("rad/s",) * (len(velocity) - 2),
        act_names=tuple(f"{name}_torque" for name in robot.joints),
        act_units=("1",) * len(robot.joints),  # share of the actuator's gear
        act_low=-1.0,
        act_high=1.0,
        rate_hz=robot.rate_hz,
        max_episode_steps=1000,
        ref_min=robot.ref_min,
        ref_max=robot.ref_max,
        recipe=_mixture(body, level),
        default_steps=400_000,
    )


def _walker_as_d4rl(level: str) -> Task:
    """Walker2d-v5 gave both feet a friction of 1.9; v4 has 0.9 and 1.9 like the published data."""
    return replace(
        _locomotion("walker2d", level),
        name=f"walker2d-v4-{level}",
        env_id="Walker2d-v4",
        recipe=(),
        default_steps=0,
    )


LOCOMOTION = (
    *(_locomotion(body, level) for body in _BODIES for level in LEVELS),
    *(_walker_as_d4rl(level) for level in LEVELS),
)
