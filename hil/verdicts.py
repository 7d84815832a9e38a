# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The two verdicts of a run, in words: is the device what was predicted, and is what it plays good enough?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdp_edge.hil.result import BEHAVIOUR, DEVICE, FAILED, NOT_JUDGED, PASSED, Gate, Report, Verdict


@dataclass(frozen=True)
class Expectation:
    """What the mean return of a device is held against."""

    least: float | None  # None: not judged
    source: str  # what `least` is, or why there is none
    point: float  # return that a point of score is worth


def device_verdict(gates: Sequence[Gate]) -> Verdict:
    """Passed when no gate failed; deadlines that cannot be judged are named."""
    names = [gate.name for gate in gates]
    failed = [gate.name for gate in gates if gate.passed is False]
    untimed = [
        gate.name.partition(" ")[2]
        for gate in gates
        if gate.passed is None and gate.name.startswith("deadline_misses")
    ]
    if failed:
        return Verdict(DEVICE, FAILED, f"a device is not as predicted: {', '.join(failed)}", names)
    says = "every reply as predicted, link kept"
    timed = [gate for gate in gates if gate.name.startswith("deadline_misses") and gate.passed]
    says += ", every plan in time" if timed else ""
    says += f"; deadline not judged on {', '.join(untimed)}" if untimed else ""
    return Verdict(DEVICE, PASSED if gates else NOT_JUDGED, says, names)


def behaviour_verdict(gates: Sequence[Gate], expected: Expectation) -> Verdict:
    """Failed when a gate failed, passed when every device's return was judged."""
    names = [gate.name for gate in gates]
    failed = [gate.name for gate in gates if gate.passed is False]
    if failed:
        return Verdict(BEHAVIOUR, FAILED, f"it does not reach what it must: {', '.join(failed)}", names)
    returns = [gate for gate in gates if gate.name.startswith("return_mean")]
    if not returns or any(gate.passed is None for gate in returns):
        return Verdict(BEHAVIOUR, NOT_JUDGED, expected.source, names)
    says = f"mean return on every device at least {expected.least:g}, {expected.source}"
    return Verdict(BEHAVIOUR, PASSED, says, names)


def may_i(report: Report) -> str:
    """One sentence that answers: may I flash this on my robot?"""
    outcomes = {verdict.name: verdict.outcome for verdict in report.verdicts}
    failed = len(report.failed)
    boards = [name for name in report.answering if report.kind(name) in ("serial", "agent")]
    if failed:
        return f"No: {failed} gate{'s' if failed != 1 else ''} failed."
    if outcomes.get(BEHAVIOUR) != PASSED:
        return "Not yet: nothing here says that what it plays is good enough."
    if not boards:
        return (
            "Not yet: no board took part, only this computer and what it emulates; flash a board that drives "
            "nothing and play this again with --device serial:PORT."
        )
    return (
        f"Carefully: {' and '.join(boards)} answered as predicted and in time, and played at least as well "
        "as the data, in simulation; the robot took no part. Begin with the fail-safe, the limits and an "
        "emergency stop in place."
    )
