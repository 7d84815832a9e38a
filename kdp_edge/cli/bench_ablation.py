# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench ablation`: which part of the drift field does what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json

RESULTS = Path("benchmarks/ablation")
DOCS = Path("docs/ablation.md")


def register(app: typer.Typer) -> None:
    app.command("ablation")(ablation)


def ablation(
    run: Annotated[
        list[Path] | None, typer.Option(help="Base run, once per seed; default: the newest run.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Newest run of this task.")] = None,
    variants: Annotated[str, typer.Option(help="Names with commas between; default: all variants.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per base run and planner.")] = 20,
    k: Annotated[int, typer.Option(min=1, help="Candidates per plan.")] = 16,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=NUMBER of every variant; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the result file.")] = RESULTS,
    docs: Annotated[Path, typer.Option(help="Page whose table is written.")] = DOCS,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train every variant beside a run, score it, and write the table; finished variants are kept.

    Example: `kdp-edge bench ablation --task hopper-medium-expert --set steps=6000`
    """
    from kdp_edge.run import Run, newest_run

    runs = [Run.load(path) for path in run] if run else [newest_run(task)]
    tasks = {one.config.task for one in runs}
    if len(tasks) > 1 or (task and tasks != {task}):
        raise KdpError(f"--run: expected runs of one task, found {', '.join(sorted(tasks))}")
    from kdp_edge.base.files import write_json
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.ablation import measure, table, variants_named, write_docs
    from kdp_edge.bench.suite import parse_settings

    chosen = variants_named([name.strip() for name in variants.split(",") if name.strip()])
    changes = dict(parse_settings(settings or []))
    name, rows = runs[0].config.task, []
    with stage_bars() as show:
        for number, variant in enumerate(chosen):
            rows.append(measure(runs, variant, changes, k, episodes, show))
            write_json(out / f"{name}.json", rows)  # what is measured is not lost to an interrupt
            show("variants", number + 1, len(chosen))
    write_docs(docs, name, rows)
    if as_json:
        print_json(rows)
    else:
        print(table(rows))
        print(f"rows {out / f'{name}.json'}; table {docs}")
