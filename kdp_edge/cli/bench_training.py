# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench training`: how fast each stage of training is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

OPERATIONS = 8  # of a stage that --profile prints


def register(app: typer.Typer) -> None:
    app.command("training")(training)


def training(
    task: Annotated[str, typer.Argument(help="Its data set must be there: kdp-edge data make TASK.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    turns: Annotated[int, typer.Option(min=1, help="Turns of 16 steps, per stage and precision.")] = 20,
    profile: Annotated[bool, typer.Option("--profile", help="Also print the costliest operations.")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Time every stage of training on one core, in float32 and, where `train` would choose it, bfloat16.

    `whole run` weighs the stages of `kdp-edge train` by their steps.

    Example: `kdp-edge bench training hopper-medium-expert --profile`
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.bench.training_speed import STAGES, Bench, result
    from kdp_edge.learn.machine import pick_device, pick_precision
    from kdp_edge.learn.recipes import recipe_for
    from kdp_edge.learn.traits import traits_named
    from kdp_edge.tasks import get_task

    if out is not None:
        check_result_file(out)
    known, chosen = get_task(task), pick_device(device)
    precisions = dict.fromkeys(("float32", pick_precision("auto", chosen)))
    traits = traits_named(known.name)
    bench = Bench(recipe_for(known, known.name, traits, device=chosen), [*precisions])
    with progress_bar("turns", turns * len(STAGES)) as show:
        rows = bench.measure(turns, show)
    found = result(bench, rows, turns)
    if profile:
        found["profile"] = {precision: bench.profile(precision, OPERATIONS) for precision in precisions}
    if out is not None:
        write_json(out, found)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console

    print(f"{found['task']}, {found['machine']}, torch {found['torch']}, {found['steps_timed']} steps each")
    table = _table("stage", "precision", "ms per step", "CPU ms", "windows/s")
    for row in found["rows"]:
        table.add_row(
            row["stage"], row["precision"], f"{row['ms_per_step']:.2f}", f"{row['cpu_ms_per_step']:.2f}",
            f"{row['windows_per_s']:,.0f}",
        )  # fmt: skip
    for precision, whole in found["whole_run"].items():
        table.add_row(
            "whole run", precision, f"{whole['seconds']:.0f} s", "", f"{whole['windows_per_s']:,.0f}"
        )
    Console().print(table)
    for precision, stages in found.get("profile", {}).items():
        table = _table(f"{precision}: stage", "products, µs per step", "rest", "costliest operations")
        for stage, spent in stages.items():
            names = ", ".join(f"{one['name']} {one['us']:.0f}" for one in spent["operations"][:4])
            table.add_row(stage, f"{spent['products']:.0f}", f"{spent['rest']:.0f}", names)
        Console().print(table)


def _table(*columns: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if number == 0 or column in ("precision", "costliest operations") else "right",
        )
    return table
