# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench ring`: whether plans take one of two equal ways, and the free one where one is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ring")(ring)


def ring(
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each net.")] = 3000,
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, with commas between.")] = "31,32,33",
    data_seed: Annotated[int, typer.Option(min=0, help="Seed of the data.")] = 31,
    episodes: Annotated[
        int, typer.Option(min=2, help="Episodes on the free ring, and with a way closed.")
    ] = 40,
    out: Annotated[Path | None, typer.Option(help="Also write the result as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the plans at a fork, as SVG.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train on a ring with two equal ways; count plans that lie between, and episodes that reach the goal.

    What was trained stays in the workspace, and the same command goes on from there.

    Example: `kdp-edge bench ring --out ring.json --picture ring.svg`
    """
    from kdp_edge.base.files import check_result_file, write_json, write_text
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.ring import Settings, measure, parse_seeds
    from kdp_edge.bench.ring_picture import svg

    chosen = Settings(parse_seeds(seeds), data_seed, steps, episodes)
    for file in (out, picture):
        if file is not None:
            check_result_file(file)
    with stage_bars() as show:
        result = measure(chosen, show)
    if out is not None:
        write_json(out, result)
    if picture is not None:
        write_text(picture, svg(result["picture"], result["clear"]))
    if as_json:
        print_json(result)
    else:
        _print(result)


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.base.statistics import span

    ways = Table(title="Plans at a fork")
    for column in ("plans", "between", "interval over seeds", "left", "right", "forks with both"):
        ways.add_column(column, justify="left" if column == "plans" else "right")
    for row in result["ways"]:
        shares = [f"{row[name]:.0%}" for name in ("between", "left", "right", "both")]
        ways.add_row(row["what"], shares[0], span(row["between_ci95"], ".1%"), *shares[1:])
    loop = Table(title="In the loop")
    for column in ("planner", "reached, free", "score", "reached, one way closed", "score"):
        loop.add_column(column, justify="left" if column == "planner" else "right")
    for row in result["loop"]:
        states = (row["free"], row["closed"])
        cells = [(f"{state['success_rate']:.0%}", f"{state['score']:.1f}") for state in states]
        loop.add_row(row["what"], *cells[0], *cells[1])
    for table in (ways, loop):
        Console().print(table)
