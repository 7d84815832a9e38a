# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What bounds an action on the device: how far it may change in a step, what a stop plays, and when.

The data say how fast the robot's actuators were moved; whoever owns the robot may say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.tasks import Task

RATE_FACTOR = 1.5  # of the largest change that the data show: a plan may be a little quicker than they were
LEAST_RATE = 0.01  # of the range: an actuator that the data never move must still reach the safe action
SAFE_SECONDS = 0.1  # without a plan made in time before the stop is latched
SILENT_STEPS = 2  # periods without a control step before the device plays by its own clock


@dataclass(frozen=True)
class Limits:
    """Of one policy; arrays float32 [act_dim] in the task's action units."""

    low: np.ndarray
    high: np.ndarray
    rate: np.ndarray  # largest change between two control steps
    safe_action: np.ndarray
    safe_steps: int
    silent_steps: int


@dataclass(frozen=True)
class Wishes:
    """What the owner of a robot asks for; what is left out follows from the data.

    `max_change` and `safe_action` hold `VALUE` for all actuators or `NAME=VALUE` for one, in action units.
    """

    max_change: Sequence[str] = ()
    safe_action: Sequence[str] = ()
    safe_steps: int | None = None
    silent_steps: int | None = None


def limits_of(task: Task, change: np.ndarray | None, wishes: Wishes) -> Limits:
    """The limits of a policy.

    Args:
        change: how far actions change between two steps of the data, float32 [act_dim] (`Run.action_change`);
            None where that is not known: then the rate is the whole range.

    Raises:
        KdpError: a wish for an actuator that there is not, or with a value that no limit can have.
    """
    low, high = (np.broadcast_to(np.float32(v), task.act_dim) for v in (task.act_low, task.act_high))
    span = high - low
    rate = span if change is None else np.clip(RATE_FACTOR * change, LEAST_RATE * span, span)
    rate = _with(wishes.max_change, rate, task, "--max-change")
    safe = _with(wishes.safe_action, np.clip(np.zeros(task.act_dim), low, high), task, "--safe-action")
    for i, name in enumerate(task.act_names):
        if not rate[i] > 0:
            raise KdpError(f"--max-change {name}={rate[i]:g}: expected more than 0")
        if not low[i] <= safe[i] <= high[i]:
            raise KdpError(f"--safe-action {name}={safe[i]:g}: expected {low[i]:g} to {high[i]:g}")
    return Limits(
        low,
        high,
        np.minimum(rate, span),
        safe,
        _count(wishes.safe_steps, max(1, round(SAFE_SECONDS * task.rate_hz)), 0, 2**32 - 1, "--safe-steps"),
        _count(wishes.silent_steps, SILENT_STEPS, 1, 2**16 - 1, "--silent-steps"),
    )


def _with(wishes: Sequence[str], values: np.ndarray, task: Task, option: str) -> np.ndarray:
    """`values` with those replaced that are wished otherwise."""
    values = np.array(values, np.float32)
    for wish in wishes:
        name, equals, text = wish.rpartition("=")
        if equals and name not in task.act_names:
            raise unknown("actuator", name, task.act_names)
        try:
            value = np.float32(text) if abs(float(text)) <= np.finfo(np.float32).max else np.float32("nan")
        except ValueError:
            value = np.float32("nan")
        if not np.isfinite(value):
            raise KdpError(f"{option} {wish}: '{text}' is no number; write VALUE, or NAME=VALUE")
        values[task.act_names.index(name) if equals else slice(None)] = value + np.float32(0)  # -0.0 is 0
    return values


def _count(wish: int | None, otherwise: int, least: int, most: int, option: str) -> int:
    if wish is not None and not least <= wish <= most:
        raise KdpError(f"{option} {wish}: expected {least} to {most}")
    return otherwise if wish is None else wish
