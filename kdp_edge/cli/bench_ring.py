# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench ring`: whether plans take one of two equal ways."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ring")(ring)


def ring(
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each net.")] = 4000,
    episodes: Annotated[int, typer.Option(min=10, help="Episodes of the data.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of data and nets.")] = 0,
    anchor_tau: Annotated[
        list[float] | None, typer.Option(min=0, help="Anchor of latent 0: 0 is the mean; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train on a ring with two equal ways; count plans that lie between, by the anchor of latent 0.

    Example: `kdp-edge bench ring --anchor-tau 0 --anchor-tau 0.1`
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.ring import ways

    if out is not None:
        check_result_file(out)
    with stage_bars() as show:
        rows = ways(tuple(anchor_tau or (0.0, 0.1)), steps, episodes, seed, show)
    if out is not None:
        write_json(out, rows)
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("windows", "between", "one way", "forks with both"):
        table.add_column(column, justify="left" if column == "windows" else "right")
    for row in rows:
        table.add_row(row["what"], *(f"{row[name]:.0%}" for name in ("between", "clear", "both")))
    Console().print(table)
