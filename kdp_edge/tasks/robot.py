# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The robot file: the one place where a robot is declared; see docs/your-robot.md.

[robot]           name, rate_hz
[plant]           gymnasium (module:id), mjcf (a MuJoCo model), or nothing; max_episode_steps; meanwhile
                  of a model: sensors, actuators, keyframe, position_noise, velocity_noise
[[plant.target]]  signal, low, high: a step earns 1 where all targets hold; the episode has then succeeded
[[plant.end]]     signal, low, high: outside of them an episode ends
[[observation]]   name, unit, low, high
[[action]]        name, unit, low, high, safe, max_change
[safety]          steps_before_stop, silent_steps, deadline_ms
[score]           low, high, success
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.base.typed import typed
from kdp_edge.tasks.mjcf import Model, read_model

ROBOT_FILE = "robot.toml"
FLOAT32_MAX = float(np.finfo(np.float32).max)
HOLD = "hold"  # a safe action: the value played last
ZERO, SAFE = "zero", "safe"
MEANWHILE = (HOLD, ZERO, SAFE)
IS_SUCCESS = "is_success"  # the key of `info` in which a MuJoCo model says that its targets hold


@dataclass(frozen=True)
class Observation:
    """One signal; a device takes it from `low` to `high`; without them as far as the data say."""

    name: str
    unit: str = "1"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Action:
    """One actuator, in its unit."""

    name: str
    unit: str = "1"
    low: float = -1.0
    high: float = 1.0
    safe: float | str | None = None  # what a stop plays: a value, or "hold"
    max_change: float | None = None  # between two control steps; None: as the data show


@dataclass(frozen=True)
class Within:
    """A signal of the observation, from `low` to `high` of its unit; None: no bound on that side."""

    signal: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Plant:
    """What the robot is simulated by; empty: nothing. What follows `mjcf` belongs to it."""

    gymnasium: str = ""  # for gymnasium.make; "module:id" where the module registers it
    max_episode_steps: int | None = None
    meanwhile: str = HOLD  # what acts until a late action comes: the one before it, zero, or the safe actions
    mjcf: str = ""  # a model's XML, or the archive in which one travels; from the robot file's folder
    sensors: tuple[str, ...] = ()  # sensors, "qpos:JOINT" and "qvel:JOINT", in the order of the observation
    actuators: tuple[str, ...] = ()  # in the order of the actions; those that are left out stay as they are
    keyframe: str = ""  # of the model, in which episodes begin
    position_noise: float = 0.0  # of joints at the beginning, uniform to both sides, in m or rad
    velocity_noise: float = 0.0  # standard deviation, in m/s or rad/s
    target: tuple[Within, ...] = ()
    end: tuple[Within, ...] = ()


@dataclass(frozen=True)
class Safety:
    """When a device stops; None: as docs/quantization.md says."""

    steps_before_stop: int | None = None
    silent_steps: int | None = None
    deadline_ms: float | None = None


@dataclass(frozen=True)
class Score:
    """What the returns 0 and 100 are, and the key of `info` that says an episode succeeded."""

    low: float | None = None
    high: float | None = None
    success: str = ""


@dataclass(frozen=True)
class Robot:
    """A robot, as its file declares it; signals in the order of the plant's vectors."""

    name: str
    rate_hz: float
    observations: tuple[Observation, ...]
    actions: tuple[Action, ...]
    plant: Plant = Plant()
    safety: Safety = Safety()
    score: Score = Score()
    model: Model | None = None  # what `plant.mjcf` names, with its files

    @property
    def low(self) -> np.ndarray:
        """Least value of each action, float32 [act_dim]."""
        return np.array([action.low for action in self.actions], np.float32)

    @property
    def high(self) -> np.ndarray:
        """Largest value of each action, float32 [act_dim]."""
        return np.array([action.high for action in self.actions], np.float32)

    def shares(self, actions: np.ndarray) -> np.ndarray:
        """Actions in their units [..., act_dim] as shares of their ranges, -1 to 1: what the nets learn."""
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        return ((actions - middle) / half).astype(np.float32)

    def units(self, shares: np.ndarray) -> np.ndarray:
        """The inverse of `shares`."""
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        return (shares * half + middle).astype(np.float32)

    def sha256(self) -> str:
        """Hash of what the file says, whatever its comments, and of the model that it names."""
        plain = asdict(replace(self, model=None))
        if self.model is not None:
            plain["plant"]["mjcf"] = self.model.sha256()  # its name changes when it travels
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Head:
    name: str
    rate_hz: float


@dataclass(frozen=True)
class _File:
    """The tables of a robot file."""

    robot: _Head
    observation: tuple[Observation, ...]
    action: tuple[Action, ...]
    plant: Plant = field(default_factory=Plant)
    safety: Safety = field(default_factory=Safety)
    score: Score = field(default_factory=Score)


def load_robot(path: Path) -> Robot:
    """Read a robot file.

    Raises:
        KdpError: no such file, no TOML, or a key or value that no robot has: file, key, found, expected.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file; write one with: kdp-edge robot new --out {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise KdpError(f"{path}: not a robot file ({error})") from None
    file = typed(_File, content, path, "see docs/your-robot.md")
    head = file.robot
    robot = Robot(head.name, head.rate_hz, file.observation, file.action, file.plant, file.safety, file.score)
    check_robot(robot, str(path))
    if not robot.plant.mjcf:
        return robot
    model = read_model(path.parent / robot.plant.mjcf)
    return replace(robot, plant=replace(robot.plant, mjcf=model.main), model=model)


def check_robot(robot: Robot, where: str) -> None:
    """Raise `KdpError` for a value that no robot can have."""
    if not robot.name or not 1e-3 <= robot.rate_hz <= 4e6:
        raise KdpError(
            f"{where}: [robot] name '{robot.name}', rate_hz {robot.rate_hz:g}: expected a name, and "
            "a rate of 0.001 to 4,000,000 Hz"
        )
    for kind, signals in (("observation", robot.observations), ("action", robot.actions)):
        names = [signal.name for signal in signals]
        if not names or "" in names or len(set(names)) < len(names):
            raise KdpError(f"{where}: expected at least one [[{kind}]], each with a name of its own")
        for signal in signals:
            if not f"{signal.name}{signal.unit}".isprintable():
                raise KdpError(
                    f"{where}: {kind} {signal.name!r}: name and unit ({signal.unit!r}) hold letters that "
                    "cannot be printed; write others"
                )
    both: tuple[Observation | Action, ...] = (*robot.observations, *robot.actions)
    for one in both:
        _check_float32(one, f"{where}: {type(one).__name__.lower()} {one.name}")
    for signal in robot.observations:
        if signal.low is not None and signal.high is not None and not signal.low < signal.high:
            raise KdpError(
                f"{where}: observation {signal.name}: low {signal.low:g} is not below high {signal.high:g}"
            )
    for action in robot.actions:
        _check_action(action, where)
    if robot.safety.deadline_ms is not None and robot.safety.deadline_ms <= 0:
        raise KdpError(f"{where}: [safety] deadline_ms is {robot.safety.deadline_ms:g}, expected more than 0")
    score = robot.score
    if score.low is not None and score.high is not None and not score.low < score.high:
        raise KdpError(f"{where}: [score] low {score.low:g} is not below high {score.high:g}")
    _check_plant(robot, where)


def _check_plant(robot: Robot, where: str) -> None:
    plant = robot.plant
    if plant.max_episode_steps is not None and plant.max_episode_steps < 1:
        raise KdpError(f"{where}: [plant] max_episode_steps is {plant.max_episode_steps}, expected 1 or more")
    if plant.gymnasium and plant.mjcf:
        raise KdpError(f"{where}: [plant] has gymnasium and mjcf; a robot has one plant: leave one out")
    usual = Plant(plant.gymnasium, plant.max_episode_steps, plant.meanwhile, plant.mjcf)
    given = [name for name, value in vars(plant).items() if value != getattr(usual, name)]
    if given and not plant.mjcf:
        raise KdpError(f"{where}: [plant] {given[0]} is for a model of MuJoCo (mjcf); leave it out")
    for name in ("position_noise", "velocity_noise"):
        if getattr(plant, name) < 0:
            raise KdpError(f"{where}: [plant] {name} is {getattr(plant, name):g}, expected 0 or more")
    if plant.mjcf and robot.score.success not in ("", IS_SUCCESS):
        raise KdpError(
            f"{where}: [score] success is '{robot.score.success}'; a model of MuJoCo says '{IS_SUCCESS}', "
            "where all [[plant.target]] hold"
        )
    if plant.meanwhile not in MEANWHILE:
        raise KdpError(f"{where}: [plant] meanwhile is '{plant.meanwhile}', expected {', '.join(MEANWHILE)}")
    names = [one.name for one in robot.observations]
    for one in (*plant.target, *plant.end):
        if one.signal not in names:
            raise KdpError(
                f"{where}: [[plant.target]] and [[plant.end]]: {unknown('signal', one.signal, names)}"
            )
        if one.low is None and one.high is None:
            raise KdpError(
                f"{where}: [[plant.target]] and [[plant.end]]: {one.signal} has neither low nor high"
            )
        if one.low is not None and one.high is not None and not one.low < one.high:
            raise KdpError(f"{where}: {one.signal}: low {one.low:g} is not below high {one.high:g}")


def _check_float32(signal: Observation | Action, place: str) -> None:
    """A device holds its numbers, and a range's width, as float32."""
    for name, value in asdict(signal).items():
        if isinstance(value, float) and abs(value) > FLOAT32_MAX / 2:
            raise KdpError(
                f"{place}: {name} is {value:g}, expected a number that fits float32; change its unit"
            )


def _check_action(action: Action, where: str) -> None:
    place = f"{where}: action {action.name}"
    if not action.low < action.high:
        raise KdpError(f"{place}: low {action.low:g} is not below high {action.high:g}")
    if isinstance(action.safe, str) and action.safe != HOLD:
        raise KdpError(f"{place}: safe is '{action.safe}', expected a value or \"hold\"")
    if isinstance(action.safe, float) and not action.low <= action.safe <= action.high:
        raise KdpError(f"{place}: safe is {action.safe:g}, expected {action.low:g} to {action.high:g}")
    if action.max_change is not None and not action.max_change > 0:
        raise KdpError(f"{place}: max_change is {action.max_change:g}, expected more than 0")
