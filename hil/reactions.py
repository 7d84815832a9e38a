# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What must follow from a fault, and within how many control steps.

Held against what a device answered, whatever the twin predicted: a twin that is wrong together with the
device is found here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kdp_edge.quantization.plan import PlanSpec
from kdp_edge.wire.numbers import Flag, State


class Answered(Protocol):
    """What a reaction is read from: one control step of a device."""

    @property
    def state(self) -> int | None:
        """Of the fail-safe."""

    @property
    def flags(self) -> int:
        """Of the reply."""

    @property
    def matched(self) -> bool:
        """Whether the reply is the predicted one."""


@dataclass(frozen=True)
class Reaction:
    """One thing that must be seen.

    `when` says in which steps: EACH faulty one; ONCE, in one of the first `within` steps of the fault; or
    AFTER, in one of the first `within` steps that follow it.
    """

    says: str
    seen: Callable[[Answered], bool]
    when: str
    within: tuple[str | int, ...] = (1,)  # steps, counted from 1: a sum of numbers and of the plan's fields

    def steps(self, spec: PlanSpec) -> int:
        """The time limit for one policy."""
        return sum(int(getattr(spec, term)) if isinstance(term, str) else term for term in self.within)

    @property
    def limit(self) -> str:
        """The time limit in words."""
        if self.when == EACH:
            return "in the same step"
        total = " + ".join(str(term) for term in self.within)
        steps = f"{total} step{'' if total == '1' else 's'}"
        return f"within {steps}{' after it' if self.when == AFTER else ''}"

    def __str__(self) -> str:
        return f"{self.says} ({self.limit})"


EACH, ONCE, AFTER = "each", "once", "after"


def _latched(step: Answered) -> bool:
    return step.state == State.LATCHED


def _no_fresh_plan(flag: Flag) -> Callable[[Answered], bool]:
    """Flagged, and nothing new played; a latch that is there already needs no flag."""
    return lambda step: _latched(step) or (bool(step.flags & flag) and step.state != State.RUNNING)


def _refused_or_running(step: Answered) -> bool:
    return bool(step.flags & Flag.BAD_OBSERVATION) != (step.state == State.RUNNING) or _latched(step)


def _late(step: Answered) -> bool:
    if not step.flags & Flag.PLANNED:
        return True  # the chunk of an earlier plan goes on
    if step.flags & Flag.AHEAD and not step.flags & Flag.OVERRUN:
        return True  # made in the step before, when nothing was wrong
    return bool(step.flags & Flag.OVERRUN) and step.state != State.RUNNING


def _runs(step: Answered) -> bool:
    return step.state == State.RUNNING or _latched(step)


ANSWERED = Reaction("the predicted reply, once", lambda step: step.matched, EACH)
MISSED = Reaction("flag MISSED, nothing new is played", _no_fresh_plan(Flag.MISSED), EACH)
REFUSED = Reaction("flag BAD_OBSERVATION, nothing new is played", _no_fresh_plan(Flag.BAD_OBSERVATION), EACH)
STOPS = Reaction(
    "SAFE: the safe action", lambda step: step.state == State.SAFE or _latched(step), ONCE, ("horizon",)
)
LATCHED = Reaction("LATCHED", _latched, ONCE, ("horizon", "safe_steps"))
LATE = Reaction("flag OVERRUN with each plan, which is not played", _late, EACH)
LATCHED_BY_LATENESS = Reaction("LATCHED", _latched, ONCE, ("chunk", "safe_steps", 1))
RUNS_AGAIN = Reaction("RUNNING again, unless latched", _runs, AFTER)
IN_TIME_AGAIN = Reaction("RUNNING again, unless latched", _runs, AFTER, (1, "ahead"))
OLD = Reaction("none, it cannot know: RUNNING on what arrived", _runs, EACH)
TAKEN_OR_REFUSED = Reaction(
    "RUNNING on what arrived, or flag BAD_OBSERVATION beyond the policy's range", _refused_or_running, EACH
)
RESUMED = Reaction(
    "the predicted reply to the next request, the silent steps counted in", lambda step: step.matched, AFTER
)
RESTARTED = Reaction(
    "NOT_READY until RESET, then a new plan",
    lambda step: bool(step.flags & Flag.PLANNED) and step.state == State.RUNNING,
    EACH,
)
NOT_TOLD = Reaction(
    "none of the device's, it is not told: the predicted reply; behaviour is judged apart",
    lambda step: step.matched,
    EACH,
)
