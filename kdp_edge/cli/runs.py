# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge runs`: the runs of the workspace, newest last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("runs")(runs)


def runs(as_json: bool = JSON_OPTION) -> None:
    """List the runs of the workspace: task, when finished, score, whether quantized.

    Example: `kdp-edge runs`
    """
    from kdp_edge.base.workspace import runs_folder

    rows = [_row(path) for path in sorted(runs_folder().glob("*")) if path.is_dir()]
    rows.sort(key=lambda row: row["finished_utc"] or "")
    if as_json:
        print_json({"runs": rows})
        return
    if not rows:
        typer.echo(f"No runs in {runs_folder()}; train one: kdp-edge train hopper-medium-expert")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "task", "finished (UTC)", "score", "int8")
    for row in rows:
        score = "-" if row["score"] is None else f"{row['score']:.1f}"
        cells = (row["name"], row["task"] or "-", row["finished_utc"] or row["state"], score)
        table.add_row(*map(escape, cells), "yes" if row["quantized"] else "no")
    Console().print(table)


def _row(path: Path) -> dict[str, Any]:
    """What is known of a folder among the runs; one that cannot be read says so."""
    from kdp_edge.base.errors import KdpError
    from kdp_edge.exporters.bundle import model_score
    from kdp_edge.quantization.policy import is_quantized
    from kdp_edge.run import Run

    row: dict[str, Any] = {"name": path.name, "path": str(path), "task": None, "finished_utc": None}
    try:
        run = Run.load(path)
    except KdpError as error:
        unfinished = "unfinished" in str(error)
        return row | {
            "state": "unfinished" if unfinished else "unreadable",
            "score": None,
            "quantized": False,
        }
    return row | {
        "task": run.config.task,
        "finished_utc": run.provenance.get("finished_utc"),
        "state": "finished",
        "score": model_score(run),
        "quantized": is_quantized(run),
    }
