# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""How much slower a device may get before the robot falls, found with the twin in simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from kdp_edge.base.progress import Progress, silent
from kdp_edge.base.statistics import compare
from kdp_edge.hil.curves.twin_play import TwinEpisode, play_twin
from kdp_edge.hil.pace.timing import DEVICE, Timing
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import Task

MOST_PERIODS = 4  # beyond which nobody asks
EPISODES = 5  # at most: this is a quick look


@dataclass(frozen=True)
class Tolerance:
    """What was tried, slowest last, and what held. Times in ms, of a whole answer unless said otherwise."""

    device: str
    plan_ms: float | None  # the slowest plan as it is; None: no device's clock took part
    link_ms: float
    deadline_ms: float
    holds_ms: float | None  # the slowest answer that held; None: not even the first
    fails_ms: float | None  # the fastest that did not; None: every one held
    why: str  # of the failure: "the robot falls" or "its return drops"
    late: bool  # whether it failed since its plans missed the deadline
    episodes: int
    tried: list[list[float]] = field(default_factory=list)  # ms of an answer, mean return, share ended early

    @property
    def says(self) -> str:
        """In one sentence."""
        where = f"({self.episodes} episodes of the twin in simulation)"
        if self.plan_ms is None:
            return self._without_a_clock(where)
        now = f"{self.device} plans in {self.plan_ms:.3g} ms at most"
        if self.holds_ms is None:
            return f"{now}, which is too slow already: {self.why} {where}."
        times = (self.holds_ms - self.link_ms) / self.plan_ms
        if self.fails_ms is None:
            return (
                f"{now} and may get {times:.2g} times slower, and more: nothing tried made it fail {where}."
            )
        beyond = f"beyond its deadline of {self.deadline_ms:.3g} ms" if self.late else "beyond that"
        return (
            f"{now} and may get {times:.2g} times slower, {self.holds_ms - self.link_ms:.3g} ms a plan; "
            f"{beyond} {self.why} {where}."
        )

    def _without_a_clock(self, where: str) -> str:
        if self.holds_ms is None:
            return f"Not even {self.fails_ms:.3g} ms of latency is bearable: {self.why} {where}."
        if self.fails_ms is None:
            return f"An action may come {self.holds_ms:.3g} ms late, and later: nothing tried failed {where}."
        return (
            f"An action may come {self.holds_ms:.3g} ms late; at {self.fails_ms:.3g} ms {self.why} {where}."
        )


def tolerance(
    scenario: Scenario,
    planner: IntegerPlanner,
    device: str,
    plan_seconds: float | None,
    progress: Progress = silent,
) -> Tolerance:
    """Slow the device down, sub-step by sub-step of the plant, until the robot falls.

    Args:
        scenario: its seeds (the first `EPISODES`), steps and link.
        plan_seconds: the slowest plan as it is; None where no device's clock took part: then the link
            is slowed down, which no fail-safe on the device sees.
    """
    spec = planner.spec
    seeds = scenario.seeds[:EPISODES]
    link = (scenario.timing.link_us or 0.0) * 1e-6
    plain = replace(scenario, seeds=seeds, faults=(), timing=Timing(DEVICE))
    usual = play_twin(plain, planner, 0.0)
    holds: float | None = None
    made = Tolerance(
        device, None if plan_seconds is None else 1e3 * plan_seconds, 1e3 * link, spec.deadline_us / 1e3,
        None, None, "", False, len(seeds),
    )  # fmt: skip
    for tried, answer in enumerate(_answers(scenario, planner, plan_seconds, link)):
        if plan_seconds is None:
            own, timing = 0.0, Timing(DEVICE, answer * 1e6)
        else:
            own, timing = answer - link, Timing(DEVICE, link * 1e6)
        found = play_twin(replace(plain, timing=timing), planner, own)
        ended = sum(one.ended for one in found) / len(found)
        made.tried.append([1e3 * answer, float(np.mean([one.episode_return for one in found])), ended])
        why = failure(found, usual, scenario.plant)
        if why is not None:
            late = own * 1e6 > spec.deadline_us
            return replace(made, holds_ms=holds, fails_ms=1e3 * answer, why=why, late=late)
        holds = 1e3 * answer
        progress(tried + 1)
    return replace(made, holds_ms=holds)


def failure(found: list[TwinEpisode], usual: list[TwinEpisode], task: Task) -> str | None:
    """Why episodes are worse than those without latency, if they are."""
    if sum(one.ended for one in found) > sum(one.ended for one in usual):
        return "the robot falls"
    ours, theirs = ([one.episode_return for one in episodes] for episodes in (found, usual))
    if not compare(ours, theirs, task.point).passed:
        return "its return drops"
    return None


def _answers(
    scenario: Scenario, planner: IntegerPlanner, plan_seconds: float | None, link: float
) -> Iterator[float]:
    """Seconds of a whole answer: as it is, then each sub-step more, and just beyond the deadline."""
    spec = planner.spec
    plant = scenario.open_plant()
    try:
        one = 1 / spec.rate_hz / plant.substeps
    finally:
        plant.close()
    deadline = link + spec.deadline_us * 1e-6
    first = one if plan_seconds is None else plan_seconds + link
    yield first
    step = math.floor(first / one + 1e-9) + 1
    while step * one <= MOST_PERIODS / spec.rate_hz + 1e-9:
        answer = step * one
        if plan_seconds is not None and answer > deadline + 1e-9:
            yield deadline * 1.01  # late: from here on the fail-safe decides
            return
        yield answer
        step += 1
