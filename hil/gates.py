# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Gates: what must hold for a run to pass, each with its limit and the value found.

Two questions are asked apart. *Device*: does every device do what was predicted, in time? *Behaviour*: does
what is played there reach what the data's own behaviour reaches, and the float policy?
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kdp_edge.base.statistics import compare
from kdp_edge.hil.result import DeviceResult, Gate, Played, PlayedFault
from kdp_edge.hil.scenario import Recording
from kdp_edge.hil.summary import device_times
from kdp_edge.hil.verdicts import Expectation

FAR_LIMIT = 0.05  # share of replies; see `summary.FAR`
# what keeps no time of its own: NumPy's takes whatever this computer takes, and native pretends a fixed one
TIMELESS = ("reference", "native")


def standard_gates(devices: Mapping[str, Played]) -> list[Gate]:
    """The gates of every device: bytes, link, restarts, deadline, and the same episodes as the reference."""
    gates = []
    for name, one in devices.items():
        if isinstance(one, DeviceResult):
            gates += _reply_gates(name, one)
            gates += _reference_gate(name, one, devices.get("reference"))
    return gates


def _reply_gates(name: str, one: DeviceResult) -> list[Gate]:
    mismatched = one.mismatched_replies
    return [
        Gate(f"replies {name}", "> 0", one.replies, one.replies > 0),
        Gate(f"mismatched_replies {name}", "== 0", mismatched, mismatched == 0)
        if one.exact
        else _nearness_gate(name, one.far_share),
        Gate(f"link {name}", "not lost", one.lost or "not lost", one.lost is None),
        Gate(f"restarted {name}", "not by a fault or the watchdog", _restarted(one), not one.restarted),
        _deadline_gate(name, one),
        *_round_trip_gate(name, one),
    ]


def _round_trip_gate(name: str, one: DeviceResult) -> list[Gate]:
    """What is late is judged at pace `real`; elsewhere the simulation waits, and a slow link is shown."""
    if one.host is not None:
        late, unfit = one.host.late_answers, one.host.unfit
        limit = "== 0" if unfit is None else f"not judged: {unfit}"
        return [Gate(f"late_answers {name}", limit, late, late == 0 if unfit is None else None)]
    if not one.late_round_trips:
        return []
    limit = "not judged: longer than a period, for which the simulation waited"
    return [Gate(f"late_round_trips {name}", limit, one.late_round_trips, None)]


def _restarted(one: DeviceResult) -> str:
    return "restarted" if one.restarted else "no"


def _deadline_gate(name: str, one: DeviceResult) -> Gate:
    missed = one.deadline_misses
    if one.host is not None and one.host.unfit is not None:
        return Gate(f"deadline_misses {name}", f"not judged: {one.host.unfit}", missed, None)
    if (one.address or name) in TIMELESS and not missed:
        return Gate(f"deadline_misses {name}", "not judged: it keeps no time of a device", missed, None)
    return Gate(f"deadline_misses {name}", "== 0", missed, missed == 0)


def _nearness_gate(name: str, share: float | None) -> Gate:
    """For runtimes with arithmetic of their own: few actions may be far from the predicted ones."""
    passed = share is not None and share <= FAR_LIMIT
    return Gate(f"far_actions {name}", f"<= {FAR_LIMIT:g} of the replies", share, passed)


def _reference_gate(name: str, one: DeviceResult, reference: Played | None) -> list[Gate]:
    if not isinstance(reference, DeviceResult) or name == "reference":
        return []
    if not one.exact or one.lost is not None:
        return []
    # bytes that agree make the same episodes, unless a late plan put a device on its fail-safe
    if one.states != reference.states:
        return []
    same = one.returns == reference.returns
    return [Gate(f"returns {name}", "== reference's", "equal" if same else one.returns, same)]


def behaviour_gates(devices: Mapping[str, Played], expected: Expectation) -> list[Gate]:
    """The gates of the behaviour: each device's mean return, and its difference to the float policy's."""
    gates = []
    for name, one in devices.items():
        if isinstance(one, DeviceResult):
            gates.append(_return_gate(name, one, expected))
            gates += _float_gate(name, one, devices.get("float"), expected)
    return gates


def _return_gate(name: str, one: DeviceResult, expected: Expectation) -> Gate:
    mean, least = one.return_mean, expected.least
    if least is None:
        return Gate(f"return_mean {name}", f"not judged: {expected.source}", mean, None)
    passed = mean is not None and mean >= least
    return Gate(f"return_mean {name}", f">= {least:g} ({expected.source})", mean, passed)


def _float_gate(name: str, one: DeviceResult, floating: Played | None, expected: Expectation) -> list[Gate]:
    if floating is None or one.float_difference is None or expected.least is None:
        return []
    if one.episodes < 2:
        limit = "not judged: one episode has no spread"
        return [Gate(f"against_float {name}", limit, one.float_difference, None)]
    found = compare(one.returns, floating.returns, expected.point)
    limit = f">= {-found.allowed:.6g} (the larger of 3 points and half the episodes' standard deviation)"
    return [Gate(f"against_float {name}", limit, found.difference, found.passed)]


def fault_gates(faults: Sequence[PlayedFault]) -> list[Gate]:
    """Each fault must have been played on each device, and each time what must follow came in time."""
    gates = []
    for one in faults:
        for device, count in one.played.items():
            reactions = one.reactions[device]
            late = [r for r in reactions if not r.passed]
            value = f"played {count} times" if count else "not played"
            for r in (late or reactions) if count else ():
                slowest = "" if r.slowest is None or r.within == 1 else f", slowest after {r.slowest}"
                value += f"; {r.says}: {r.seen} of {r.due}{slowest}" if r.due else f"; {r.says}: not due"
            passed = count > 0 and not late
            gates.append(Gate(f"fault_{one.name} {device}", f"played; {one.expected}", value, passed))
    return gates


def repeat_gates(first: Recording, second: Recording) -> list[Gate]:
    """Whether a second run of the same scenario gave the same episodes and, by icount, the same times."""
    returns = [[e.episode_return for e in r.episodes] for r in (first, second)]
    same = returns[0] == returns[1]
    gates = [Gate(f"repeated returns {first.device}", "identical", "identical" if same else returns, same)]
    if first.clock is not None and first.clock.source == "icount":
        times = [device_times(r) for r in (first, second)]
        # a timer slower than the core may start in another phase: one tick is no difference
        tick = first.clock.per_tick if first.clock.per_tick > 1 else 0.0
        differing = sum(abs(a - b) > math.ceil(tick) for a, b in zip(*times, strict=False))
        differing += abs(len(times[0]) - len(times[1]))
        limit = f"0 differ by more than {math.ceil(tick):g}" if tick else "0 differ"
        gates.append(Gate(f"repeated device times {first.device}", limit, int(differing), differing == 0))
    return gates
