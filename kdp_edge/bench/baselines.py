# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a run is measured against: each baseline is trained by its name, when it is first asked for.

`<run>/baselines/` holds <name>.safetensors of every baseline that is trained (written last), checkpoint.pt
to go on from, and metrics.json, which grows: seconds and losses by stage, spread_ratio by planner.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from kdp_edge.base.files import read_json, write_json
from kdp_edge.base.progress import StageProgress
from kdp_edge.bench.beside import FOLDER, Baseline, Beside, Sampler, Trained, data_of, runner_beside
from kdp_edge.bench.rivals.table import BASELINES
from kdp_edge.learn.checkpoint import save_weights
from kdp_edge.learn.matches import spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.prepare import prepare
from kdp_edge.run import Run

SPREAD_STATES = 1024


def baseline_of(planner: str) -> Baseline | None:
    """The baseline that a planner plays; None for KDP's own."""
    return next((found for found in BASELINES.values() if planner in found.planners), None)


def needed(planners: Iterable[str]) -> list[Baseline]:
    """The baselines that `planners` play, each once."""
    found = {b.name: b for planner in planners if (b := baseline_of(planner)) is not None}
    return list(found.values())


def missing(path: Path, planners: Iterable[str]) -> list[Baseline]:
    """Those of `needed` that are not trained beside the run in `path`."""
    return [one for one in needed(planners) if not (path / FOLDER / f"{one.name}.safetensors").is_file()]


def ensure_baselines(
    run: Run, planners: Iterable[str], show: StageProgress, stop_after: int | None = None
) -> None:
    """Train what `planners` play and is not there; an interrupt is saved, the same call goes on from there.

    Raises:
        KdpError: interrupted (exit code 130, all is saved), or the run's data changed.
    """
    due = missing(run.path, planners)
    if not due:
        return
    folder = run.path / FOLDER
    runner = runner_beside(run, folder, show, stop_after)
    with runner.session():
        beside = Beside(run.played, prepare(run.config, data_of(run), runner), runner)
        for baseline in due:
            trained = baseline.train(beside)
            _grow(folder / "metrics.json", beside, trained)
            save_weights(folder / f"{baseline.name}.safetensors", trained.weights)


def metrics(path: Path) -> dict[str, Any]:
    """What is known of the baselines beside the run in `path`."""
    file = path / FOLDER / "metrics.json"
    return read_json(file) if file.is_file() else {"wall_s": {}, "losses": {}, "spread_ratio": {}}


def training_seconds(run: Run, planner: str) -> float:
    """Wall time of all training that the planner needed."""
    own: dict[str, float] = run.metrics["wall_s"]
    if (found := baseline_of(planner)) is None:
        return sum(own.values())
    trained = metrics(run.path)["wall_s"]
    return sum(trained.get(name, 0.0) for name in found.stages) + sum(
        own.get(name, 0.0) for name in found.of_run
    )


def _grow(file: Path, beside: Beside, trained: Trained) -> None:
    """Add what was measured of a baseline; seconds of stages that the run trained are not theirs."""
    runner, found = beside.runner, metrics(file.parent.parent)
    spread = {name: sampled_spread(beside, sampler) for name, sampler in trained.samplers.items()}
    for key, value in (
        ("wall_s", runner.seconds("wall_s")),
        ("losses", runner.losses),
        ("spread_ratio", spread),
    ):
        found[key] = {**found.get(key, {}), **value}
    write_json(file, found)


def sampled_spread(beside: Beside, sampler: Sampler) -> float:
    """`spread_ratio` of the candidates that `sampler` draws."""
    config, matches = beside.config, beside.matches
    rng = torch.Generator(matches.keys.device).manual_seed(config.seed)

    def windows(inputs: Tensor) -> Tensor:
        state = inputs[..., : config.obs_dim]  # the latents behind it are KDP's; noise is drawn here
        shape = (*state.shape[:-1], config.window_dim)
        return sampler(state, torch.randn(shape, generator=rng, device=state.device))

    return spread_ratio(cast(ResidualMLP, windows), matches, config, states=SPREAD_STATES)
