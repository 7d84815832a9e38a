# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench task`: one task of the suite, beside the rows that are recorded for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    app.command("task")(task)


def task(
    name: Annotated[str, typer.Argument(help="For example hopper-medium-expert.")],
    seeds: Annotated[int, typer.Option(min=1, help="Number of training seeds: 0, 1, ...")] = 1,
    planners: Annotated[str, typer.Option(help="Planners with commas between; default: all.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per seed and planner.")] = 20,
    k: Annotated[int, typer.Option(min=1, help="Candidates per plan.")] = 16,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time on this machine.")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=NUMBER of every run; repeatable.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of recorded rows to compare with.")] = Path(
        "benchmarks/results"
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Train, score and time all planners of one task; resumable like the suite.

    Example: `kdp-edge bench task hopper-medium-expert --seeds 1`
    """
    from kdp_edge.base.files import write_json
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.compare import kinds_named
    from kdp_edge.bench.suite import PLANNERS, Suite, parse_settings
    from kdp_edge.bench.suite_run import measure
    from kdp_edge.cli.bench_suite import print_rows, report
    from kdp_edge.tasks import get_task

    found = get_task(name).name
    kinds = kinds_named([p.strip() for p in planners.split(",")] if planners else PLANNERS)
    suite = Suite(
        f"task-{found}", (found,), tuple(range(seeds)), tuple(kind.name for kind in kinds), episodes, k,
        settings=parse_settings(settings or []),
    )  # fmt: skip
    with stage_bars() as show:
        rows, failures = measure(suite, workers, None, show)
    write_json(suite.folder / "rows.json", rows)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)
        for line in _recorded(results, found):
            print(line)
        print(f"rows {suite.folder / 'rows.json'}")
    report(failures)


def _recorded(folder: Path, task: str) -> list[str]:
    """What earlier result files say of the task."""
    from kdp_edge.base.files import read_json
    from kdp_edge.base.statistics import span

    lines = []
    for file in sorted(folder.glob("*.json")):
        rows = read_json(file)
        for row in rows if isinstance(rows, list) else []:
            if row.get("task") == task and "score_ci95" in row:
                score = f"{row['score_mean']:.1f} ({span(row['score_ci95'])})"
                lines.append(f"recorded in {file}: {row['planner']} {score}")
    return lines
