# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The closed loop on a terminal while it runs: rate, misses, latency and return so far, a row per device.

Drawn by a process of its own: the loop's process reads its recordings four times a second and draws nothing.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdp_edge.base.progress import Progress, progress_bar, silent, stage_bars

if TYPE_CHECKING:
    from rich.table import Table

    from kdp_edge.hil.scenario import Recording
    from kdp_edge.hil.status import Observer, Show, Status, Watched

LOOK_EVERY = 0.25  # seconds
COLUMNS = ("device", "episode", "steps", "steps/s", "misses", "round trip p50", "p99", "return so far")


@dataclass(frozen=True)
class View:
    """What a run tells to whoever watches; see `kdp_edge.closed_loop`."""

    progress_bar: Callable[[str, int], Any]
    observer: Observer
    show: Show


@contextmanager
def view(episodes: int, most_steps: int) -> Iterator[View]:
    """A live table on a terminal; where stderr is none, a line a minute for each device.

    Args:
        episodes: of one device.
        most_steps: of all of them together.
    """
    from kdp_edge.hil.status import unobserved

    if not sys.stderr.isatty():
        with stage_bars() as tell:
            yield View(progress_bar, unobserved, lambda one: tell(one.device, one.steps, most_steps))
        return
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    process = context.Process(target=_draw, args=(theirs, episodes), daemon=True)
    process.start()
    theirs.close()
    ended, sending = threading.Event(), threading.Lock()

    def show(status: Status) -> None:
        with suppress(OSError), sending:  # without a picture the run goes on
            ours.send(status)

    def observer(recording: Recording) -> None:
        from kdp_edge.hil.status import Watched

        threading.Thread(target=_watch, args=(Watched(recording), show, ended), daemon=True).start()

    try:
        yield View(_no_bar, observer, show)
    finally:
        ended.set()
        with sending:
            ours.close()
        process.join(2.0)
        process.kill()


@contextmanager
def _no_bar(label: str, total: int) -> Iterator[Progress]:
    yield silent


def _watch(watched: Watched, show: Show, ended: threading.Event) -> None:
    """Look at a recording until the run ends, or the next one begins to grow."""
    while not ended.wait(LOOK_EVERY):
        show(watched.status())
        if watched.recording.wall_seconds:
            return


def _draw(connection: Any, episodes: int) -> None:
    """The drawing process: the newest status of each device, until the other end closes."""
    from rich.console import Console
    from rich.live import Live

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the loop decides what Ctrl-C means
    newest: dict[str, Status] = {}
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        drawn = time.monotonic()
        while True:
            try:
                status = connection.recv()
            except (EOFError, OSError):
                return
            newest[status.device] = status
            # one picture of all that came in the meantime, however many devices tell
            if time.monotonic() >= drawn + LOOK_EVERY and not connection.poll():
                drawn = time.monotonic()
                live.update(table(newest, episodes), refresh=True)


def table(newest: dict[str, Status], episodes: int) -> Table:
    """The rows as they stand."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(box=SIMPLE_HEAD, padding=0)
    for column in COLUMNS:
        drawn.add_column(column, justify="left" if column == "device" else "right", no_wrap=True)
    for one in newest.values():
        # the mean of the episodes that ended; before the first one ends, what it has brought
        so_far = one.return_now if one.return_mean is None else one.return_mean
        cells = (
            f"{min(one.episodes + 1, episodes)} of {episodes}", f"{one.steps:,}", _shown(one.rate, "{:,.0f}"),
            f"{one.misses:,}", _shown(one.latency_ms_p50, "{:.2f} ms"),
            _shown(one.latency_ms_p99, "{:.2f} ms"), f"{so_far:,.1f}",
        )  # fmt: skip
        drawn.add_row(escape(one.device), *cells, style="red" if one.misses else None)
    return drawn


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
