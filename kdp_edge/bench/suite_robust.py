# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The suite's robustness table: KDP, the data's best policy and the best rival on every plant."""

from __future__ import annotations

from kdp_edge.bench.suite import NOMINAL
from kdp_edge.bench.suite_cells import best_rival, difference, number, score, table, word
from kdp_edge.bench.suite_rows import Measured

SHOWN = ("kdp", "int8", "behaviour")  # with what they lose; all others stand in the rivals' tables
LEFT = 5.0  # points below nominal that a plant may cost, on every seed


def robustness_table(found: Measured) -> str:
    """Scores per task and plant, each with its difference to nominal; "-" where a plant cannot be had."""
    if not found.plants:
        return "Not measured."
    head = [cell for name in SHOWN for cell in (word(name), "less nominal")]
    lines = [["task", "plant", *head, "KDP's worst seed", "best rival there", "KDP less it"]]
    for task in found.tasks:
        for plant in found.plants:
            if any(found.of(task, name, plant) for name in SHOWN):
                lines.append([task, plant, *_cells(found, task, plant)])
    return "\n\n".join([table(lines), _verdict(found), *_impossible(found)])


def _cells(found: Measured, task: str, plant: str) -> list[str]:
    cells = []
    for name in SHOWN:
        less = found.less(task, (name, plant), (name, NOMINAL))
        cells += [score(found.score(task, name, plant)), difference(less)]
    worst = found.less(task, ("kdp", plant), ("kdp", NOMINAL))
    ahead = difference(found.less_best_rival(task, plant))
    return [*cells, number(worst.low if worst else None), best_rival(found, task, plant), ahead]


def _impossible(found: Measured) -> list[str]:
    """Which plants cannot be had where, and why one of them cannot."""
    tasks: dict[str, list[str]] = {}
    for task, plant in found.impossible:
        tasks.setdefault(plant, []).append(task)
    return [
        f"Not to be had: {plant} on {', '.join(those)} ({found.impossible[those[0], plant]})."
        for plant, those in tasks.items()
    ]


def _verdict(found: Measured) -> str:
    """How often KDP keeps within `LEFT` points of nominal on every seed, and above the data's best policy."""
    kept = above = count = judged = ahead = met = 0
    for task in found.tasks:
        for plant in found.plants:
            less = found.less(task, ("kdp", plant), ("kdp", NOMINAL))
            rival = found.less(task, ("kdp", plant), ("behaviour", plant))
            count, kept = count + (less is not None), kept + (less is not None and less.low >= -LEFT)
            judged, above = judged + (rival is not None), above + (rival is not None and rival.mean >= 0)
            other = found.less_best_rival(task, plant)
            met, ahead = met + (other is not None), ahead + (other is not None and other.mean >= 0)
    return (
        f"*Less nominal*: the same nets on the same episodes. KDP stays within {LEFT:g} points of nominal on "
        f"every seed in {kept} of {count} rows, and scores at least what the data's best policy does in "
        f"{above} of {judged}. Against the best rival there its mean is at or above in {ahead} of {met}."
    )
