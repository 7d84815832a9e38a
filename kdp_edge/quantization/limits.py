# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What bounds an action on the device: how far it may change in a step, what a stop plays, and when.

The data say how fast the robot's actuators were moved; whoever owns the robot may say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.tasks import Robot
from kdp_edge.tasks.robot import HOLD, Observation
from kdp_edge.tasks.safe_actions import finite, named_wishes, safe_wishes

RATE_FACTOR = 1.5  # of the largest change that the data show: a plan may be a little quicker than they were
LEAST_RATE = 0.01  # of the range: an actuator that the data never move must still reach the safe action
SAFE_SECONDS = 0.1  # without a plan made in time before the stop is latched
SILENT_STEPS = 2  # periods without a control step before the device plays by its own clock


@dataclass(frozen=True)
class Limits:
    """Of one policy; arrays [act_dim], float32 in the actions' units."""

    low: np.ndarray
    high: np.ndarray
    rate: np.ndarray  # largest change between two control steps
    safe_action: np.ndarray
    safe_hold: np.ndarray  # bool: a stop plays the value played last
    safe_steps: int
    silent_steps: int
    deadline_us: int
    observations: tuple[Observation, ...]
    ahead: bool = False  # the next plan is made while a chunk plays

    @property
    def middle(self) -> np.ndarray:
        """Of each range, float32."""
        middle: np.ndarray = (self.high + self.low) / 2
        return middle

    @property
    def half(self) -> np.ndarray:
        """Of each range's width, float32: the value of a share."""
        half: np.ndarray = (self.high - self.low) / 2
        return half

    def declared(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Accepted ranges of observations with those that the robot file declares, float32 [obs] each."""
        for i, one in enumerate(self.observations):
            low[i] = low[i] if one.low is None else one.low
            high[i] = high[i] if one.high is None else one.high
        return low, high


@dataclass(frozen=True)
class Wishes:
    """What is asked of a deployment; what is left out follows from the run, the robot file and the data.

    `max_change` and `safe_action` hold `VALUE` for all actuators or `NAME=VALUE` for one, in action units; a
    safe action may be `hold`.
    """

    max_change: Sequence[str] = ()
    safe_action: Sequence[str] = ()
    safe_steps: int | None = None
    silent_steps: int | None = None
    deadline_ms: float | None = None
    k: int | None = None
    margin: float | None = None
    chunk: int | None = None
    ahead: bool = False

    def settings(self) -> dict[str, Any]:
        """Those of a run's settings that can be chosen anew without training."""
        chosen = {"k": self.k, "margin": self.margin, "chunk": self.chunk}
        return {name: value for name, value in chosen.items() if value is not None}


def limits_of(robot: Robot, change: np.ndarray | None, wishes: Wishes) -> Limits:
    """The limits of a policy.

    Args:
        change: how far actions change between two steps of the data, as shares of half their ranges, float32
            [act_dim] (`Run.action_change`); None where that is not known: then the rate is the whole range.

    Raises:
        KdpError: a wish for an actuator that there is not, or with a value that no limit can have.
    """
    names = tuple(action.name for action in robot.actions)
    span = robot.high - robot.low
    share = np.full(len(names), 2.0) if change is None else np.clip(RATE_FACTOR * change, 2 * LEAST_RATE, 2.0)
    declared = [action.max_change for action in robot.actions]
    rate = np.array(
        [s if d is None else d for s, d in zip(share * span / 2, declared, strict=True)], np.float32
    )
    for name, wish in named_wishes(wishes.max_change, names, _change).items():
        rate[names.index(name)] = wish
    for i, name in enumerate(names):
        if not rate[i] > 0:
            raise KdpError(f"--max-change {name}={rate[i]:g}: expected more than 0")
    value, hold = _safe(robot, names, wishes)
    safety = robot.safety
    steps = wishes.safe_steps if wishes.safe_steps is not None else safety.steps_before_stop
    silent = wishes.silent_steps if wishes.silent_steps is not None else safety.silent_steps
    deadline = wishes.deadline_ms if wishes.deadline_ms is not None else safety.deadline_ms
    return Limits(
        robot.low,
        robot.high,
        np.minimum(rate, span),
        value,
        hold,
        _count(steps, max(1, round(SAFE_SECONDS * robot.rate_hz)), 0, 2**32 - 1, "steps before the stop"),
        _count(silent, SILENT_STEPS, 1, 2**16 - 1, "silent steps"),
        _deadline(deadline, robot.rate_hz),
        robot.observations,
        wishes.ahead,
    )


def _safe(robot: Robot, names: tuple[str, ...], wishes: Wishes) -> tuple[np.ndarray, np.ndarray]:
    """Safe action float32 [act] and where it is the value played last, bool [act]."""
    wished = safe_wishes(wishes.safe_action, names)
    value, hold = np.clip(np.zeros(len(names), np.float32), robot.low, robot.high), np.zeros(len(names), bool)
    for i, action in enumerate(robot.actions):
        safe = wished.get(action.name, action.safe)
        hold[i] = safe == HOLD
        if isinstance(safe, int | float):
            if not action.low <= safe <= action.high:
                raise KdpError(
                    f"--safe-action {action.name}={safe:g}: expected {action.low:g} to {action.high:g}"
                )
            value[i] = np.float32(safe) + np.float32(0)  # -0.0 is 0
    return value, hold


def _deadline(milliseconds: float | None, rate_hz: float) -> int:
    """Of a plan, in microseconds; a control period where nothing is asked."""
    if milliseconds is None:
        return int(1e6 / rate_hz)
    if not 1e-3 <= milliseconds <= (2**32 - 1) / 1000:
        raise KdpError(f"--deadline-ms {milliseconds:g}: expected 0.001 to 4,294,967")
    return round(1000 * milliseconds)


def _change(text: str, wish: str) -> float:
    value = finite(text)
    if value is None:
        raise KdpError(f"--max-change {wish}: '{text}' is no number; write VALUE, or NAME=VALUE")
    return value


def _count(wish: int | None, otherwise: int, least: int, most: int, option: str) -> int:
    if wish is not None and not least <= wish <= most:
        raise KdpError(f"{option} is {wish}, expected {least} to {most}")
    return otherwise if wish is None else wish
