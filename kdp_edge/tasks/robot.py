# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The robot file: the one place where a robot is declared; see docs/your-robot.md.

[robot]           name, rate_hz
[plant]           gymnasium (module:id), or nothing; max_episode_steps; meanwhile
[[observation]]   name, unit, low, high
[[action]]        name, unit, low, high, safe, max_change
[safety]          steps_before_stop, silent_steps, deadline_ms
[score]           low, high, success
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.typed import typed

ROBOT_FILE = "robot.toml"
FLOAT32_MAX = float(np.finfo(np.float32).max)
HOLD = "hold"  # a safe action: the value played last
ZERO, SAFE = "zero", "safe"
MEANWHILE = (HOLD, ZERO, SAFE)


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
class Plant:
    """What the robot is simulated by; empty: nothing."""

    gymnasium: str = ""  # for gymnasium.make; "module:id" where the module registers it
    max_episode_steps: int | None = None
    meanwhile: str = HOLD  # what acts until a late action comes: the one before it, zero, or the safe actions


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
        """Hash of what the file says, whatever its comments."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


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
    return robot


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
    for signal in (*robot.observations, *robot.actions):
        _check_float32(signal, f"{where}: {type(signal).__name__.lower()} {signal.name}")
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
    if robot.plant.max_episode_steps is not None and robot.plant.max_episode_steps < 1:
        raise KdpError(
            f"{where}: [plant] max_episode_steps is {robot.plant.max_episode_steps}, expected 1 or more"
        )
    if robot.plant.meanwhile not in MEANWHILE:
        raise KdpError(
            f"{where}: [plant] meanwhile is '{robot.plant.meanwhile}', expected {', '.join(MEANWHILE)}"
        )


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
