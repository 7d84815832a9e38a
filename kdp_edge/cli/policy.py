# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge policy`: bring a policy that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import JSON_OPTION, print_json

app = typer.Typer(no_args_is_help=True, help="Bring a policy that was trained elsewhere.")


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="policy")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help=".onnx, .zip of Stable-Baselines3, or .pt with a state dict.")],
    calibration: Annotated[
        str,
        typer.Option(
            help="Data set whose observations give the integers their ranges.",
            autocompletion=complete.data_sets,
        ),
    ],
    robot: Annotated[Path | None, typer.Option(help="Robot file; default: the data set's robot.")] = None,
    activation: Annotated[
        str | None,
        typer.Option(help="relu, tanh, elu or sigmoid: between the layers of a state dict, which says none."),
    ] = None,
    squash: Annotated[
        bool, typer.Option("--squash", help="A state dict's answer goes through a tanh.")
    ] = False,
    shares: Annotated[
        bool,
        typer.Option(
            "--shares", help="The answer is a share of each range, -1 to 1, not in the action's unit."
        ),
    ] = False,
    normalizer: Annotated[
        Path | None, typer.Option(help="VecNormalize's statistics as .npz: docs/your-policy.md.")
    ] = None,
    episodes: Annotated[
        int,
        typer.Option(
            min=0,
            help="Episodes that the policy plays first, where the robot has a plant: its own states give the "
            "integers their ranges as well.",
        ),
    ] = 8,
    as_json: bool = JSON_OPTION,
) -> None:
    """Import a deterministic policy as a run: then quantize, export, build, flash and hil work as for KDP.

    Nothing in the file is run, and no pickle is loaded.

    Example: `kdp-edge policy import sac.zip --robot robot.toml --calibration flights`
    """
    from kdp_edge.actors.importing import Told, import_actor

    told = Told(activation, squash, shares, normalizer)
    run = import_actor(file, calibration, robot, told, episodes)
    imported = run.provenance["imported"]
    if as_json:
        print_json({"run": str(run.path), **imported, "task": run.config.task})
        return
    typer.echo(f"Imported {file.name}: {imported['kind']}, {imported['shape']}")
    typer.echo(f"  run: {run.path}")
    typer.echo("  next: kdp-edge quantize")
