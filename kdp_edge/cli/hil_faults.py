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
    """List the faults that `--fault` plays: value, what happens, what must follow.

    Example: `kdp-edge hil faults`
    """
    from dataclasses import asdict

    from kdp_edge.hil.faults import KINDS

    if as_json:
        print_json({"faults": [{"name": name, **asdict(kind)} for name, kind in KINDS.items()]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("fault", "of", "default", "what happens", "what must follow")
    for name, kind in KINDS.items():
        table.add_row(name, kind.place, f"{kind.default:g}", kind.meaning, kind.expected)
    Console().print(table)
