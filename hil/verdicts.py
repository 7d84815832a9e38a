"""The two verdicts of a run, in words: is the device what was predicted, and is what it plays good enough?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdp_edge.hil.result import BEHAVIOUR, DEVICE, FAILED, NOT_JUDGED, PASSED, Gate, Verdict


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
    untimed = [gate.name.partition(" ")[2] for gate in gates if gate.passed is None]
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


def may_i(device: Verdict, behaviour: Verdict) -> str:
    """One sentence that answers: may I flash this on my robot?"""
    if FAILED in (device.outcome, behaviour.outcome):
        return "Do not put this on a robot: a gate failed."
    if behaviour.outcome == NOT_JUDGED:
        return (
            "Not yet: the device does what was predicted, but nothing says that what it plays is good enough."
        )
    if "every plan in time" not in device.says:
        return (
            "Not yet: bytes and behaviour are right, but no deadline was judged; play it on the board first."
        )
    return (
        "In this simulation the device does what was predicted, in time, and plays at least as well as its "
        "data; a robot's own limits, safe action and stop remain its owner's to check."
    )
