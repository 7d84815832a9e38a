# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data import`: check somebody's data and store them for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json
from kdp_edge.cli.data import print_set


def register(app: typer.Typer) -> None:
    app.command("import")(import_set)


def import_set(
    source: Annotated[str, typer.Argument(help="FILE.hdf5, URL of one, Minari id or folder.")],
    name: Annotated[str, typer.Option(help="Name of the data set here.")],
    task: Annotated[str | None, typer.Option(help="Task of the data; known for published files.")] = None,
    sha256: Annotated[str | None, typer.Option(help="SHA-256 of the file; needed for a URL.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Let Minari download the set.")] = False,
    clip_actions: Annotated[
        bool, typer.Option("--clip-actions", help="Clip actions outside the range instead of refusing them.")
    ] = False,
    rate_hz: Annotated[float | None, typer.Option(min=0.01, help="Own robot: control rate.")] = None,
    env_id: Annotated[str, typer.Option(help="Own robot: Gymnasium environment, module:id.")] = "",
    observations: Annotated[str, typer.Option(help="Own robot: names, with commas between.")] = "",
    actions: Annotated[str, typer.Option(help="Own robot: names, with commas between.")] = "",
    act_low: Annotated[float, typer.Option(help="Own robot: smallest action.")] = -1.0,
    act_high: Annotated[float, typer.Option(help="Own robot: largest action.")] = 1.0,
    safe_action: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]VALUE|hold", help="Own robot: what a stop plays; repeatable."),
    ] = None,
    robot_file: Annotated[
        Path | None, typer.Option("--robot", help="Own robot: its file, instead of the options above.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the data set of that name.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Check a published data set, or your own, and store it for training.

    Published: `kdp-edge data import hopper_medium_expert-v2.hdf5 --name hopper-d4rl`

    Your robot: `kdp-edge data import arm.hdf5 --name my-arm --rate-hz 50`, then `kdp-edge train my-arm`
    """
    from kdp_edge.base.errors import KdpError
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.data.importing import OwnRobot, Source
    from kdp_edge.data.importing import import_set as import_it
    from kdp_edge.tasks import Robot, load_robot

    robot: OwnRobot | Robot | None = None
    if rate_hz is not None:
        safe = tuple(safe_action or ())
        robot = OwnRobot(rate_hz, env_id, _names(observations), _names(actions), act_low, act_high, safe)
    if robot_file is not None:
        if robot is not None:
            raise KdpError("--robot excludes --rate-hz and what goes with it: the file says all of it")
        robot = load_robot(robot_file)
    with stage_bars() as show_bar:
        made = import_it(
            Source(source, task, sha256, download, clip_actions), name, robot, force,
            lambda done, total: show_bar("download", done, total),
        )  # fmt: skip
    if as_json:
        print_json(made.meta)
        return
    print_set(made.name, made.meta)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
