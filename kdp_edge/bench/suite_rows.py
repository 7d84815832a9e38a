# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What the suite measured: one row per task and planner, over all seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kdp_edge.base.files import read_json
from kdp_edge.base.statistics import rounded95
from kdp_edge.bench.baselines import metrics, training_seconds
from kdp_edge.bench.suite import Suite
from kdp_edge.run import Run


def collect(suite: Suite) -> list[dict[str, Any]]:
    """One row per task and planner, over all seeds that have been measured."""
    return [
        row for task in suite.tasks for name in suite.planners if (row := _row(suite, task, name)) is not None
    ]


def _played(suite: Suite, task: str, name: str) -> dict[int, dict[str, Any]]:
    """What the planner `name` scored, by seed."""
    files = {seed: suite.place(task, seed) / f"{name}.json" for seed in suite.seeds}
    return {seed: read_json(file) for seed, file in files.items() if file.is_file()}


def _row(suite: Suite, task: str, name: str) -> dict[str, Any] | None:
    from kdp_edge.data import store

    played = _played(suite, task, name)
    if not played:
        return None
    runs = {seed: Run.load(suite.place(task, seed) / "run") for seed in played}
    scores = np.concatenate([result["scores"] for result in played.values()])
    first = next(iter(runs.values()))
    latency_file = suite.folder / task / "latency.json"
    latency = read_json(latency_file).get(name, {}) if latency_file.is_file() else {}
    spreads = [value for run in runs.values() if (value := _spread(run, name)) is not None]
    return {
        "task": task,
        "data": store.read_meta(suite.data_name(task)).get("origin", "local twin"),
        "planner": name,
        "seeds": list(played),
        "episodes": len(scores),
        "score_mean": round(float(scores.mean()), 2),
        "score_ci95": rounded95(scores),
        **_kdp_ahead(suite, task, name, played),
        "behaviour_score": first.metrics["behaviour_score"],
        "spread_ratio": round(float(np.mean(spreads)), 3) if spreads else None,
        "latency_ms_p50": latency.get("latency_ms_p50"),
        "latency_ms_p99": latency.get("latency_ms_p99"),
        "k": 1 if name in ("kdp-plan", "kdp-sample", "clone") else suite.k,
        "data_sha256": first.provenance["data"]["sha256"],
        "git": "+".join(_commits(runs.values(), played.values())),
        "wall_s": round(sum(r["wall_s"] + training_seconds(runs[s], name) for s, r in played.items()), 1),
    }


def _kdp_ahead(suite: Suite, task: str, name: str, played: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """KDP's score less this planner's on the same episodes: where these start decides much of both."""
    own = {} if name == "kdp" else _played(suite, task, "kdp")
    both = [seed for seed in played if seed in own]
    if not both:
        return {"kdp_ahead": None, "kdp_ahead_ci95": None}
    ahead = np.concatenate([np.subtract(own[seed]["scores"], played[seed]["scores"]) for seed in both])
    return {
        "kdp_ahead": round(float(ahead.mean()), 2),
        "kdp_ahead_ci95": rounded95(ahead),
    }


def _commits(runs: Iterable[Run], played: Iterable[dict[str, Any]]) -> dict[str, None]:
    """Commits that trained, then those that scored, each once."""
    both = [run.provenance["git"] for run in runs] + [result["git"] for result in played]
    return dict.fromkeys(commit or "unknown" for commit in both)


def _spread(run: Run, name: str) -> float | None:
    """Spread of the planner's candidates / spread of the matched data; None where nothing is drawn."""
    if name in ("kdp", "kdp-sample"):
        return run.metrics["spread_ratio"]
    spread: float | None = metrics(run.path)["spread_ratio"].get(name)
    return spread
