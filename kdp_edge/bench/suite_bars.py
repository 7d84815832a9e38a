# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Bars of the one recipe: how much of the rows it keeps that were turned by hand, task by task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdp_edge.base.files import read_json
from kdp_edge.bench.suite_rows import Measured

HAND_TURNED = "local-twins.json"  # rows of seeds 0 to 2, K = 16, settings chosen per twin by playing
EACH, TOGETHER = 0.97, 1.0


@dataclass(frozen=True)
class Bars:
    """Hand-turned scores by task, and what KDP's score is of them where it was measured."""

    hand_turned: dict[str, float]
    shares: dict[str, float]
    measured: dict[str, float]

    @property
    def together(self) -> float:
        """The measured tasks' scores summed, as a share of their hand-turned ones'."""
        return sum(self.measured.values()) / sum(self.hand_turned[task] for task in self.measured)

    @property
    def below(self) -> dict[str, float]:
        return {task: share for task, share in self.shares.items() if share < EACH}

    @property
    def met(self) -> bool:
        """Whether every twin was measured and both bars hold."""
        return len(self.shares) == len(self.hand_turned) and not self.below and self.together >= TOGETHER

    def lines(self) -> list[str]:
        """The bars in words; none where nothing can be compared."""
        if not self.shares:
            return []
        count, every = len(self.shares), len(self.hand_turned)
        short = ", ".join(f"{task} {share:.1%}" for task, share in self.below.items())
        missing = ", ".join(task for task in self.hand_turned if task not in self.shares)
        return [
            f"{count - len(self.below)} of {count} twins are at {EACH:.0%} of their hand-turned row or above"
            + (f"; below it: {short}." if short else "."),
            f"Together they score {self.together:.1%} of the hand-turned rows (sum of scores; the mean of "
            f"the shares is {np.mean(list(self.shares.values())):.1%}); the bar is {TOGETHER:.0%}.",
            *([f"{every - count} of {every} not measured: {missing}."] if missing else []),
        ]


def bars_of(found: Measured, results: Path) -> Bars:
    """Compare with the hand-turned rows in the folder `results`; nothing to compare where it has none."""
    file = results / HAND_TURNED
    rows = read_json(file) if file.is_file() else []
    known = {row["task"]: float(row["score_mean"]) for row in rows if row.get("planner") == "kdp"}
    own = {task: score.mean for task in known if (score := found.score(task, "kdp")) is not None}
    return Bars(known, {task: mean / known[task] for task, mean in own.items()}, own)
