# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge robot`: write a robot file, and hold one against data and plant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

app = typer.Typer(no_args_is_help=True, help="Declare a robot: its signals, ranges, plant and safe actions.")


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="robot")


@app.command("new")
def new(
    name: Annotated[str, typer.Option(help="Name of the robot.")],
    model: Annotated[
        Path | None, typer.Argument(help="MuJoCo model (MJCF), in or below the folder of --out.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write; an existing one is left alone.")] = Path(
        "robot.toml"
    ),
    env_id: Annotated[str, typer.Option(help="Gymnasium environment, module:id.")] = "",
    data: Annotated[Path | None, typer.Option(help="HDF5 file of its data.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Control rate; else the environment's.")] = None,
) -> None:
    """Write a robot file with every line commented, from a model, an environment, a data file or both.

    Names, units and what a stop plays are yours to fill in.

    Example: `kdp-edge robot new --name quad --env-id my_envs:Quad-v0 --out quad.toml`

    Without Python: `kdp-edge robot new quad.xml --name quad --rate-hz 100 --out quad.toml`
    """
    import os
    from dataclasses import replace

    from kdp_edge.base.errors import KdpError
    from kdp_edge.base.files import write_text
    from kdp_edge.data.robots import drafted
    from kdp_edge.tasks.robot_text import robot_text

    if out.exists():
        raise KdpError(f"{out} exists; choose another --out, or edit it")
    robot = drafted(name, env_id, data, rate_hz, model)
    if model is not None:  # as seen from the robot file
        place = os.path.relpath(model, out.absolute().parent)
        robot = replace(robot, plant=replace(robot.plant, mjcf=place))
    write_text(out, robot_text(robot))
    typer.echo(f"Wrote {out}: {len(robot.observations)} observations, {len(robot.actions)} actions")
    typer.echo(f"  fill in names, units and safe actions, then: kdp-edge robot check {out}")


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Robot file.")],
    data: Annotated[Path | None, typer.Option(help="HDF5 file of its data.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Hold a robot file against its plant (one reset, one step) and a data file.

    Example: `kdp-edge robot check quad.toml --data flights.hdf5`

    Exit codes: 0 everything fits, 2 something does not, or the file is none.
    """
    from kdp_edge.data.robots import checked
    from kdp_edge.tasks import load_robot

    robot = load_robot(file)
    found = checked(robot, data)
    if as_json:
        print_json({"robot": robot.name, "sha256": robot.sha256(), "checks": found})
        return
    for line in found:
        typer.echo(f"  {line}")
