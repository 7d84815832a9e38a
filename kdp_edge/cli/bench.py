# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench`: measurements that anybody can repeat; one file per subcommand."""

from __future__ import annotations

from importlib import import_module

import typer

SUBCOMMANDS = (
    "firmware", "observation", "robust", "ring", "planners", "ablation", "suite", "task", "training", "cut",
    "soak", "policies", "loop", "deployed",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command group with every subcommand."""
    bench = typer.Typer(no_args_is_help=True, help="Measure kernels, tasks and the whole suite.")
    for name in SUBCOMMANDS:
        import_module(f"kdp_edge.cli.bench_{name}").register(bench)
    app.add_typer(bench, name="bench")
