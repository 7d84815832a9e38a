# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The side-by-side table of a report, as text cells: the same rows on the terminal and in the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kdp_edge.hil.result import DeviceResult, Gate, Played, Report
from kdp_edge.hil.worst_case import worst_case

NOTHING = "-"
Entry = Played
BOTH, BRIEF, FULL = "both", "brief", "full"  # where a row appears


@dataclass(frozen=True)
class TableRow:
    """One row: a label, what it means, one cell per device."""

    label: str
    hint: str
    cells: list[str]


@dataclass(frozen=True)
class Section:
    """Rows under one heading."""

    title: str
    rows: list[TableRow]


def sections(report: Report, brief: bool = False) -> list[Section]:
    """The table of a report, one cell per device in order; `brief` is what fits a terminal."""
    result = []
    for title, rows in _ROWS.items():
        made = [
            TableRow(label, hint, [_cell(cell, entry) for entry in report.devices.values()])
            for label, hint, cell, where in rows
            if where in (BOTH, BRIEF if brief else FULL)
        ]
        # a row that no device can fill says nothing
        made = [row for row in made if set(row.cells) != {NOTHING}]
        if made:
            result.append(Section(title, made))
    return result


def shown(value: Any) -> str:
    """A gate's value as text."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def failure(gate: Gate) -> str:
    """A gate that failed, in words."""
    return f"{gate.name}: {shown(gate.value)}, expected {gate.limit}"


def failures_of(report: Report, device: str) -> str:
    """The gates of a device that failed, in words; empty where none did."""
    return "; ".join(failure(gate) for gate in report.failed if gate.name.partition(" ")[2] == device)


def _cell(cell: Callable[[Entry], str | None], entry: Entry) -> str:
    try:
        return cell(entry) or NOTHING
    except (AttributeError, TypeError):
        return NOTHING  # a value that this device does not have


def _number(name: str, digits: int = 0) -> Callable[[Entry], str]:
    return lambda entry: f"{getattr(entry, name):,.{digits}f}"


def _count(name: str) -> Callable[[Entry], str]:
    return lambda entry: f"{getattr(entry, name):,d}"


def _return(entry: Entry) -> str | None:
    if entry.return_mean is None:
        return None
    width = ""
    if entry.return_ci95 is not None:
        low, high = entry.return_ci95
        width = f" ±{(high - low) / 2:,.1f}"
    return f"{entry.return_mean:,.1f}{width}"


def _interval(entry: Entry) -> str | None:
    if entry.return_ci95 is None:
        return None
    low, high = entry.return_ci95
    return f"{low:,.1f} … {high:,.1f}"


def _success(entry: Entry) -> str | None:
    if entry.success_rate is None or entry.success_ci95 is None:
        return None
    low, high = entry.success_ci95
    return f"{entry.success_rate:.0%} ({low:.0%} … {high:.0%})"


_SHORT = {"instructions": "instr."}


def _device_time(part: str) -> Callable[[Entry], str | None]:
    def cell(entry: Entry) -> str | None:
        if not isinstance(entry, DeviceResult) or entry.device_time is None:
            return None
        time = entry.device_time
        return f"{getattr(time, part):,.0f} {_SHORT.get(time.unit, time.unit)}"

    return cell


def _worst_case(entry: Entry) -> str | None:
    found = worst_case(entry) if isinstance(entry, DeviceResult) else None
    return None if found is None else found.brief


def _part(name: str, part: str) -> Callable[[Entry], str]:
    return lambda entry: f"{getattr(getattr(entry, name), part):,.2f}"


def _kilobytes(name: str) -> Callable[[Entry], str]:
    return lambda entry: f"{getattr(entry, name) / 1024:,.1f} KiB"


def _yes(name: str) -> Callable[[Entry], str]:
    return lambda entry: "yes" if getattr(entry, name) else "no"


def _wall_clock(entry: Entry) -> str | None:
    """Left out where a run is the same report whenever it is made (pace device)."""
    return f"{entry.wall_seconds:,.1f}" if entry.wall_seconds else None


def _share(name: str) -> Callable[[Entry], str]:
    return lambda entry: f"{100 * getattr(entry, name):,.0f} %"


def _difference(entry: Entry) -> str | None:
    if not isinstance(entry, DeviceResult) or entry.float_difference is None:
        return None
    return f"{entry.float_difference:+,.1f}"


def _difference_interval(entry: Entry) -> str | None:
    if not isinstance(entry, DeviceResult) or entry.float_difference_ci95 is None:
        return None
    low, high = entry.float_difference_ci95
    return f"{low:+,.1f} … {high:+,.1f}"


def _link(entry: Entry) -> str | None:
    if not isinstance(entry, DeviceResult):
        return None
    return f"{entry.link.retries} / {entry.link.crc_errors} / {entry.link.lost}"


_ROWS: dict[str, list[tuple[str, str, Callable[[Entry], str | None], str]]] = {
    "Behaviour": [
        ("episodes", "played to their end", _count("episodes"), BOTH),
        ("steps", "control steps, all episodes", _count("steps"), FULL),
        ("return", "mean and its 95 % interval", _return, BRIEF),
        ("return, mean", "", _number("return_mean", 1), FULL),
        ("95 % interval", "of the mean over episodes, Student's t", _interval, FULL),
        ("return minus float's", "same seeds", _difference, FULL),
        ("95 % interval of that", "paired", _difference_interval, FULL),
        ("score", "D4RL-normalised: 0 random, 100 expert", _number("score_mean", 1), BOTH),
        ("success", "of the episodes, as the plant says; Wilson's 95 % interval", _success, BOTH),
        ("gap to the data, median", "to the recorded action", _number("recorded_gap_p50", 4), BOTH),
        ("gap to the data, 95 %", "", _number("recorded_gap_p95", 4), BOTH),
        ("action gap, max", "to the float policy's choice, same input", _number("action_gap_max", 4), BOTH),
        ("action gap, median", "", _number("action_gap_p50", 4), FULL),
        (
            "gap of the same candidate, max",
            "what int8 arithmetic alone does",
            _number("action_gap_same_candidate_max", 4),
            FULL,
        ),
        (
            "gap of the same candidate, median",
            "",
            _number("action_gap_same_candidate_p50", 4),
            FULL,
        ),
    ],
    "Equality": [
        ("replies", "to STEP and TICK", _count("replies"), BOTH),
        (
            "mismatched replies",
            "every byte but the time, against the twin",
            _count("mismatched_replies"),
            BOTH,
        ),
    ],
    "Safety": [
        (
            "deadline misses",
            "plan late by its core's clock, or no observation",
            _count("deadline_misses"),
            BOTH,
        ),
        ("fallback steps", "replayed, safe or latched", _count("fallback_steps"), BOTH),
        ("restarted", "by a fault or the watchdog", _yes("restarted"), FULL),
        ("limited steps", "range or rate limit changed the action", _count("limited_steps"), FULL),
    ],
    "Time": [
        ("plan, p50", "by the device's own clock", _device_time("p50"), BOTH),
        ("plan, p99", "", _device_time("p99"), FULL),
        ("plan, max", "", _device_time("max"), BOTH),
        ("plan, worst case", "emulated: no plan takes more, whatever it plans", _worst_case, BOTH),
        ("plan, max, in ms", "emulated: an instruction a cycle", _part("device_ms", "max"), BOTH),
        ("plan, max, of the deadline", "", _share("deadline_share"), BOTH),
        ("round trip p50, ms", "wall-clock, warm-up apart", _part("rtt_ms", "p50"), BOTH),
        ("round trip p95, ms", "", _part("rtt_ms", "p95"), FULL),
        ("round trip p99, ms", "", _part("rtt_ms", "p99"), BOTH),
        ("round trip max, ms", "", _part("rtt_ms", "max"), FULL),
        ("round trips beyond a period", "the simulation waits", _count("late_round_trips"), FULL),
        ("slowest of the warm-up, ms", "first steps of the run", _part("warm_up", "rtt_ms_max"), FULL),
        ("bare link p50, ms", "ECHO of the same size", _part("echo_ms", "p50"), FULL),
        ("bare link p99, ms", "", _part("echo_ms", "p99"), FULL),
        ("wall-clock, s", "whole run", _wall_clock, FULL),
    ],
    "Footprint": [
        ("flash", "whole image", _kilobytes("flash_bytes"), BOTH),
        ("RAM", "static and stack", _kilobytes("ram_bytes"), BOTH),
        ("stack high water", "measured", _count("stack_high_water_bytes"), BOTH),
    ],
    "Link": [("retries / CRC errors / lost", "as the host saw it", _link, FULL)],
}
