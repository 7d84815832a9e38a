# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a suite's tables say in sentences: against the best rival, of int8, of ranking; all counted."""

from __future__ import annotations

from collections.abc import Callable

from kdp_edge.bench.suite import NOMINAL
from kdp_edge.bench.suite_rows import Measured, OverSeeds

LOST = 1.0  # points that int8 may lose


def against_rivals(found: Measured) -> list[str]:
    """On how many tasks KDP's mean is at or above the best rival's, and how sure that is over seeds."""
    all_of = _by_task(found, found.less_best_rival)
    if not all_of:
        return []
    behind = {task: one for task, one in all_of.items() if one.mean < 0}
    unsure = [task for task, one in all_of.items() if not (one.interval and one.interval[0] >= 0)]
    return [
        f"Against the best rival in the best of its settings KDP's mean is at or above on "
        f"{len(all_of) - len(behind)} of {len(all_of)} tasks"
        + (f"; behind: {_listed(behind)}" if behind else "")
        + f". The interval over seeds does not reach below 0 on {len(all_of) - len(unsure)}."
    ]


def on_the_worst_plant(found: Measured) -> list[str]:
    """On how many tasks KDP's worst plant leaves as much as that of whoever of the rivals keeps most."""

    def less(task: str) -> OverSeeds | None:
        kept = {name: one.mean for name in found.rivals if (one := found.worst(task, name))}
        return found.less_worst(task, max(kept, key=lambda name: kept[name])) if kept else None

    all_of = _by_task(found, less)
    if not all_of:
        return []
    behind = {task: one for task, one in all_of.items() if one.mean < 0}
    kept = f"On the worst of its plants KDP keeps as much as the best rival on {len(all_of) - len(behind)}"
    return [f"{kept} of {len(all_of)} tasks" + (f"; not on {_listed(behind)}." if behind else ".")]


def of_integers(found: Measured) -> list[str]:
    """Where int8 loses more than `LOST` points to float."""
    all_of = _by_task(found, lambda task: found.less(task, ("int8", NOMINAL), ("kdp", NOMINAL)))
    worse = {task: one for task, one in all_of.items() if one.mean < -LOST}
    if not all_of:
        return []
    tuned = [
        f"{task} seed {seed}"
        for task in all_of
        for seed, record in found.of(task, "int8").items()
        if record.get("tuned")
    ]
    kept = f"int8 is within {LOST:g} point of float on {len(all_of) - len(worse)} of {len(all_of)} tasks"
    rest = f"; not on {_listed(worse)}." if worse else "."
    improved = f" Plain integers lost and were fine-tuned: {', '.join(tuned)}." if tuned else ""
    return [kept + rest + improved]


def of_ranking(found: Measured) -> list[str]:
    """Where candidates are deployed and pay, where they do not, and where one is deployed."""
    gains = _by_task(found, found.gives_back)
    if not gains:
        return []
    alone = [task for task in gains if found.candidates(task) == [1]]
    ranked = {task: gain for task, gain in gains.items() if task not in alone}
    pays = [task for task, gain in ranked.items() if gain.interval and gain.interval[0] > 0]
    rest = {task: gain for task, gain in ranked.items() if task not in pays}
    sentence = f"Ranking pays, with the interval over seeds above 0, on {len(pays)} of {len(gains)} tasks"
    if rest:
        sentence += f"; candidates are deployed without that on {_listed(rest)}"
    if alone:
        sentence += f"; one candidate is deployed on {', '.join(alone)}"
    return [sentence + "."]


def _by_task(found: Measured, of: Callable[[str], OverSeeds | None]) -> dict[str, OverSeeds]:
    every = {task: of(task) for task in found.tasks}
    return {task: one for task, one in every.items() if one is not None}


def _listed(found: dict[str, OverSeeds]) -> str:
    return ", ".join(f"{task} ({one.mean:+.1f})" for task, one in found.items())
