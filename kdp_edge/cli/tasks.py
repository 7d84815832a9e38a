# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge tasks`: built-in tasks and imported robots."""

from __future__ import annotations

from typing import Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tasks")(tasks)


def tasks(as_json: bool = JSON_OPTION) -> None:
    """List the tasks: signals, control rate, simulator, whether their data are here.

    Example: `kdp-edge tasks`
    """
    from kdp_edge.data import store
    from kdp_edge.tasks import get_task
    from kdp_edge.tasks.registry import task_names

    rows: list[dict[str, Any]] = []
    for name in task_names():
        task = get_task(name)
        rows.append(
            {"name": name, "observations": task.obs_dim, "actions": task.act_dim, "rate_hz": task.rate_hz,
             "env_id": task.plant_name, "data": store.exists(name)}
        )  # fmt: skip
    if as_json:
        print_json({"tasks": rows})
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("task", "observations", "actions", "Hz", "environment", "data here")
    for row in rows:
        numbers = [f"{row[key]:g}" for key in ("observations", "actions", "rate_hz")]
        table.add_row(row["name"], *numbers, escape(row["env_id"]) or "-", "yes" if row["data"] else "no")
    Console().print(table)
