# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench robust`: a run on plants that are not the nominal one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, choose_run, integer_planner, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("robust")(robust)


def robust(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    episodes: Annotated[int, typer.Option(min=2, help="Episodes of each, with the same seeds.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first episode.")] = 1000,
    perturb: Annotated[
        str, typer.Option(help="Perturbations with commas between; default: all of `eval --perturb`.")
    ] = "",
    integers: Annotated[bool, typer.Option("--int8/--no-int8", help="Play the integer planner too.")] = True,
    out: Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Score float, int8 and the policies of the data side by side under noise, delay and another body.

    20 denoising steps are played as well where the run has baselines (`bench suite`).

    Example: `kdp-edge bench robust --perturb noise-5,late-half,mass+10`
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.robust import robustness
    from kdp_edge.tasks.perturbed import PERTURBATIONS, perturbation_named

    names = [name.strip() for name in perturb.split(",")] if perturb else list(PERTURBATIONS)
    perturbation_named(names)  # raises for one that there is not
    if out is not None:
        check_result_file(out)
    chosen = choose_run(run, quiet=as_json)
    planner = integer_planner(chosen) if integers else None
    with stage_bars() as show:
        rows = robustness(chosen, planner, range(seed, seed + episodes), names, show)
    for row in rows:
        row |= {"task": chosen.config.task, "seed": chosen.config.seed, "git": chosen.provenance.get("git")}
    if out is not None:
        write_json(out, rows)
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    planners = list(dict.fromkeys(row["planner"] for row in rows))
    table = Table(title=f"{rows[0]['task']}, {rows[0]['episodes']} episodes", title_justify="left")
    for column in ("plant", *planners):
        table.add_column(column, justify="left" if column == "plant" else "right")
    score = {(row["perturbation"], row["planner"]): f"{row['score_mean']:.1f}" for row in rows}
    for plant in dict.fromkeys(row["perturbation"] for row in rows):
        table.add_row(plant, *(score[plant, planner] for planner in planners))
    Console().print(table)
