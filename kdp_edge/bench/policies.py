# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Imported policies: what their integers return where float returns so much, on the same episodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdp_edge.base.progress import Progress, silent
from kdp_edge.base.statistics import rounded95
from kdp_edge.play.evaluate import FIRST_SEED, play_episodes
from kdp_edge.play.integer_check import BatchPlanner
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run

GOAL = 0.01  # of the float return


def measure(run: Run, episodes: int, progress: Progress = silent) -> dict[str, Any]:
    """One row: returns of float and integers, and the paired difference in per cent of float's mean.

    `within` says whether the mean difference is at most a per cent below float; `difference_ci95` says how
    much of it episodes decide.
    """
    planner, seeds = planner_of(run), range(FIRST_SEED, FIRST_SEED + episodes)
    floating = play_episodes(run, seeds, progress=progress).returns
    integer = play_episodes(run, seeds, BatchPlanner(planner, run.task().robot), progress=progress).returns
    percent = 100 * (integer - floating) / abs(float(floating.mean()))
    imported = run.provenance.get("imported", {})
    return {
        "task": run.config.task,
        "file": imported.get("file"),
        "kind": imported.get("kind"),
        "shape": imported.get("shape"),
        "macs": planner.macs,
        "episodes": episodes,
        "float_return": round(float(floating.mean()), 2),
        "integer_return": round(float(integer.mean()), 2),
        "difference_percent": round(float(percent.mean()), 2),
        "difference_ci95": rounded95(percent),
        "float_std": round(float(np.std(floating, ddof=1)), 2) if episodes > 1 else None,
        "within": bool(percent.mean() >= -100 * GOAL),
        "model_sha256": planner.model_sha256(),
    }
