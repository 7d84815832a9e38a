# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench suite`: every task, seed and planner; resumable; a file of records that grows, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.base.errors import GATE_FAILED, KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

RESULTS = Path("benchmarks/results")
DOCS = Path("docs/benchmarks.md")
README = Path("README.md")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("suite")(suite)


def suite(
    name: Annotated[str, typer.Option(help="Name of suite and result file; default: one-recipe.")] = "",
    tasks: Annotated[str, typer.Option(help="Tasks with commas between; default: every local twin.")] = "",
    seeds: Annotated[str, typer.Option(help="Training seeds: so many (3: 0, 1, 2), 3,4,5 or 3-10.")] = "3",
    planners: Annotated[str, typer.Option(help="Planners with commas between; default: all.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per seed and planner.")] = 20,
    k: Annotated[int | None, typer.Option(min=1, help="Candidates per plan; default: the recipe's.")] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Each seed on its own data: TASK-freshSEED, data seed 200 + seed."),
    ] = False,
    published: Annotated[bool, typer.Option("--published", help="Train on imported sets d4rl-TASK.")] = False,
    perturb: Annotated[
        str, typer.Option(help="Play these perturbations too (`eval --perturb`), commas between.")
    ] = "",
    train: Annotated[bool, typer.Option("--train/--no-train", help="Train what is not trained here.")] = True,
    rounds: Annotated[int, typer.Option(min=0, help="Timed plans per planner; 0: no times.")] = 1000,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time on this machine.")] = 1,
    ray: Annotated[str | None, typer.Option(help="Address of a Ray cluster, or 'local'.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=NUMBER of every run; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the result file.")] = RESULTS,
    docs: Annotated[Path, typer.Option(help="Page whose tables are written.")] = DOCS,
    readme: Annotated[Path, typer.Option(help="Page whose short table is written, if it has one.")] = README,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train, score and time all planners; what is finished already is kept, so start it again at will.

    The result file grows: records of other seeds, tasks, planners and machines stay in it, and what it holds
    is not measured again.

    Example: `kdp-edge bench suite --seeds 3-10 --fresh --perturb noise-5,late-half,mass+10,mass-10`
    """
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.seeds import parse_seeds
    from kdp_edge.bench.suite import PLANNERS, TWINS, Suite, parse_settings
    from kdp_edge.bench.suite_bars import bars_of
    from kdp_edge.bench.suite_planners import check_planners
    from kdp_edge.bench.suite_rows import Measured, rows
    from kdp_edge.bench.suite_run import Where, measure
    from kdp_edge.bench.suite_table import write_pages
    from kdp_edge.learn.machine import pick_device
    from kdp_edge.tasks import get_task
    from kdp_edge.tasks.perturbed import perturbation_named

    if fresh and published:
        raise KdpError("--fresh and --published exclude each other: published data are there once")
    chosen = tuple(get_task(task).name for task in listed(tasks)) or TWINS
    default = tuple(name for name in PLANNERS if not (published and name == "behaviour"))
    plants = listed(perturb)
    perturbation_named(plants)  # raises for one that there is not
    called = name or ("one-recipe" if fresh else "published" if published else "twins")
    measured = Suite(
        called, chosen, parse_seeds(seeds),
        check_planners(listed(planners)) or default, episodes, k, rounds, published, fresh, tuple(plants),
        pick_device(device), parse_settings(settings or []),
    )  # fmt: skip
    file = out / f"{measured.name}.json"
    with stage_bars() as show:
        results, failures = measure(measured, file, Where(workers, ray, train), show)
    found = Measured(results.records)
    bars = bars_of(found, out)
    write_pages(measured, results, bars, docs, readme)
    if as_json:
        print_json(rows(results))
    else:
        print_rows(found)
        for line in bars.lines():
            print(line)
        print(f"{len(results.records)} records {file}; tables {docs}")
    report(failures)


def listed(text: str) -> list[str]:
    """Names with commas between."""
    return [part.strip() for part in text.split(",") if part.strip()]


def report(failures: list[str]) -> None:
    """Raise `KdpError` (exit code 1) if any job failed."""
    if failures:
        raise KdpError(f"{len(failures)} jobs failed; the first: {failures[0]}", GATE_FAILED)


def print_rows(found: Any) -> None:
    """What was measured (`suite_rows.Measured`) as a table on the terminal, nominal plants alone."""
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.bench.suite import NOMINAL
    from kdp_edge.bench.suite_cells import difference, score

    table = Table()
    for number, column in enumerate(("task", "planner", "seeds", "score", "KDP less it")):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for task in found.tasks:
        for planner in found.planners:
            if (own := found.score(task, planner)) is not None:
                ahead = found.less(task, ("kdp", NOMINAL), (planner, NOMINAL)) if planner != "kdp" else None
                table.add_row(task, planner, str(len(own.seeds)), score(own), difference(ahead))
    Console(width=max(110, Console().width)).print(table)
