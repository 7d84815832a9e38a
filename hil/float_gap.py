# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How far a device's actions are from those of the float policy, for the same observations and latents."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kdp_edge.hil.scenario import Step
from kdp_edge.quantization.float_planner import FloatPlan
from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.wire.protocol import StepReply
from kdp_edge.wire.twin import NO_PLAN, limit_action


@dataclass
class FloatGaps:
    """Steps whose gaps are not computed yet: many at once take NumPy as long as one."""

    spec: PlanSpec
    _steps: list[Step] = field(default_factory=list)
    # float32 [act_dim] each: played, float's choice, float's of the same candidate, played before
    _actions: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    def add(self, step: Step, got: StepReply, plan: FloatPlan | None, previous: np.ndarray) -> None:
        """A step whose plan in float is `plan`; its rate limit goes on from `previous`."""
        spec = self.spec
        if plan is None or got.age == NO_PLAN or got.candidate >= spec.k or got.age >= spec.horizon:
            return
        chosen, same = plan.actions[plan.best, got.age], plan.actions[got.candidate, got.age]
        self._steps.append(step)
        self._actions.append((got.action, chosen, same, previous))

    def fill(self) -> None:
        """Write the gaps into their steps."""
        if not self._steps:
            return
        played, chosen, same, previous = (np.stack(part) for part in zip(*self._actions, strict=True))
        limited, of_same = (limit_action(self.spec, one, previous) for one in (chosen, same))
        gaps, same_gaps = (np.abs(played - one).max(1).tolist() for one in (limited, of_same))
        for step, action, gap, same_gap in zip(self._steps, limited.tolist(), gaps, same_gaps, strict=True):
            step.float_action, step.action_gap, step.same_candidate_gap = tuple(action), gap, same_gap
        self._steps, self._actions = [], []
