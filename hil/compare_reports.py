# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What changed from one report to another: verdicts and gates first, then cell by cell, noise left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdp_edge.base.statistics import interval95
from kdp_edge.hil.result import FAILED, PASSED, Played, Report
from kdp_edge.hil.table import NOTHING, sections

BETTER, WORSE = "better", "worse"
ABSENT = "absent"  # a gate that the other report does not have
# rows of the table in which more is better; in those of `_NEUTRAL` neither is, in all others less is
_MORE = ("episodes", "return, mean", "score", "return minus float's")
_NEUTRAL = ("steps", "replies", "95 % interval", "95 % interval of that", "limited steps")
# measured by this computer's clock: other programs move them
_WALL_CLOCK = ("round trip", "round trips", "slowest of", "bare link", "wall-clock")
_NOISE = 0.5  # share by which such a figure must move


def changes(first: Report, second: Report) -> list[dict[str, str]]:
    """Rows {"device", "what", "before", "after", "change", "verdict"}; `verdict` is better, worse or empty.

    Verdicts and gates that turned come first, from passed to failed before all others; then the cells that
    differ, of devices in both reports. A device that the second report does not have is a row of its own.
    Figures by this computer's clock count when they moved by half, returns when they moved by more than
    the episodes' own spread explains.
    """
    turned = sorted(_verdicts(first, second) + _gates(first, second), key=_urgency)
    return turned + _figures(first, second)


def _urgency(row: dict[str, str]) -> int:
    """0: passed before and fails now; 1: fails now; 2: is worse in another way; 3: is better, or new."""
    if row["after"] == FAILED:
        return 0 if row["before"] == PASSED else 1
    return 2 if row["verdict"] == WORSE else 3


def _verdicts(first: Report, second: Report) -> list[dict[str, str]]:
    before = {verdict.name: verdict.outcome for verdict in first.verdicts}
    after = {verdict.name: verdict.outcome for verdict in second.verdicts}
    return [
        _turned("", f"verdict: {name}", before[name], outcome)
        for name, outcome in after.items()
        if before.get(name, outcome) != outcome
    ]


def _gates(first: Report, second: Report) -> list[dict[str, str]]:
    before = {gate.name: gate.outcome for gate in first.gates}
    after = {gate.name: gate.outcome for gate in second.gates}
    both = first.devices.keys() & second.devices.keys()
    rows = []
    for full_name in before | after:
        name, _, device = full_name.partition(" ")
        outcomes = before.get(full_name, ABSENT), after.get(full_name, ABSENT)
        if outcomes[0] != outcomes[1] and (ABSENT not in outcomes or device in both):
            rows.append(_turned(device, f"gate: {name}", *outcomes))
    return rows + [_gone(device) for device in first.devices if device not in second.devices]


def _gone(device: str) -> dict[str, str]:
    return _turned(device, "device", "played", ABSENT) | {"verdict": WORSE}


def _turned(device: str, what: str, before: str, after: str) -> dict[str, str]:
    verdict = WORSE if after == FAILED or before == PASSED else "" if ABSENT in (before, after) else BETTER
    change = f"{before} → {after}"
    return {
        "device": device, "what": what, "before": before, "after": after, "change": change,
        "verdict": verdict,
    }  # fmt: skip


def _figures(first: Report, second: Report) -> list[dict[str, str]]:
    before, after = _cells(first), _cells(second)
    rows = []
    for device in second.devices:
        if device not in before:
            continue
        same_returns = _within_noise(first.devices[device], second.devices[device])
        for what, new in after[device].items():
            old = before[device].get(what, NOTHING)
            if old == new or _is_noise(what, old, new, same_returns):
                continue
            rows.append(
                {"device": device, "what": what, "before": old, "after": new, "change": _ratio(old, new),
                 "verdict": _better(what, old, new)}
            )  # fmt: skip
    return rows


def _is_noise(what: str, old: str, new: str, same_returns: bool) -> bool:
    if what in ("return, mean", "95 % interval", "score"):
        return same_returns
    if what.startswith(_WALL_CLOCK):
        a, b = _value(old), _value(new)
        return a is not None and b is not None and abs(b - a) <= _NOISE * abs(a)
    return False


def _within_noise(before: Played, after: Played) -> bool:
    """Whether the returns differ by no more than their spread explains (95 %)."""
    a, b = np.asarray(before.returns), np.asarray(after.returns)
    if len(a) < 2 or len(b) < 2:
        return False
    if len(a) == len(b):  # the same seeds, most often: pairs
        low, high = _interval(b - a)
        return low <= 0 <= high
    half = 2 * float(np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))
    return abs(float(b.mean() - a.mean())) <= half


def _interval(values: np.ndarray) -> Sequence[float]:
    return interval95(values) or (-np.inf, np.inf)


def _better(what: str, old: str, new: str) -> str:
    a, b = _value(old), _value(new)
    if what in _NEUTRAL or a is None or b is None or a == b:
        return ""
    return BETTER if (b > a) == (what in _MORE) else WORSE


def _cells(report: Report) -> dict[str, dict[str, str]]:
    cells: dict[str, dict[str, str]] = {name: {} for name in report.devices}
    for section in sections(report):
        for row in section.rows:
            for name, cell in zip(cells, row.cells, strict=True):
                cells[name][row.label] = cell
    return cells


def _value(cell: str) -> float | None:
    """The first number of a cell."""
    try:
        return float(cell.split()[0].replace(",", ""))
    except (ValueError, IndexError):
        return None


def _ratio(old: str, new: str) -> str:
    """Change of the first number in two cells, in per cent."""
    a, b = _value(old), _value(new)
    return f"{100 * (b - a) / a:+.1f} %" if a and b is not None else ""
