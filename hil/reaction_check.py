# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Whether what must follow from a fault was seen in time, each time that the fault was at work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from kdp_edge.hil.faults import KINDS, Fault
from kdp_edge.hil.reactions import AFTER, EACH, Reaction
from kdp_edge.hil.scenario import Recording, Scenario, Step
from kdp_edge.quantization.plan import PlanSpec


@dataclass(frozen=True)
class Reacted:
    """How often one reaction to one fault was due on a device, and how often it came in time.

    It is not due where its time limit had not passed when the fault or the episode ended, nor where another
    fault of sensor or device was at work as well.
    """

    says: str
    limit: str  # in words
    within: int  # steps
    due: int
    seen: int
    slowest: int | None  # steps, of those that were seen

    @property
    def passed(self) -> bool:
        """Whether it never came late."""
        return self.seen == self.due


@dataclass(frozen=True)
class _Occurrence:
    """Steps of one episode in which a fault was at work, one after the other, and those that follow."""

    faulty: list[Step]
    after: list[Step]  # to the end of the episode, or until the next fault of sensor or device


def judge(fault: Fault, scenario: Scenario, recording: Recording, spec: PlanSpec) -> list[Reacted]:
    """What was seen of each reaction to `fault` on one device."""
    found = list(_occurrences(fault, scenario, recording))
    return [_judged(reaction, found, spec) for reaction in KINDS[fault.name].reactions]


def _judged(reaction: Reaction, occurrences: Sequence[_Occurrence], spec: PlanSpec) -> Reacted:
    within = reaction.steps(spec)
    waits: list[int | None] = []  # steps until it was seen; None: it was due and was not
    for one in occurrences:
        if reaction.when == EACH:
            waits += [1 if reaction.seen(step) else None for step in one.faulty]
            continue
        steps = one.after if reaction.when == AFTER else one.faulty
        wait = next((i for i, step in enumerate(steps[:within], 1) if reaction.seen(step)), None)
        if wait is not None or len(steps) >= within:
            waits.append(wait)
    seen = [wait for wait in waits if wait is not None]
    return Reacted(reaction.says, reaction.limit, within, len(waits), len(seen), max(seen) if seen else None)


def _occurrences(fault: Fault, scenario: Scenario, recording: Recording) -> Iterator[_Occurrence]:
    steps = recording.steps
    if not recording.exact:  # its arithmetic is its own: that it answers at all is what can be asked
        steps = [replace(step, matched=True) for step in steps]
    rows = _rows(fault, recording)
    alone = [_alone(fault, scenario, step) for step in steps]
    for run in _runs(sorted(rows), steps):
        first, last = run[0], run[-1] + 1
        faulty = [steps[i] for i in run if alone[i]]
        if len(faulty) < len(run):
            continue
        after = []
        for i in range(last, len(steps)):
            if steps[i].seed != steps[first].seed or steps[i].step == 0 or not alone[i]:
                break
            after.append(steps[i])
        yield _Occurrence(faulty, after)


def _rows(fault: Fault, recording: Recording) -> set[int]:
    """Indices of the steps in which a fault was at work."""
    if fault.place == "link":
        rows = {row for name, row in recording.marks if name == fault.name}
        return {row for row in rows if row < len(recording.steps)}
    drawn = fault.name == "intermittent"
    return {
        i
        for i, step in enumerate(recording.steps)
        if fault.active(step.step) and (not drawn or fault.name in step.fault.split("+"))
    }


def _alone(fault: Fault, scenario: Scenario, step: Step) -> bool:
    """Whether no other fault that a device sees was at work in this step."""
    others = [
        one
        for one in scenario.faults
        if one is not fault and (one.place in ("sensor", "device") or one.name == "silence")
    ]
    return not any(
        one.active(step.step) and (one.name != "intermittent" or one.name in step.fault.split("+"))
        for one in others
    )


def _runs(rows: list[int], steps: Sequence[Step]) -> Iterator[list[int]]:
    """`rows` in stretches without a gap, each of one episode."""
    starts = 0
    keyed = []
    for at, row in enumerate(rows):
        if at and (row != rows[at - 1] + 1 or steps[row].step == 0):
            starts += 1
        keyed.append((starts, row))
    for _, stretch in groupby(keyed, key=lambda pair: pair[0]):
        yield [row for _, row in stretch]
