# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Running a suite: what is left of its jobs, round by round, into the file that grows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.files import read_json
from kdp_edge.base.progress import StageProgress
from kdp_edge.bench.executors import Executor, processes, ray_cluster, run_here
from kdp_edge.bench.records import Key, Record, Results, read_results, write_results
from kdp_edge.bench.suite import Suite
from kdp_edge.bench.suite_jobs import (
    QUANTIZE,
    RIVALS,
    TRAIN,
    Job,
    ensure_data,
    scores,
    timings,
    trainings,
)


@dataclass(frozen=True)
class Where:
    """On what a suite runs: `workers` jobs at a time on this machine, or a Ray cluster ("local": here)."""

    workers: int = 1
    ray: str | None = None
    train: bool = True  # False: only what is trained already is played

    def executor(self) -> Executor:
        if self.ray is not None:
            return ray_cluster(None if self.ray == "local" else self.ray)
        return run_here if self.workers == 1 else processes(self.workers)


def measure(suite: Suite, file: Path, where: Where, show: StageProgress) -> tuple[Results, list[str]]:
    """Do what is left of a suite and add it to `file`.

    What the file holds of runs that are not in this workspace counts as done: other machines measured it.

    Returns:
        all results of the file, and what failed.
    """
    results = read_results(file, suite)
    suite.open()
    left = _Left(suite, results.records, where.train)
    ensure_data(suite, left.pairs_without_data(), show)
    execute = where.executor()
    failures: list[str] = []
    try:
        for label, batch in left.rounds():
            # times are measured here, one task after the other, with nothing of ours beside them
            chosen = run_here if label == "time" else execute
            failures += _round(label, batch, chosen, failures, show)
    finally:  # an interrupt keeps what was measured
        results.add(*collect(suite))
        write_results(file, suite, results)
    return results, failures


def _round(
    label: str, batch: list[Job], execute: Executor, failures: list[str], show: StageProgress
) -> list[str]:
    todo = [job for job in batch if not _hopeless(job, failures) and not job.finished()]
    done = len(batch) - len(todo)
    show(label, done, len(batch))

    def count(job: Job) -> None:
        nonlocal done
        done += 1
        show(label, done, len(batch))

    return execute(todo, count)


class _Left:
    """Which jobs a start has to do."""

    def __init__(self, suite: Suite, known: Collection[Key], train: bool) -> None:
        self.suite, self.train = suite, train
        self.played = [job for job in scores(suite) if not self._settled(job, known)]
        if not train:
            self.played = [job for job in self.played if self._playable(job)]

    def _settled(self, job: Job, known: Collection[Key]) -> bool:
        if not self.suite.trained(*job.pair):
            return job.key in known
        return job.finished()

    def _playable(self, job: Job) -> bool:
        from kdp_edge.bench.baselines import missing

        path = self.suite.place(*job.pair) / "run"
        return self.suite.trained(*job.pair) and not missing(path, [job.work])

    def pairs_without_data(self) -> list[tuple[str, int]]:
        """Pairs whose data set is read: to train, or to play the policy that made it."""
        reads = [job for job in self.played if job.work == "behaviour" or not self.suite.trained(*job.pair)]
        rivals = [job for job in self.played if _beside(job)] if self.train else []
        return list(dict.fromkeys(job.pair for job in [*reads, *rivals]))

    def rounds(self) -> Iterator[tuple[str, list[Job]]]:
        """Independent jobs each: KDP's training, integers and scores, its rivals', then times."""
        beside = [job for job in self.played if _beside(job)]
        if self.train:
            yield "train", trainings(self.suite, TRAIN, [job.pair for job in self.played])
        yield "quantize", trainings(self.suite, QUANTIZE, [job.pair for job in self.played if _integers(job)])
        yield "score", [job for job in self.played if not _beside(job)]
        if self.train:
            yield "train rivals", trainings(self.suite, RIVALS, [job.pair for job in beside])
        yield "score rivals", beside
        yield "time", timings(self.suite)


def _integers(job: Job) -> bool:
    return job.work == "int8"


def _beside(job: Job) -> bool:
    from kdp_edge.bench.baselines import baseline_of

    return baseline_of(job.work) is not None


def collect(suite: Suite) -> tuple[list[Record], dict[str, object]]:
    """The records and planning times of this workspace, those that still hold."""
    found = []
    for job in scores(suite):
        here = job.finished() if suite.trained(*job.pair) else job.file.is_file()
        if here:
            found.append(read_json(job.file))
    files = {task: suite.folder / task / "latency.json" for task in suite.tasks}
    return found, {task: read_json(file) for task, file in files.items() if file.is_file()}


def _hopeless(job: Job, failures: list[str]) -> bool:
    """A job whose training failed, or what else it needs before it."""
    before = [TRAIN, *([RIVALS] if _beside(job) else []), *([QUANTIZE] if _integers(job) else [])]
    lost = tuple(f"{job.task} s{job.seed} {work}:" for work in before)
    return job.work != TRAIN and any(failure.startswith(lost) for failure in failures)
