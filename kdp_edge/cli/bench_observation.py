# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench observation`: how an observation should enter the net, decided in the closed loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, choose_run, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("observation")(observation)


def observation(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    episodes: Annotated[int, typer.Option(min=2, help="Episodes per format, with the same seeds.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Score int8, int16 and float observations of the same integer net, beside the float policy.

    Example: `kdp-edge bench observation --episodes 20`
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.bench.observation import observation_formats
    from kdp_edge.play.evaluate import FIRST_SEED
    from kdp_edge.quantization.policy import quantize_run

    if out is not None:
        check_result_file(out)
    chosen = choose_run(run, quiet=as_json)
    rows = observation_formats(chosen, quantize_run(chosen), range(FIRST_SEED, FIRST_SEED + episodes))
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

    from kdp_edge.base.statistics import span

    table = Table(title=f"{rows[0]['task']}, {rows[0]['episodes']} episodes", title_justify="left")
    for column in ("observation", "score", "95 % interval", "lowest"):
        table.add_column(column, justify="left" if column == "observation" else "right")
    for row in rows:
        score, lowest = f"{row['score_mean']:.1f}", f"{row['score_min']:.1f}"
        table.add_row(row["observation"], score, span(row["score_ci95"]), lowest)
    Console().print(table)
