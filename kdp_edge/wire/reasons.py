# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What goes into a control step and why its action is what it is, in words of the robot's own signals."""

from __future__ import annotations

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.wire.numbers import Flag, State


def checked_observation(spec: PlanSpec, observation: np.ndarray) -> np.ndarray:
    """A copy as float32 [obs_dim]; raises `KdpError` for another shape, or what are no numbers.

    Numbers that are not finite or out of range pass: those the fail-safe answers.
    """
    try:
        given = np.asarray(observation)
        if given.dtype.kind not in "buif":
            raise TypeError(f"its elements are {given.dtype.name}")
        with np.errstate(over="ignore"):  # becomes infinity, which is out of range
            values = np.array(given, np.float32)
    except (TypeError, ValueError) as error:
        raise KdpError(f"observation is not an array of {spec.obs_dim} numbers: {error}") from None
    if values.shape != (spec.obs_dim,):
        raise KdpError(
            f"observation has shape {values.shape}, expected ({spec.obs_dim},): {', '.join(spec.obs_names)}"
        )
    return values


def reason(
    spec: PlanSpec, state: int, flags: int, observation: np.ndarray | None, plan_us: float, silent: int
) -> str:
    """One line that says why an action is not of a plan made in time; empty when it is.

    Args:
        observation: of the step; None when none came.
        plan_us: microseconds that the step's plan took.
        silent: steps before it that the device decided by its own clock.
    """
    causes = [f"nobody called for {silent} step{'s' if silent > 1 else ''}"] if silent else []
    if flags & Flag.BAD_OBSERVATION and observation is not None:
        causes.append(_bad_signal(spec, observation))
    if flags & Flag.MISSED:
        causes.append("no observation came")
    if flags & Flag.OVERRUN:
        causes.append(f"the plan took {plan_us:.0f} us, the deadline is {spec.deadline_us} us")
    if state == State.LATCHED:
        causes.append("the stop is latched until arm() and reset()")
    if state == State.IDLE:
        causes.append("reset() comes first")
    return "; ".join(causes)


def _bad_signal(spec: PlanSpec, values: np.ndarray) -> str:
    """The first signal that is not finite or out of its accepted range."""
    low, high = np.asarray(spec.obs_low, np.float32), np.asarray(spec.obs_high, np.float32)
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    if not len(wrong):
        return "the observation was refused"  # by a device that accepts less than the policy here
    i = int(wrong[0])
    unit = "" if spec.obs_units[i] == "1" else f" {spec.obs_units[i]}"
    return f"{spec.obs_names[i]} is {values[i]:g}{unit}, accepted {low[i]:g} to {high[i]:g}"
