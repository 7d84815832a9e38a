# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge hil faults`: what can be played, and what must follow from it."""

from __future__ import annotations

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("faults")(faults)


def faults(as_json: bool = JSON_OPTION) -> None:
    """List the faults that `--fault` plays: what happens, what must follow, and within how many steps.

    Example: `kdp-edge hil faults`
    """
    from kdp_edge.hil.fault_table import rows

    if as_json:
        print_json({"faults": rows()})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("fault", "of", "value", "what happens", "what must follow", show_lines=True)
    for row in rows():
        steps = "@STEP" if row["steps"] == "needed" else ""
        follows = "\n".join(f"{one['says']} ({one['limit']})" for one in row["reactions"])
        table.add_row(row["name"] + steps, row["place"], f"{row['default']:g}", row["meaning"], follows)
    Console().print(table)
    typer.echo("Play one: kdp-edge hil --fault NAME[=VALUE][@FROM:TO], like --fault off@100:120")
