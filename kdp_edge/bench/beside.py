# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Training beside a complete run, on its data, from the values that it learned."""

from __future__ import annotations

from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import StageProgress
from kdp_edge.data import store
from kdp_edge.data.store import DataSet
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import MeanStage
from kdp_edge.learn.stage_runner import StageRunner, finished_stages
from kdp_edge.learn.values import IQLStage
from kdp_edge.run import Run

FOLDER = "baselines"
PREPARATION = (IQLStage.name, MeanStage.name, TD3BCStage.name)  # the run's checkpoint holds their results


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
