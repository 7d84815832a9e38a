# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a run is measured against: diffusion and behaviour cloning, trained beside it on the same data.

`<run>/baselines/` holds diffusion.safetensors, clone.safetensors and metrics.json (written last).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.base.progress import StageProgress
from kdp_edge.bench.diffusion import Denoiser, DiffusionStage
from kdp_edge.data import store
from kdp_edge.data.store import DataSet
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.checkpoint import save_weights
from kdp_edge.learn.clone import CloneStage, MeanStage
from kdp_edge.learn.matches import Matches, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.prepare import prepare
from kdp_edge.learn.stage_runner import StageRunner, finished_stages
from kdp_edge.learn.values import IQLStage
from kdp_edge.run import Run, RunConfig

FOLDER = "baselines"
DIFFUSION, CLONE = 3, 4  # numbers of the stages, for their seeds
PREPARATION = (IQLStage.name, MeanStage.name, TD3BCStage.name)  # the run's checkpoint holds their results
STEPS = (20, 5, 1)  # evaluations of a plan that are measured


def ensure_baselines(run: Run, show: StageProgress) -> None:
    """Train the run's baselines unless they are there."""
    if not (run.path / FOLDER / "metrics.json").is_file():
        train_baselines(run, show)


def train_baselines(run: Run, show: StageProgress, stop_after: int | None = None) -> None:
    """Train the baselines of a complete run; an interrupt is saved, and the same call goes on from there."""
    config, folder = run.config, run.path / FOLDER
    runner = runner_beside(run, folder, show, stop_after)
    with runner.session():
        prepared = prepare(config, data_of(run), runner)
        matches = prepared.matches
        part, rng = runner.seeded(config, DIFFUSION)
        denoiser = runner.run(DiffusionStage(part, matches, rng)).average
        part, rng = runner.seeded(config, CLONE)
        own = torch.as_tensor(prepared.source.windows.flat, device=config.device)  # not moved by any policy
        clone = runner.run(CloneStage(part, matches.keys, own, rng))
        save_weights(folder / "diffusion.safetensors", denoiser.state_dict())
        save_weights(folder / "clone.safetensors", clone.deployed().state_dict())
        write_json(folder / "metrics.json", _metrics(config, denoiser, matches, runner))


def runner_beside(run: Run, folder: Path, show: StageProgress, stop_after: int | None) -> StageRunner:
    """For a training in `folder` that takes values, mean windows and policy from the run's checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    device = run.config.device
    known = finished_stages(run.path / "checkpoint.pt", device, PREPARATION)
    resume = "give the same command again to go on"
    return StageRunner(folder, device, show, resume, stop_after, known)


def data_of(run: Run) -> DataSet:
    """The data set of a run; raises `KdpError` when it is not what the run was trained on."""
    data = store.load_data(run.config.data)
    if data.sha256 != run.provenance["data"]["sha256"]:
        raise KdpError(f"data set '{run.config.data}' changed since {run.path} was trained")
    return data


def _metrics(config: RunConfig, denoiser: Denoiser, matches: Matches, runner: StageRunner) -> dict[str, Any]:
    spread = {f"diffusion-{steps}": sampled_spread(denoiser, matches, config, steps) for steps in STEPS}
    return {"wall_s": runner.seconds("wall_s"), "losses": runner.losses, "spread_ratio": spread}


def sampled_spread(denoiser: Denoiser, matches: Matches, config: RunConfig, steps: int) -> float:
    """`spread_ratio` of the diffusion model's candidates."""
    rng = torch.Generator(matches.keys.device).manual_seed(config.seed)

    def windows(inputs: Tensor) -> Tensor:
        state = inputs[..., : config.obs_dim]  # the latents behind it are KDP's; noise is drawn here
        shape = (*state.shape[:-1], config.window_dim)
        return denoiser.sample(state, torch.randn(shape, generator=rng, device=state.device), steps)

    return spread_ratio(cast(ResidualMLP, windows), matches, config, states=1024)
