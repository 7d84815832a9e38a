# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where jobs run: in this process, in processes of this machine, or on a Ray cluster.

Ray's workers need the same workspace folder (shared storage) and an installed kdp-edge.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.synchronize import Event
from typing import Protocol

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.suite_jobs import Job

SAVING_SECONDS = 10.0  # a worker without parent has to save what it trains
Done = Callable[[Job], None]


class Executor(Protocol):
    """Runs independent jobs; returns what went wrong in each that failed."""

    def __call__(self, jobs: Sequence[Job], done: Done) -> list[str]: ...


def run_here(jobs: Sequence[Job], done: Done) -> list[str]:
    """One after the other, in this process."""
    failures = []
    for job in jobs:
        if (failure := job.run()) is not None:
            failures.append(failure)
        done(job)
    return failures


def processes(workers: int) -> Executor:
    """`workers` jobs at a time, each in a process of its own.

    Ctrl-C, SIGTERM and the death of this process end them all: what trains saves itself and stops,
    what waits is not begun.
    """

    def run(jobs: Sequence[Job], done: Done) -> list[str]:
        failures = []
        context = multiprocessing.get_context("spawn")
        stopping = context.Event()
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(stopping,))
        handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            pending = {pool.submit(_run, job): job for job in jobs}
            for future in as_completed(pending):
                if (failure := future.result()) is not None:
                    failures.append(failure)
                done(pending[future])
        except BaseException:
            stopping.set()
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            signal.signal(signal.SIGTERM, handler)
        return failures

    return run


_stopping: Event | None = None  # of a worker


def _begin(stopping: Event) -> None:
    global _stopping
    _stopping = stopping
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None and _stopping is not None
    parent.join()
    _stopping.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SAVING_SECONDS)
    os._exit(1)


def _run(job: Job) -> str | None:
    assert _stopping is not None
    return f"{job.label}: not begun" if _stopping.is_set() else job.run()


def ray_cluster(address: str | None) -> Executor:
    """On the Ray cluster at `address`; None starts Ray on this machine. One CPU a job.

    Raises:
        KdpError: Ray is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise KdpError("Ray is missing; install it with: pip install 'kdp-edge[cluster]'") from None
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise KdpError(f"--ray {address}: no Ray cluster answers there ({error})") from None
    remote = ray.remote(num_cpus=1)(Job.run)

    def run(jobs: Sequence[Job], done: Done) -> list[str]:
        failures = []
        pending = {remote.remote(job): job for job in jobs}
        while pending:
            ready, _ = ray.wait(list(pending))
            for reference in ready:
                if (failure := ray.get(reference)) is not None:
                    failures.append(failure)
                done(pending.pop(reference))
        return failures

    return run
