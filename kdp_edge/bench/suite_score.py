# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""One record of the suite: a planner's episodes on a plant; and planning times of all planners of a run."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json
from kdp_edge.base.provenance import git_commit, versions
from kdp_edge.bench.baselines import baseline_of, missing, training_seconds
from kdp_edge.bench.baselines import metrics as rivals_metrics
from kdp_edge.bench.compare import KINDS, latencies
from kdp_edge.bench.records import Record
from kdp_edge.bench.suite import NOMINAL
from kdp_edge.bench.suite_planners import candidates_of, planner_named
from kdp_edge.data import store
from kdp_edge.play.evaluate import FIRST_SEED, play_episodes
from kdp_edge.run import Run
from kdp_edge.tasks.perturbed import NOMINAL as UNCHANGED
from kdp_edge.tasks.perturbed import PERTURBATIONS, PerturbedPlant

PACKAGES = ("torch", "numpy", "mujoco", "gymnasium")
SEEDS_APART = 1000  # episodes of one training seed, from FIRST_SEED on: every seed plays others


def score(run: Run, name: str, plant: str, episodes: int, twin: Path | None = None) -> Record:
    """Play a planner.

    Args:
        run: as it is deployed (`Suite.deployed`).
        twin: record of KDP's own on this plant: taken where `name` plays the same candidates.
    """
    started = time.monotonic()
    measured = _same(run, name, twin) or _played(run, name, plant, episodes)
    return {
        "task": run.config.task,
        "seed": run.config.seed,
        "planner": name,
        "plant": plant,
        **measured,
        **of_run(run, name),
        "scored": {
            "git": git_commit(),
            "machine": machine(),
            "packages": versions(PACKAGES),
            "wall_s": round(time.monotonic() - started, 1),
        },
    }


def _same(run: Run, name: str, twin: Path | None) -> Record | None:
    if twin is None or candidates_of(run, name) != candidates_of(run, "kdp"):
        return None
    found = read_json(twin)
    return {key: found[key] for key in ("scores", "length_mean", "switched", "k", "margin")}


def _played(run: Run, name: str, plant: str, episodes: int) -> Record:
    perturbation = UNCHANGED if plant == NOMINAL else PERTURBATIONS[plant]
    played = planner_named(run, name)
    record = {"k": played.k, "margin": played.margin} | ({"part": played.part} if played.part else {})
    if perturbation != UNCHANGED and (why := impossible(run, plant)):
        return record | {"scores": [], "impossible": why}
    first = FIRST_SEED + SEEDS_APART * run.config.seed
    result = play_episodes(
        run,
        range(first, first + episodes),
        played.planner,
        played.chunk,
        latent_seed=run.config.seed,
        perturbation=perturbation,
    )
    if name == "int8":
        record["tuned"] = bool(run.evaluation().get("qat", {}).get("kept"))
    return record | {
        "scores": [round(float(value), 3) for value in result.scores],
        "length_mean": round(float(result.lengths.mean()), 1),
        "switched": round(result.switched, 4),
    }


def impossible(run: Run, plant: str) -> str | None:
    """Why a run's plant cannot be perturbed so; None where it can."""
    try:
        PerturbedPlant(run.task(), PERTURBATIONS[plant], np.ones(run.config.obs_dim)).close()
    except KdpError as error:
        return str(error)
    return None


def of_run(run: Run, name: str) -> Record:
    """What a record says of the training behind it."""
    data = run.provenance["data"]
    known = store.read_meta(data["name"]) if store.exists(data["name"]) else {}
    own = {"sha256": data["sha256"], "name": data["name"], "origin": known.get("origin", "local twin")}
    return {
        "data": own,
        "behaviour_score": run.metrics["behaviour_score"],
        "spread_ratio": _spread(run, name),
        "trained": {
            "git": run.provenance.get("git"),
            "machine": run.provenance.get("machine"),
            "precision": run.config.precision,
            "packages": run.provenance.get("packages", {}),
            "cpu_s": None
            if baseline_of(name)
            else run.provenance.get("cpu_s"),  # what other load cannot stretch
            "wall_s": None if name == "behaviour" else round(training_seconds(run, name), 1),
        },
    }


def _spread(run: Run, name: str) -> float | None:
    """Spread of the planner's candidates / spread of the matched data; None where nothing is drawn."""
    if name in ("kdp", "kdp-sample", "kdp-ranked"):
        found: float | None = run.metrics["spread_ratio"]
        return found
    return rivals_metrics(run.path)["spread_ratio"].get(name) if baseline_of(name) else None


def machine() -> str:
    """This machine, as runs name the one that trained them."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def times(run: Run, names: Sequence[str], rounds: int) -> dict[str, Any]:
    """Planning times of the float planners that are trained beside `run`, in one process, at its K."""
    kinds = [KINDS[name] for name in names if name in KINDS and not missing(run.path, [name])]
    found = latencies(run, kinds, run.config.k, rounds)
    return {"k": run.config.k, "machine": machine(), "packages": versions(PACKAGES), "planners": found}
