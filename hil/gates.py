"""Gates: what must hold for a run to pass, each with its limit and the value found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.summary import device_times

FAR_LIMIT = 0.05  # share of replies; see `summary.FAR`


@dataclass(frozen=True)
class Gate:
    """One condition; `limit` is a text such as "== 0" or ">= 1000"."""

    name: str
    limit: str
    value: Any
    passed: bool


def standard_gates(devices: dict[str, dict[str, Any]], least_return: float | None = None) -> list[Gate]:
    """The gates of every run.

    Args:
        devices: entries of report.json by device, `float` among them or not.
        least_return: for each device's mean return, if wanted.
    """
    gates = []
    for name, entry in devices.items():
        if "replies" in entry:
            gates += _reply_gates(name, entry)
            gates += _reference_gate(name, entry, devices.get("reference"))
            if least_return is not None:
                mean = entry["return_mean"]
                passed = mean is not None and mean >= least_return
                gates.append(Gate(f"return_mean {name}", f">= {least_return:g}", mean, passed))
    return gates


def _reply_gates(name: str, entry: dict[str, Any]) -> list[Gate]:
    mismatched, missed = entry["mismatched_replies"], entry["deadline_misses"]
    gates = [
        Gate(f"replies {name}", "> 0", entry["replies"], entry["replies"] > 0),
        Gate(f"mismatched_replies {name}", "== 0", mismatched, mismatched == 0)
        if entry["exact"]
        else _nearness_gate(name, entry["far_share"]),
        Gate(f"link {name}", "not lost", entry["lost"] or "not lost", entry["lost"] is None),
    ]
    return [*gates, Gate(f"deadline_misses {name}", "== 0", missed, missed == 0)]


def _nearness_gate(name: str, share: float | None) -> Gate:
    """For runtimes with arithmetic of their own: few actions may be far from the predicted ones."""
    passed = share is not None and share <= FAR_LIMIT
    return Gate(f"far_actions {name}", f"<= {FAR_LIMIT:g} of the replies", share, passed)


def _reference_gate(name: str, entry: dict[str, Any], reference: dict[str, Any] | None) -> list[Gate]:
    if reference is None or name == "reference" or not entry["exact"] or entry["lost"] is not None:
        return []
    # bytes that agree make the same episodes, unless a late plan put a device on its fail-safe
    if entry["deadline_misses"] or reference["deadline_misses"]:
        return []
    same = entry["returns"] == reference["returns"]
    return [Gate(f"returns {name}", "== reference's", "equal" if same else entry["returns"], same)]


def fault_gates(scenario: Scenario, devices: dict[str, dict[str, Any]]) -> list[Gate]:
    """Each fault that was asked for must really have been played on each device."""
    gates = []
    for name, entry in devices.items():
        for fault in scenario.faults if "replies" in entry else ():
            count = entry["faults_injected"].get(fault.name, 0)
            gates.append(Gate(f"fault_{fault.name} {name}", "> 0 played", count, count > 0))
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
