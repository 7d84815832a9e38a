# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data`: make, import and inspect data sets; one file per subcommand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer

SUBCOMMANDS = ("make", "import", "show", "list", "policy")


def register(app: typer.Typer) -> None:
    """Add the command group with every subcommand."""
    data = typer.Typer(help="Make and inspect data sets.", no_args_is_help=True)
    for name in SUBCOMMANDS:
        import_module(f"kdp_edge.cli.data_{name}").register(data)
    app.add_typer(data, name="data")


def print_set(name: str, meta: dict[str, Any]) -> None:
    """What a data set is and what its behaviour achieves, as a table."""
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.base.provenance import simulator_note
    from kdp_edge.base.statistics import success_text
    from kdp_edge.data import store

    title = f"{store.dataset_id(name)}: {meta['transitions']} transitions, {meta.get('origin', store.TWIN)}"
    table = Table(title=title, title_justify="left")
    for column in ("policy", "complete episodes", "return", "score", "mean length"):
        table.add_column(
            column, justify="left" if column == "policy" else "right", no_wrap=column == "policy"
        )
    for policy, row in [*meta["by_policy"].items(), ("all", meta["behaviour"])]:
        table.add_row(
            policy,
            str(row["complete_episodes"]),
            "-" if row["return_mean"] is None else f"{row['return_mean']} ± {row['return_std']}",
            "-" if row["score_mean"] is None else str(row["score_mean"]),
            str(row["length_mean"]),
        )
    console = Console()
    console.print(table)
    if meta["behaviour"].get("success_rate") is not None:
        console.print(f"success of its episodes: {success_text(meta['behaviour'])}", highlight=False)
    if meta.get("read_as"):
        console.print(f"read as {meta['read_as']}", soft_wrap=True, markup=False, highlight=False)
    if drawn := meta.get("recipe", {}).get("randomise"):
        ranges = ", ".join(f"{what} {low:g} to {high:g}" for what, (low, high) in drawn.items())
        console.print(f"plant drawn for each episode, factors: {ranges}", soft_wrap=True, highlight=False)
    if not meta.get("has_rewards", True):
        console.print(
            "demonstrations without rewards: nothing here tells which of them are good", soft_wrap=True
        )
    for note in (*meta.get("notes", []), *simulator_note(meta)):
        console.print(f"note: {note}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"folder {store.dataset_path(name)}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"sha256 {meta['sha256']}", soft_wrap=True, highlight=False)
