# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data import`: check somebody's data and store them for training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json
from kdp_edge.cli.data import print_set


def register(app: typer.Typer) -> None:
    app.command("import")(import_set)


def import_set(
    source: Annotated[str, typer.Argument(help="File, folder, pattern of files, URL or Minari id.")],
    name: Annotated[str, typer.Option(help="Name of the data set here.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto, d4rl, minari, lerobot, robomimic, ogbench, zarr, maniskill, csv or parquet.",
        ),
    ] = "auto",
    task: Annotated[str | None, typer.Option(help="Task of the data; known for published files.")] = None,
    sha256: Annotated[str | None, typer.Option(help="SHA-256 of the file; needed for a URL.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Let Minari download the set.")] = False,
    clip_actions: Annotated[
        bool, typer.Option("--clip-actions", help="Clip actions outside the range instead of refusing them.")
    ] = False,
    rate_hz: Annotated[
        float | None, typer.Option(min=0.01, help="Own robot: control rate, unless the data say it.")
    ] = None,
    env_id: Annotated[str, typer.Option(help="Own robot: Gymnasium environment, module:id.")] = "",
    observations: Annotated[
        str,
        typer.Option(help="Own robot: keys or columns to observe, with commas; of one array: its names."),
    ] = "",
    actions: Annotated[str, typer.Option(help="Own robot: the same of actions.")] = "",
    reward: Annotated[str, typer.Option(help="Own robot: key or column of rewards.")] = "",
    episode: Annotated[
        str, typer.Option(help="Logs: column that tells episodes apart; default: files.")
    ] = "",
    time: Annotated[str, typer.Option(help="Logs: column of time stamps; gives the rate.")] = "",
    ends: Annotated[
        str,
        typer.Option(
            help="What an episode's end means: cut (time limit) or terminal.", metavar="cut|terminal"
        ),
    ] = "",
    act_low: Annotated[
        float | None, typer.Option(help="Own robot: smallest action; default: the data's space, or -1.")
    ] = None,
    act_high: Annotated[
        float | None, typer.Option(help="Own robot: largest action; default: the data's space, or 1.")
    ] = None,
    safe_action: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]VALUE|hold", help="Own robot: what a stop plays; repeatable."),
    ] = None,
    robot_file: Annotated[
        Path | None, typer.Option("--robot", help="Own robot: its file, instead of rate, range and so on.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the data set of that name.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Check a published data set, or your own, and store it for training.

    Published: `kdp-edge data import hopper_medium_expert-v2.hdf5 --name hopper-d4rl`

    Your robot: `kdp-edge data import arm.hdf5 --name my-arm --rate-hz 50`, then `kdp-edge train my-arm`

    A log: `kdp-edge data import log.csv --name my-arm --observations angle,speed --actions torque --time t`
    """
    from kdp_edge.base.errors import KdpError
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.data.declared import OwnRobot
    from kdp_edge.data.formats.found import Choice
    from kdp_edge.data.importing import Source
    from kdp_edge.data.importing import import_set as import_it
    from kdp_edge.tasks import Robot, load_robot

    names = _names(observations), _names(actions)
    choice = Choice(reward=reward, episode=episode, time=time, ends=ends)
    robot: OwnRobot | Robot | None = None
    if robot_file is not None:
        if (rate_hz, env_id, act_low, act_high, safe_action) != (None, "", None, None, None):
            raise KdpError("--robot excludes --rate-hz, --env-id, --act-low, --act-high and --safe-action")
        robot, choice = load_robot(robot_file), replace(choice, observations=names[0], actions=names[1])
    else:
        said = OwnRobot(rate_hz, env_id, *names, act_low, act_high, tuple(safe_action or ()))
        robot = said if said != OwnRobot() else None
    with stage_bars() as show_bar:
        made = import_it(
            Source(source, task, sha256, download, clip_actions, kind, choice), name, robot, force,
            lambda done, total: show_bar("download", done, total),
        )  # fmt: skip
    if as_json:
        print_json(made.meta)
        return
    print_set(made.name, made.meta)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
