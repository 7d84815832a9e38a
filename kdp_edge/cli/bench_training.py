"""`kdp-edge bench training`: how fast each stage of training is, beside the first version's."""

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
    turns: Annotated[int, typer.Option(min=1, help="Of 16 steps, of every stage and version.")] = 20,
    profile: Annotated[bool, typer.Option("--profile", help="Also the costliest operations.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON result.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Time every stage of training on a data set, interleaved with the first version's, on one core.

    Versions: the first one (float32), today's in float32, and today's in bfloat16 where `train` would
    choose it. `whole run` weighs the stages of `kdp-edge train` by their steps; in brackets, those alone
    that the first version had, too.

    Example: `kdp-edge bench training hopper-medium-expert --profile`
    """
    from kdp_edge.base.files import write_json
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.bench.training_speed import FIRST, STAGES, Bench, result
    from kdp_edge.learn.machine import pick_device, pick_precision
    from kdp_edge.learn.recipes import recipe_for
    from kdp_edge.tasks import get_task

    known, chosen = get_task(task), pick_device(device)
    precisions = dict.fromkeys(("float32", pick_precision("auto", chosen)))
    bench = Bench(recipe_for(known, known.name, device=chosen), [*precisions])
    with progress_bar("turns", turns * len(STAGES)) as show:
        rows = bench.measure(turns, show)
    found = result(bench, rows, turns)
    if profile:
        found["profile"] = {
            version: bench.profile(version, OPERATIONS) for version in (FIRST, [*precisions][-1])
        }
    if out is not None:
        write_json(out, found)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console

    print(f"{found['task']}, {found['machine']}, torch {found['torch']}, {found['steps_timed']} steps each")
    table = _table("stage", "version", "ms a step", "CPU ms", "windows/s", "x first")
    for row in found["rows"]:
        table.add_row(
            row["stage"], row["version"], f"{row['ms_per_step']:.2f}", f"{row['cpu_ms_per_step']:.2f}",
            f"{row['windows_per_s']:,.0f}", f"{row['times_first']:.2f}" if row["times_first"] else "-",
        )  # fmt: skip
    for version, whole in found["whole_run"].items():
        cells = (
            f"{whole['seconds']:.0f} s",
            "",
            f"{whole['windows_per_s']:,.0f}",
            f"{whole['times_first']:.2f} ({whole['times_first_shared']:.2f})",
        )
        table.add_row("whole run", version, *cells)
    Console().print(table)
    for version, stages in found.get("profile", {}).items():
        table = _table(f"{version}: stage", "products, µs a step", "rest", "costliest operations")
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
            justify="left" if number == 0 or column in ("version", "costliest operations") else "right",
        )
    return table
