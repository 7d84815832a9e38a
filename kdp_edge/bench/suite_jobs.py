# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The suite as jobs: training, scores and planning times, each done once and found as a file afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.base.workspace import workspace
from kdp_edge.bench.suite import Suite
from kdp_edge.run import Run
from kdp_edge.tasks import get_task


@dataclass(frozen=True)
class Job:
    """One piece of work whose result is `file`; `work` is "train", "latency" or a planner's name."""

    suite: Suite
    task: str
    seed: int
    work: str
    home: str  # the workspace, on whatever machine the job runs

    @property
    def label(self) -> str:
        return f"{self.task} s{self.seed} {self.work}"

    @property
    def file(self) -> Path:
        place = self.suite.place(self.task, self.seed)
        if self.work == "train":
            return place / "run" / "run.json"
        return (place.parent if self.work == "latency" else place) / f"{self.work}.json"

    def finished(self) -> bool:
        return self.file.is_file() and (self.work != "train" or _has_baselines(self))

    def run(self) -> str | None:
        """Do the work unless it is done; returns what went wrong, or None."""
        import torch

        os.environ["KDP_EDGE_HOME"] = self.home
        torch.set_num_threads(1)
        try:
            if not self.finished():
                {"train": _train, "latency": _latency}.get(self.work, _score)(self)
        except KdpError as error:
            if error.exit_code == 130:
                raise  # the user's interrupt, not this job's fault
            return f"{self.label}: {error}"
        return None


def jobs(suite: Suite) -> Iterator[list[Job]]:
    """Three rounds, each of independent jobs: training, scores, then planning times."""
    home = str(workspace())
    pairs = [(task, seed) for task in suite.tasks for seed in suite.seeds]
    yield [Job(suite, task, seed, "train", home) for task, seed in pairs]
    yield [Job(suite, task, seed, name, home) for task, seed in pairs for name in suite.planners]
    yield [Job(suite, task, suite.seeds[0], "latency", home) for task in suite.tasks]


def _has_baselines(job: Job) -> bool:
    from kdp_edge.bench.baselines import missing

    return not missing(job.file.parent, job.suite.planners)


def _train(job: Job) -> None:
    from kdp_edge.bench.baselines import ensure_baselines
    from kdp_edge.learn.train import train_run

    path = job.file.parent
    if not (path / "config.json").is_file():
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", job.suite.config(job.task, job.seed).to_json())
    if not job.file.is_file():  # jobs may run on other machines: only the suite itself shows progress
        train_run(path, silent_stages)
    ensure_baselines(Run.load(path), job.suite.planners, silent_stages)


def _score(job: Job) -> None:
    from kdp_edge.base.provenance import git_commit
    from kdp_edge.bench.compare import KINDS
    from kdp_edge.play.evaluate import FIRST_SEED, play_episodes

    started = time.monotonic()
    run = Run.load(job.suite.place(job.task, job.seed) / "run")
    first = FIRST_SEED + 1000 * job.seed  # every seed plays other episodes
    result = play_episodes(
        run,
        range(first, first + job.suite.episodes),
        KINDS[job.work].make(run, job.suite.k),
        latent_seed=job.seed,
    )
    write_json(
        job.file,
        {
            "scores": [round(result.task.score(float(value)), 3) for value in result.returns],
            "switched": round(result.switched, 4),
            "wall_s": round(time.monotonic() - started, 1),
            "git": git_commit(),
        },
    )


def _latency(job: Job) -> None:
    from kdp_edge.bench.compare import kinds_named, latencies

    run = Run.load(job.suite.place(job.task, job.seed) / "run")
    found = latencies(run, kinds_named(job.suite.planners), job.suite.k, job.suite.latency_rounds)
    write_json(job.file, found)


def ensure_data(suite: Suite, progress: StageProgress) -> None:
    """Make missing local twins; published sets must have been imported as d4rl-<task>."""
    from kdp_edge.data import store
    from kdp_edge.data.making.make import make

    for name in suite.tasks:
        task = get_task(name)
        if store.exists(suite.data_name(name)):
            continue
        if suite.published:
            raise KdpError(
                f"no data set '{suite.data_name(name)}': import the published file with "
                f"kdp-edge data import FILE --task {name} --name {suite.data_name(name)}"
            )

        def show(done: int, label: str = f"data {name}", total: int = task.default_steps) -> None:
            progress(label, done, total)

        make(task, task.default_steps, seed=0, workers=2, progress=show)
