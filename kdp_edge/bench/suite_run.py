# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Running a suite: what is left of its jobs, round by round, then its rows."""

from __future__ import annotations

from typing import Any

from kdp_edge.base.progress import StageProgress
from kdp_edge.bench.executors import processes, ray_cluster, run_here
from kdp_edge.bench.suite import Suite
from kdp_edge.bench.suite_jobs import Job, ensure_data, jobs
from kdp_edge.bench.suite_rows import collect

ROUNDS = ("train", "score", "time")


def measure(
    suite: Suite, workers: int, ray: str | None, show: StageProgress
) -> tuple[list[dict[str, Any]], list[str]]:
    """Run what is left of a suite.

    Args:
        workers: jobs at a time on this machine.
        ray: address of a Ray cluster to run on instead, or "local".

    Returns:
        its rows, and what failed.
    """
    execute = run_here if workers == 1 else processes(workers)
    if ray is not None:
        execute = ray_cluster(None if ray == "local" else ray)
    suite.open()
    ensure_data(suite, show)
    failures: list[str] = []
    for label, batch in zip(ROUNDS, jobs(suite), strict=True):
        left = [job for job in batch if not job.finished() and not _hopeless(job, failures)]
        done = len(batch) - len(left)
        show(label, done, len(batch))

        def count(job: Job, label: str = label, total: int = len(batch)) -> None:
            nonlocal done
            done += 1
            show(label, done, total)

        # times are measured here, one task after the other, with nothing of ours beside them
        failures += (run_here if label == "time" else execute)(left, count)
    return collect(suite), failures


def _hopeless(job: Job, failures: list[str]) -> bool:
    """A job whose training failed."""
    trained = f"{job.task} s{job.seed} train:"
    return any(failure.startswith(trained) for failure in failures)
