# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The suite as jobs: training, scores and planning times, each done once and found as a file afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_object, write_json
from kdp_edge.base.progress import StageProgress, silent_stages
from kdp_edge.base.workspace import workspace
from kdp_edge.bench.records import Key
from kdp_edge.bench.suite import NOMINAL, Suite
from kdp_edge.tasks import get_task

TRAIN, QUANTIZE, RIVALS, TIMES = "train", "quantize", "rivals", "latency"  # works that are no planner's


@dataclass(frozen=True)
class Job:
    """One piece of work whose result is `file`.

    `work` is "train", "quantize", "rivals" (all that is trained beside the run), "latency", or a planner's
    name.
    """

    suite: Suite
    task: str
    seed: int
    work: str
    home: str  # the workspace, on whatever machine the job runs
    plant: str = NOMINAL

    @property
    def label(self) -> str:
        what = self.work if self.plant == NOMINAL else f"{self.work} {self.plant}"
        return f"{self.task} s{self.seed} {what}"

    @property
    def key(self) -> Key:
        return self.task, self.seed, self.work, self.plant

    @property
    def pair(self) -> tuple[str, int]:
        return self.task, self.seed

    @property
    def file(self) -> Path:
        place = self.suite.place(self.task, self.seed)
        if self.work == TRAIN:
            return place / "run" / "run.json"
        if self.work == QUANTIZE:
            return place / "run" / "integer" / "bound.json"
        if self.work == RIVALS:
            return place / "run" / "baselines" / "metrics.json"
        if self.work == TIMES:
            return place.parent / "latency.json"
        return place / (f"{self.work}.json" if self.plant == NOMINAL else f"{self.work}@{self.plant}.json")

    def finished(self) -> bool:
        """Whether its result is here and still holds: a run of the recipe, played with its K and margin."""
        if not self.file.is_file():
            return False
        try:
            return self._holds()
        except KdpError:
            return False  # doing it again says what is wrong

    def _holds(self) -> bool:
        from kdp_edge.bench.baselines import missing
        from kdp_edge.bench.compare import KINDS
        from kdp_edge.bench.suite_planners import candidates_of, quantized

        run = self.suite.deployed(self.task, self.seed)
        if self.work == TRAIN:
            return True
        if self.work == RIVALS:
            return not missing(run.path, self.suite.planners)
        if self.work == QUANTIZE:
            return quantized(run)
        found = read_object(self.file)
        if self.work == TIMES:
            timed = [name for name in self.suite.planners if name in KINDS and not missing(run.path, [name])]
            return found.get("k") == run.config.k and set(timed) <= set(found.get("planners", {}))
        return (found.get("k"), found.get("margin")) == candidates_of(run, self.work)

    def run(self) -> str | None:
        """Do the work unless it is done; returns what went wrong, or None."""
        import torch

        os.environ["KDP_EDGE_HOME"] = self.home
        torch.set_num_threads(1)
        try:
            if not self.finished():
                works = {TRAIN: _train, QUANTIZE: _quantize, RIVALS: _rivals, TIMES: _latency}
                works.get(self.work, _score)(self)
        except KdpError as error:
            if error.exit_code == 130:
                raise  # the user's interrupt, not this job's fault
            return f"{self.label}: {error}"
        return None


def pairs(suite: Suite) -> list[tuple[str, int]]:
    """Every task with every seed, all tasks of a seed first: the table grows evenly."""
    return [(task, seed) for seed in suite.seeds for task in suite.tasks]


def scores(suite: Suite) -> list[Job]:
    """Everything that is played, nominal plants first."""
    home = str(workspace())
    played = [(name, plant) for plant in (NOMINAL, *suite.perturb) for name in suite.planners]
    return [Job(suite, *pair, name, home, plant) for pair in pairs(suite) for name, plant in played]


def trainings(suite: Suite, work: str, wanted: Iterable[tuple[str, int]]) -> list[Job]:
    """Jobs of `work`, "train", "quantize" or "rivals", for the pairs that are wanted."""
    home, chosen = str(workspace()), set(wanted)
    return [Job(suite, *pair, work, home) for pair in pairs(suite) if pair in chosen]


def timings(suite: Suite) -> list[Job]:
    """Planning times of each task, of its first seed that is trained here."""
    if not suite.latency_rounds:
        return []
    first = {task: seed for task, seed in reversed(pairs(suite)) if suite.trained(task, seed)}
    return [Job(suite, task, first[task], TIMES, str(workspace())) for task in suite.tasks if task in first]


def _train(job: Job) -> None:
    from kdp_edge.learn.train import train_run

    path = job.file.parent
    if not (path / "config.json").is_file():
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", job.suite.config(job.task, job.seed).to_json())
    if not job.file.is_file():  # jobs may run on other machines: only the suite itself shows progress
        train_run(path, silent_stages)
    job.suite.deployed(job.task, job.seed)  # raises for a run of another recipe


def _quantize(job: Job) -> None:
    from kdp_edge.bench.suite_planners import quantize

    quantize(job.suite.deployed(job.task, job.seed))


def _rivals(job: Job) -> None:
    from kdp_edge.bench.baselines import ensure_baselines

    ensure_baselines(job.suite.deployed(job.task, job.seed), job.suite.planners, silent_stages)


def _score(job: Job) -> None:
    from kdp_edge.bench.suite_score import score

    twin = None
    if job.work in ("kdp-plan", "kdp-ranked") and job.plant == NOMINAL:
        own = Job(job.suite, job.task, job.seed, "kdp", job.home)
        twin = own.file if own.finished() else None
    run = job.suite.deployed(job.task, job.seed)
    write_json(job.file, score(run, job.work, job.plant, job.suite.episodes, twin))


def _latency(job: Job) -> None:
    from kdp_edge.bench.suite_score import times

    run = job.suite.deployed(job.task, job.seed)
    write_json(job.file, times(run, job.suite.planners, job.suite.latency_rounds))


def ensure_data(suite: Suite, wanted: Iterable[tuple[str, int]], progress: StageProgress) -> None:
    """Make missing local twins; published sets must have been imported as d4rl-<task>."""
    from kdp_edge.bench.suite import FRESH_SEED
    from kdp_edge.data import store
    from kdp_edge.data.making.make import make

    for task_name, seed in wanted:
        task, name = get_task(task_name), suite.data_name(task_name, seed)
        if store.exists(name) and not suite.fresh:
            continue
        if suite.published:
            raise KdpError(
                f"no data set '{name}': import the published file with "
                f"kdp-edge data import FILE --task {task_name} --name {name}"
            )

        def show(done: int, label: str = f"data {name}", total: int = task.default_steps) -> None:
            progress(label, done, total)

        # a fresh set that is there must be of its seed: make looks
        data_seed = FRESH_SEED + seed if suite.fresh else 0
        make(task, task.default_steps, data_seed, workers=2, name=name, progress=show)
