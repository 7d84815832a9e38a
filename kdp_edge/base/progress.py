# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A progress bar on a terminal; in a pipe a line a minute, so that CI sees a long job live."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Progress = Callable[[int], None]  # is told how many steps are done
StageProgress = Callable[[str, int, int], None]  # is told a stage's name, its steps done, and in all
LINE_EVERY = 60.0  # seconds


def silent(done: int) -> None:
    """Progress that nobody watches."""


def silent_stages(stage: str, done: int, total: int) -> None:
    """The same of several stages."""


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Progress]:
    """Yield `show(done)`; the bar counts `done` of `total` with rate and time left, on stderr.

    A total of 0 is one that nobody knows before.
    """
    if not sys.stderr.isatty():
        show = _lines()
        yield lambda done: show(label, done, total)
        return
    with _progress() as bar:
        task = bar.add_task(label, total=total or None)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def stage_bars() -> Iterator[StageProgress]:
    """Yield `show(stage, done, total)`: one bar for each stage."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    with _progress() as bars:
        known: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in known:
                known[stage] = bars.add_task(stage, total=total)
            bars.update(known[stage], completed=done)

        yield show


def _lines() -> StageProgress:
    last = time.monotonic()

    def show(label: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY:
            last = now
            print(f"{label}: {done:,}{f' of {total:,}' if total else ''}", file=sys.stderr, flush=True)

    return show


def _progress() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    return RichProgress(*columns, console=Console(stderr=True))
