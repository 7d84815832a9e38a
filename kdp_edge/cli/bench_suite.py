# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench suite`: every task, seed and planner; resumable; rows as JSON and a table in the docs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    pass

RESULTS = Path("benchmarks/results")
DOCS = Path("docs/benchmarks.md")


def register(app: typer.Typer) -> None:
    app.command("suite")(suite)


def suite(
    name: Annotated[str, typer.Option(help="Name of the suite and its result file.")] = "local-twins",
    tasks: Annotated[str, typer.Option(help="Tasks with commas between; default: every local twin.")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Number of training seeds: 0, 1, ...")] = 3,
    planners: Annotated[str, typer.Option(help="Planners with commas between; default: all.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per seed and planner.")] = 20,
    k: Annotated[int, typer.Option(min=1, help="Candidates per plan.")] = 16,
    published: Annotated[bool, typer.Option("--published", help="Train on imported sets d4rl-TASK.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time on this machine.")] = 1,
    ray: Annotated[str | None, typer.Option(help="Address of a Ray cluster, or 'local'.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=NUMBER of every run; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the result file.")] = RESULTS,
    docs: Annotated[Path, typer.Option(help="Page whose table is written.")] = DOCS,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train, score and time all planners; what is finished already is kept, so start it again at will.

    Example: `kdp-edge bench suite --tasks hopper-medium-expert,maze2d-umaze --workers 2`
    """
    from kdp_edge.base.files import write_json
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.compare import kinds_named
    from kdp_edge.bench.suite import PLANNERS, TWINS, Suite, parse_settings
    from kdp_edge.bench.suite_run import measure
    from kdp_edge.bench.suite_table import write_docs
    from kdp_edge.learn.machine import pick_device
    from kdp_edge.tasks import get_task

    chosen = tuple(get_task(t.strip()).name for t in tasks.split(",")) if tasks else TWINS
    kinds = kinds_named([p.strip() for p in planners.split(",")] if planners else PLANNERS)
    measured = Suite(
        name, chosen, tuple(range(seeds)), tuple(kind.name for kind in kinds), episodes, k,
        published=published, device=pick_device(device), settings=parse_settings(settings or []),
    )  # fmt: skip
    with stage_bars() as show:
        rows, failures = measure(measured, workers, ray, show)
    file = out / f"{name}.json"
    write_json(file, rows)
    write_docs(docs, name, rows)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)
        print(f"rows {file}; tables {docs}")
    report(failures)


def report(failures: list[str]) -> None:
    """Raise `KdpError` (exit code 1) if any job failed."""
    if failures:
        raise KdpError(f"{len(failures)} jobs failed; the first: {failures[0]}", GATE_FAILED)


def print_rows(rows: list[dict]) -> None:
    """The rows as a table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.base.statistics import span

    table = Table()
    columns = ("task", "planner", "score", "95 % interval", "behaviour", "spread", "p50 ms", "p99 ms")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for row in rows:
        numbers = (row["spread_ratio"], row["latency_ms_p50"], row["latency_ms_p99"])
        table.add_row(
            row["task"], row["planner"], f"{row['score_mean']:.1f}", span(row["score_ci95"]),
            f"{row['behaviour_score']:.1f}", *("-" if n is None else f"{n:.3f}" for n in numbers),
        )  # fmt: skip
    Console(width=max(110, Console().width)).print(table)
