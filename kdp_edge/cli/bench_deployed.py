# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench deployed`: what a plan costs as int8 C, of KDP and of its rivals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("deployed")(deployed)


def deployed(
    task: Annotated[str, typer.Option(help="Task whose signals and actuators the nets have.")] = (
        "hopper-medium-expert"
    ),
    width: Annotated[int, typer.Option(min=1, help="Neurons of a hidden layer.")] = 128,
    k: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="Candidates per plan; repeatable; default: 1, 8.")
    ] = None,
    boards: Annotated[
        str, typer.Option(help="Emulated cores with commas between; empty: none.")
    ] = "stm32f405,mps2-an500,mps3-an547",
    rounds: Annotated[int, typer.Option(min=10, help="Plans of each planner that are timed here.")] = 400,
    faster: Annotated[float, typer.Option(min=0, help="Exit 1 unless C is N times as fast.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Time whole plans of KDP, 20, 5 and 1 denoising steps and cloning in the form that is deployed.

    The nets have the shapes of the task's and random weights: time does not depend on them. All are int8,
    with the same kernels, latents, critic and choice; here they take turns in one process with torch, and
    emulated cores count instructions. Every byte of every candidate is held against the integer reference.
    Exit code 1 unless 20 denoising steps cost --faster times as much as KDP in C, at every K.

    Example: `kdp-edge bench deployed --k 1 --k 8 --boards ""`
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.bench.deployed import TORCH, measure
    from kdp_edge.bench.firmware.boards import board_named
    from kdp_edge.tasks import get_task

    if out is not None:
        check_result_file(out)
    chosen = [board_named(name.strip()) for name in boards.split(",") if name.strip()]
    with stage_bars() as show:
        rows = measure(get_task(task), k or [1, 8], chosen, rounds, show, width=width)
    if out is not None:
        write_json(out, rows)
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    slow = (row for row in rows if row["planner"] == "diffusion-20" and row["form"] != TORCH)
    if any(row["times_kdp"] < faster for row in slow):
        raise typer.Exit(1)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("form", "K", "planner"):
        table.add_column(column, no_wrap=True)
    for column in ("a plan", "x KDP"):
        table.add_column(column, justify="right", no_wrap=True)
    for row, before in zip(rows, [None, *rows], strict=False):
        if before and (before["form"], before["k"]) != (row["form"], row["k"]):
            table.add_section()
        cost = f"{row['cost']:.1f} us" if row["unit"] == "us" else f"{row['cost'] / 1e3:,.0f}k instr."
        table.add_row(row["form"], str(row["k"]), row["planner"], cost, f"{row['times_kdp']:.1f}")
    Console().print(table)
