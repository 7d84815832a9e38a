# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Records as rows: what a planner scores over seeds, and by how much two differ, paired episode by episode.

A seed is one training, on data of its own where the suite is fresh, so what varies between two users' runs
varies between seeds. Episodes of one net do not: an interval over them would say how well that net is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdp_edge.base.statistics import interval95
from kdp_edge.bench.records import Key, Record, Results
from kdp_edge.bench.suite import NOMINAL, TWINS
from kdp_edge.bench.suite_planners import OURS
from kdp_edge.tasks.perturbed import PERTURBATIONS

FEWEST = 3  # seeds of an interval: Student's t of two is 12.7 times their deviation


@dataclass(frozen=True)
class OverSeeds:
    """A quantity of every seed: its mean, its range, and the 95 % interval of the mean (Student's t)."""

    seeds: tuple[int, ...]
    mean: float
    low: float
    high: float
    interval: tuple[float, float] | None  # None for fewer than `FEWEST` seeds

    @classmethod
    def of(cls, values: Mapping[int, float]) -> OverSeeds:
        each = [values[seed] for seed in sorted(values)]
        interval = interval95(each) if len(each) >= FEWEST else None
        return cls(tuple(sorted(values)), float(np.mean(each)), min(each), max(each), interval)

    def to_json(self, name: str) -> dict[str, Any]:
        """As fields of a row: `name`_mean, `name`_ci95 and `name`_range."""
        ci95 = None if self.interval is None else [round(value, 2) for value in self.interval]
        return {
            f"{name}_mean": round(self.mean, 2),
            f"{name}_ci95": ci95,
            f"{name}_range": [round(self.low, 2), round(self.high, 2)],
        }


class Measured:
    """Records by what they are asked for."""

    def __init__(self, records: Mapping[Key, Record]) -> None:
        self._seeds: dict[tuple[str, str, str], dict[int, Record]] = {}
        self.impossible: dict[tuple[str, str], str] = {}  # why, by task and plant
        for (task, seed, planner, plant), record in records.items():
            if "impossible" in record:
                self.impossible[task, plant] = str(record["impossible"])
            if record["scores"]:
                self._seeds.setdefault((task, planner, plant), {})[seed] = record

    @property
    def tasks(self) -> list[str]:
        """In the order of the tasks' own list."""
        found = {task for task, _, _ in self._seeds}
        return [*(task for task in TWINS if task in found), *sorted(found - set(TWINS))]

    @property
    def planners(self) -> list[str]:
        """The product's own first, then its rivals, each in alphabetical order of what it is called."""
        found = {planner for _, planner, _ in self._seeds}
        return [*(name for name in OURS if name in found), *sorted(found - set(OURS), key=_by_number)]

    @property
    def plants(self) -> list[str]:
        """Perturbed ones, in the order of the perturbations' own list."""
        found = {plant for _, _, plant in self._seeds}
        return [plant for plant in PERTURBATIONS if plant in found]

    def of(self, task: str, planner: str, plant: str = NOMINAL) -> dict[int, Record]:
        """By seed; empty where nothing was measured."""
        return self._seeds.get((task, planner, plant), {})

    def score(self, task: str, planner: str, plant: str = NOMINAL) -> OverSeeds | None:
        found = self.of(task, planner, plant)
        means = {seed: float(np.mean(record["scores"])) for seed, record in found.items()}
        return OverSeeds.of(means) if means else None

    def worst(self, task: str, planner: str) -> OverSeeds | None:
        """The score on each seed's own worst plant, of seeds that were played on all of the task's plants."""
        found = self._worst(task, planner)
        return OverSeeds.of(found) if found else None

    def less_worst(self, task: str, other: str) -> OverSeeds | None:
        """KDP on its worst plant less `other` on its own, on their common seeds."""
        own, theirs = self._worst(task, "kdp"), self._worst(task, other)
        common = {seed: own[seed] - theirs[seed] for seed in own if seed in theirs}
        return OverSeeds.of(common) if common else None

    def _worst(self, task: str, planner: str) -> dict[int, float]:
        plants = [plant for plant in self.plants if self.of(task, "kdp", plant)]
        every = [self.of(task, planner, plant) for plant in (NOMINAL, *plants)]
        complete = set(every[0]).intersection(*every) if plants else set()
        return {seed: min(float(np.mean(found[seed]["scores"])) for found in every) for seed in complete}

    def less(self, task: str, own: tuple[str, str], other: tuple[str, str]) -> OverSeeds | None:
        """`own` less `other`, each a planner and a plant, on the same seeds and episodes."""
        ours, theirs = self.of(task, *own), self.of(task, *other)
        differences = {
            seed: float(np.subtract(ours[seed]["scores"], theirs[seed]["scores"]).mean())
            for seed in ours
            if seed in theirs and len(ours[seed]["scores"]) == len(theirs[seed]["scores"])
        }
        return OverSeeds.of(differences) if differences else None

    def best_rival(self, task: str, plant: str = NOMINAL) -> str | None:
        """The planner of others that scores best on the task's plant, in its best setting."""
        scored = {name: found for name in self.rivals if (found := self.score(task, name, plant)) is not None}
        return max(scored, key=lambda name: scored[name].mean, default=None)

    @property
    def rivals(self) -> list[str]:
        return [name for name in self.planners if name not in OURS]

    def less_best_rival(self, task: str, plant: str = NOMINAL) -> OverSeeds | None:
        """KDP less it, on their common seeds."""
        rival = self.best_rival(task, plant)
        return self.less(task, ("kdp", plant), (rival, plant)) if rival else None

    def candidates(self, task: str) -> list[int]:
        """K of the deployed KDP; several where the seeds' data asked for different ones."""
        return sorted({record["k"] for record in self.of(task, "kdp").values()})

    def gives_back(self, task: str, plant: str = NOMINAL) -> OverSeeds | None:
        """What ranking is worth on a plant: KDP with candidates less its plan of latent 0.

        With as many as are deployed, or where that is one, as many as the slowest board ranks.
        """
        ranked = "kdp-ranked" if self.candidates(task) == [1] else "kdp"
        return self.less(task, (ranked, plant), ("kdp-plan", plant))


def _by_number(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("-")
    return (stem, -int(number)) if number.isdigit() else (name, 0)


def rows(results: Results) -> list[dict[str, Any]]:
    """One row per task, plant and planner, over all seeds that have been measured."""
    found = Measured(results.records)
    every = [
        _row(found, results.times, task, planner, plant)
        for task in found.tasks
        for plant in (NOMINAL, *found.plants)
        for planner in found.planners
    ]
    return [row for row in every if row is not None]


def _row(
    found: Measured, times: Mapping[str, Any], task: str, planner: str, plant: str
) -> dict[str, Any] | None:
    score, records = found.score(task, planner, plant), found.of(task, planner, plant)
    if score is None:
        return None
    each = [records[seed] for seed in score.seeds]
    ahead = None if planner == "kdp" else found.less(task, ("kdp", plant), (planner, plant))
    change = None if plant == NOMINAL else found.less(task, (planner, plant), (planner, NOMINAL))
    timed = times.get(task, {}).get("planners", {}).get(planner, {}) if plant == NOMINAL else {}
    spreads = [record["spread_ratio"] for record in each if record.get("spread_ratio") is not None]
    return {
        "task": task,
        "planner": planner,
        "plant": plant,
        "data": each[0]["data"].get("origin"),
        "seeds": list(score.seeds),
        "episodes": sum(len(record["scores"]) for record in each),
        **score.to_json("score"),
        **(ahead.to_json("kdp_ahead") if ahead else {}),
        **(change.to_json("change") if change else {}),
        "behaviour_score": round(float(np.mean([record["behaviour_score"] for record in each])), 2),
        "spread_ratio": round(float(np.mean(spreads)), 3) if spreads else None,
        "latency_ms_p50": timed.get("latency_ms_p50"),
        "latency_ms_p99": timed.get("latency_ms_p99"),
        "k": sorted({record["k"] for record in each}),
        "data_sha256": [record["data"]["sha256"] for record in each],
        "git": commits(each),
        "trained_s": [record["trained"]["wall_s"] for record in each],
    }


def commits(records: Iterable[Record], when: Sequence[str] = ("trained", "scored")) -> list[str]:
    """What trained or scored them, each once."""
    return sorted({record[what]["git"] or "unknown" for record in records for what in when})
