# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The part of a plan spec that follows from task, limits and data alone, whatever net plans."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdp_edge.quantization.limits import Limits
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.tasks import Task
from kdp_edge.window import Normalizer, float32_step

OBSERVATION_SLACK = 2.0  # spans beyond the data's range before an observation is called garbage
STEPS_ACCEPTED = 16  # float32 steps: a signal that moves by less has no span of its own


def plan_spec(
    task: Task, limits: Limits, observations: np.ndarray, normalizer: Normalizer, **fields: Any
) -> PlanSpec:
    """The spec of a policy for `task`.

    Args:
        observations: raw, of the data, float32 [n, obs_dim]: what is far outside is garbage.
        normalizer: gives the unit of a signal that never moved in the data.
        fields: those of `PlanSpec` that the net decides.
    """
    low, high = limits.declared(*accepted(observations, normalizer))
    return PlanSpec(
        task=task.name,
        obs_names=list(task.obs_names),
        act_names=list(task.act_names),
        obs_units=list(task.obs_units),
        act_units=list(task.act_units),
        obs_low=floats(low),
        obs_high=floats(high),
        act_low=floats(limits.low),
        act_high=floats(limits.high),
        act_rate=floats(limits.rate),
        safe_action=floats(limits.safe_action),
        safe_hold=limits.safe_hold.tolist(),
        safe_steps=limits.safe_steps,
        silent_steps=limits.silent_steps,
        rate_hz=float(task.rate_hz),
        deadline_us=limits.deadline_us,
        ahead=limits.ahead,
        **fields,
    )


def accepted(observations: np.ndarray, normalizer: Normalizer) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest observation that is no garbage, float32 [obs] each.

    A signal that never moved in the data has no span: its range then reaches as far to each side as one
    of the normalizer's units would, and never less than a few float32 steps, or a change of the last bit
    would latch the stop.
    """
    low, high = observations.min(0), observations.max(0)
    step = STEPS_ACCEPTED * float32_step(observations)
    unit = np.maximum(normalizer.std, step).astype(np.float32)
    slack = OBSERVATION_SLACK * np.where(high - low > step, high - low, unit)
    return low - slack, high + slack


def floats(values: np.ndarray) -> list[float]:
    """float32 values as Python floats: JSON keeps them exactly."""
    return [float(v) for v in np.asarray(values, np.float32)]
