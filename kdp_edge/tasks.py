"""The task registry: environment, signals with units, control rate, reference scores, data recipe."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from kdp_edge.errors import KdpError


@dataclass(frozen=True)
class Part:
    """One behaviour policy of a data set and its share of the steps."""

    policy: str  # path under kdp_edge/data/policies, without .npz
    fraction: float


@dataclass(frozen=True)
class Task:
    """What a planner, a data set and a device must agree on.

    Observations and actions are listed in the order of the environment's vectors. Scores are
    D4RL-normalised: 100 * (return - ref_min) / (ref_max - ref_min).
    """

    name: str
    env_id: str
    obs_names: tuple[str, ...]
    obs_units: tuple[str, ...]
    act_names: tuple[str, ...]
    act_units: tuple[str, ...]
    act_low: float
    act_high: float
    rate_hz: float  # control steps per second: 1 / env.dt
    max_episode_steps: int
    ref_min: float
    ref_max: float
    recipe: tuple[Part, ...]
    default_steps: int  # transitions of the data set, all parts together

    @property
    def obs_dim(self) -> int:
        return len(self.obs_names)

    @property
    def act_dim(self) -> int:
        return len(self.act_names)

    def score(self, episode_return: float) -> float:
        """D4RL-normalised score of a return (or of a mean of returns)."""
        return 100.0 * (episode_return - self.ref_min) / (self.ref_max - self.ref_min)


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


LEVELS = ("medium", "medium-replay", "medium-expert")
TASKS: dict[str, Task] = {f"{body}-{level}": _locomotion(body, level) for body in _BODIES for level in LEVELS}


def get_task(name: str) -> Task:
    """The task called `name`; raises `KdpError` with close matches and all names."""
    if name in TASKS:
        return TASKS[name]
    close = difflib.get_close_matches(name, TASKS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise KdpError(f"unknown task '{name}': {hint}known tasks: {', '.join(TASKS)}")
