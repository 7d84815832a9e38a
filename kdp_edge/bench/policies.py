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
FALLEN = 0.8  # of the median float return: an episode below it lost its gait


def measure(run: Run, episodes: int, progress: Progress = silent) -> dict[str, Any]:
    """One row: returns of float and integers, and the paired difference in per cent of float's mean.

    `within` says whether the mean difference is at most a per cent below float; `difference_ci95` says how
    much of it episodes decide. A gait that is lost now and then, in float as well, decides most of it: so
    `fallen` counts these episodes, and `median_percent` is the difference without them.
    """
    planner, seeds = planner_of(run), range(FIRST_SEED, FIRST_SEED + episodes)
    floating = play_episodes(run, seeds, progress=progress).returns
    batch, half_way = BatchPlanner(planner, run.task().robot), run.task().max_episode_steps
    integer = play_episodes(run, seeds, batch, progress=lambda done: progress(half_way + done)).returns
    percent = 100 * (integer - floating) / abs(float(floating.mean()))
    fallen = [int((returns < FALLEN * np.median(floating)).sum()) for returns in (floating, integer)]
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
        "median_percent": round(float(np.median(percent)), 2),
        "fallen": {"float": fallen[0], "integer": fallen[1]},
        "float_std": round(float(np.std(floating, ddof=1)), 2) if episodes > 1 else None,
        "within": bool(percent.mean() >= -100 * GOAL),
        "model_sha256": planner.model_sha256(),
    }
