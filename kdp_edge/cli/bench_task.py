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
    seeds: Annotated[str, typer.Option(help="Training seeds: so many (3: 0, 1, 2), 3,4,5 or 3-10.")] = "1",
    planners: Annotated[str, typer.Option(help="Planners with commas between; default: all.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per seed and planner.")] = 20,
    k: Annotated[int | None, typer.Option(min=1, help="Candidates per plan; default: the recipe's.")] = None,
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
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.seeds import parse_seeds
    from kdp_edge.bench.suite import PLANNERS, Suite, parse_settings
    from kdp_edge.bench.suite_planners import check_planners
    from kdp_edge.bench.suite_rows import Measured, rows
    from kdp_edge.bench.suite_run import Where, measure
    from kdp_edge.cli.bench_suite import listed, print_rows, report
    from kdp_edge.tasks import get_task

    found = get_task(name).name
    suite = Suite(
        f"task-{found}", (found,), parse_seeds(seeds), check_planners(listed(planners)) or PLANNERS,
        episodes, k, settings=parse_settings(settings or []),
    )  # fmt: skip
    file = suite.folder / "results.json"
    with stage_bars() as show:
        measured, failures = measure(suite, file, Where(workers), show)
    if as_json:
        print_json(rows(measured))
    else:
        print_rows(Measured(measured.records))
        for line in _recorded(results, found):
            print(line)
        print(f"records {file}")
    report(failures)


def _recorded(folder: Path, task: str) -> list[str]:
    """What earlier result files say of the task: suites' records, or rows of earlier versions."""
    from kdp_edge.base.files import read_json
    from kdp_edge.base.statistics import span
    from kdp_edge.bench.records import key_of
    from kdp_edge.bench.suite_cells import score
    from kdp_edge.bench.suite_rows import Measured

    lines = []
    for file in sorted(folder.glob("*.json")):
        found = read_json(file)
        for row in found if isinstance(found, list) else []:
            if row.get("task") == task and "score_ci95" in row:
                cell = f"{row['score_mean']:.1f} ({span(row['score_ci95'])})"
                lines.append(f"recorded in {file}: {row['planner']} {cell}")
        records = found.get("records") if isinstance(found, dict) and "measures" in found else None
        measured = Measured({key_of(record): record for record in records or []})
        for planner in measured.planners if task in measured.tasks else []:
            if (own := measured.score(task, planner)) is not None:
                lines.append(f"recorded in {file}: {planner} {score(own)}")
    return lines
