# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge report`: the table of a closed-loop run, or of two of them against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kdp_edge.hil.result import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    folder: Annotated[
        Path | None, typer.Argument(help="A report's folder; without it the newest one.")
    ] = None,
    other: Annotated[Path | None, typer.Argument(help="A second report to compare the first with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Print the side-by-side table of a report; with two folders, what changed from the first to the second.

    Example: `kdp-edge report kdp-work/reports/before kdp-work/reports/after`

    Exit code 1 when the report (with two, the second one) did not pass.
    """
    from kdp_edge.base.workspace import workspace
    from kdp_edge.cli.common import print_json
    from kdp_edge.hil.compare_reports import changes
    from kdp_edge.hil.report import newest, read

    chosen = folder or newest(workspace() / "reports")
    first = read(chosen)
    second = read(other) if other else None
    if second is not None:
        rows = changes(first, second)
        if as_json:
            print_json({"changes": rows, "passed": second.passed})
        else:
            _print_changes(rows, first, second)
    elif as_json:
        print_json(first.to_json())
    else:
        print_report(first)
        typer.echo(f"Report: {chosen / 'report.html' if chosen.is_dir() else chosen}")
    raise typer.Exit(0 if (second or first).passed else 1)


def print_report(report: Report) -> None:
    """Verdicts, table and failed gates of a report."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from kdp_edge.hil.table import sections, shown
    from kdp_edge.hil.verdicts import may_i

    console = Console()
    for verdict in report.verdicts:
        style = {"passed": "green", "failed": "red"}.get(verdict.outcome, "bright_black")
        name = "Device = prediction" if verdict.name == "device" else "Behaviour"
        text = f"{name}: [{style}]{verdict.outcome.upper()}[/], {escape(verdict.says)}"
        console.print(text, soft_wrap=True, highlight=False)
    if report.verdicts:
        console.print(escape(may_i(report)), soft_wrap=True, highlight=False)
    for note in report.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True, highlight=False)
    title = f"{report.task}: {len(report.seeds)} episodes, {report.mode}, {report.rate_hz:g} Hz"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=0)
    table.add_column(no_wrap=True)
    for name in report.devices:
        table.add_column(escape(name), justify="right", overflow="fold")
    for section in sections(report, brief=True):
        for row in section.rows:
            table.add_row(row.label, *row.cells)
        table.add_section()
    console.print(table)
    for gate in report.failed:
        console.print(
            f"[red]FAILED[/] {escape(gate.name)}: {escape(shown(gate.value))}, expected {escape(gate.limit)}",
            soft_wrap=True,
            highlight=False,
        )


def _print_changes(rows: list[dict[str, str]], first: Report, second: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    times = [value.provenance.time for value in (first, second)]
    table = Table("device", "", times[0], times[1], "change", "", title=f"{first.task} -> {second.task}")
    styles = {"better": "green", "worse": "red"}
    for row in rows:
        cells = [escape(row[name]) for name in ("device", "what", "before", "after", "change")]
        table.add_row(*cells, row["verdict"], style=styles.get(row["verdict"]))
    console = Console()
    console.print(table if rows else "Nothing changed that is more than noise.")
