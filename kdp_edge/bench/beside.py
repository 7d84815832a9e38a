# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Training beside a complete run, on its data, from the values that it learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.base.progress import StageProgress
from kdp_edge.data import store
from kdp_edge.data.store import DataSet
from kdp_edge.learn.actor import TD3BCStage
from kdp_edge.learn.clone import MeanStage
from kdp_edge.learn.machine import check_device
from kdp_edge.learn.matches import Matches
from kdp_edge.learn.prepare import Prepared
from kdp_edge.learn.stage_runner import StageRunner, finished_stages
from kdp_edge.learn.values import IQLStage
from kdp_edge.run import Run, RunConfig

FOLDER = "baselines"
PREPARATION = (IQLStage.name, MeanStage.name, TD3BCStage.name)  # the run's checkpoint holds their results

Sampler = Callable[[Tensor, Tensor], Tensor]  # states [..., obs], normal noise [..., C] -> windows [..., C]


@dataclass(frozen=True)
class Beside:
    """What a baseline is trained with: all that the generator had."""

    config: RunConfig
    prepared: Prepared
    runner: StageRunner

    @property
    def matches(self) -> Matches:
        return self.prepared.matches

    @cached_property
    def own(self) -> Tensor:
        """The data's windows as they are [M, C]: not moved by any policy."""
        return torch.as_tensor(self.prepared.source.windows.flat, device=self.config.device)


@dataclass(frozen=True)
class Trained:
    """A baseline's weights, and how each of its planners draws windows, if it does."""

    weights: dict[str, Tensor]
    samplers: dict[str, Sampler] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """One training beside a run: who plans with it, and whose time it took.

    `stages` are its own, in order; `of_run` are those of the run that it needs too.
    """

    name: str
    planners: tuple[str, ...]
    train: Callable[[Beside], Trained]
    stages: tuple[str, ...]
    of_run: tuple[str, ...]


def runner_beside(run: Run, folder: Path, show: StageProgress, stop_after: int | None) -> StageRunner:
    """For a training in `folder` that takes values, mean windows and policy from the run's checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    device = run.config.device
    check_device(device, run.path)
    known = finished_stages(run.path / "checkpoint.pt", device, PREPARATION)
    resume = "give the same command again to go on"
    return StageRunner(folder, device, show, resume, stop_after, known)


def data_of(run: Run) -> DataSet:
    """The data set of a run; raises `KdpError` when it is not what the run was trained on."""
    data = store.load_data(run.config.data)
    if data.sha256 != run.provenance["data"]["sha256"]:
        raise KdpError(f"data set '{run.config.data}' changed since {run.path} was trained")
    return data
