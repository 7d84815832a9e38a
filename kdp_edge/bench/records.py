# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A suite's results as one file that grows: over seeds, over days, over machines.

A record is what one planner scored with one trained run on one plant:

task, seed, planner, plant   what was played; plant is "nominal" or the name of a perturbation
scores                       of each episode; empty where the plant cannot be had, and `impossible` says why
k, margin                    of the planner, as it was played
data                         name, sha256 and origin of what it was trained on
trained, scored              commit, machine, packages, seconds

The file holds a record a line, so that two machines' additions merge as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object, write_text
from kdp_edge.bench.suite import TWINS, Suite, check_measures

FORMAT = 1
Record = dict[str, Any]
Key = tuple[str, int, str, str]  # task, seed, planner, plant
NEEDED: dict[str, Any] = {
    "task": str, "seed": int, "planner": str, "plant": str, "scores": list, "k": int, "data": dict,
    "behaviour_score": int | float, "trained": dict, "scored": dict,
}  # fmt: skip


def key_of(record: Mapping[str, Any]) -> Key:
    return record["task"], record["seed"], record["planner"], record["plant"]


@dataclass
class Results:
    """Records by their key, and planning times by task."""

    records: dict[Key, Record] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)

    def add(self, records: Iterable[Record], times: Mapping[str, Any]) -> None:
        """Take what was measured later in place of what was measured before; keep all else."""
        self.records |= {key_of(record): record for record in records}
        self.times |= times


def read_results(file: Path, suite: Suite) -> Results:
    """What the file holds so far; nothing where there is none.

    Raises:
        KdpError: it is no such file, or holds what another suite measured.
    """
    if not file.exists():
        return Results()
    found = read_object(file)
    records = found.get("records")
    if found.get("format") != FORMAT or not isinstance(records, list):
        raise KdpError(f"{file}: expected a suite's results, format {FORMAT}; choose another --name")
    check_measures(found.get("measures"), suite, file)
    for number, record in enumerate(records):
        _check(record, f"{file}: record {number}")
    times = found.get("times")
    return Results({key_of(record): record for record in records}, times if isinstance(times, dict) else {})


def _check(record: Any, where: str) -> None:
    for name, kind in NEEDED.items():
        value = record.get(name) if isinstance(record, dict) else None
        if not isinstance(value, kind):
            expected = getattr(kind, "__name__", kind)
            raise KdpError(f"{where}: {name} is {value!r}, expected {expected}; restore the file")
    if not all(isinstance(score, int | float) for score in record["scores"]):
        raise KdpError(f"{where}: scores are not all numbers; restore the file")


def write_results(file: Path, suite: Suite, results: Results) -> None:
    """Write all records, sorted by task, seed, planner and plant."""
    order = {task: number for number, task in enumerate(TWINS)}

    def place(key: Key) -> tuple[int, str, int, str, str]:
        task, seed, planner, plant = key
        return order.get(task, len(order)), task, seed, planner, plant

    lines = [_line(results.records[key]) for key in sorted(results.records, key=place)]
    head = f'"format": {FORMAT},\n"measures": {_line(suite.measures())},\n"times": {_line(results.times)}'
    write_text(file, f'{{\n{head},\n"records": [\n' + ",\n".join(lines) + "\n]\n}\n")


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
