# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data make`: roll behaviour policies into a data set."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json
from kdp_edge.cli.data import print_set

if TYPE_CHECKING:
    from kdp_edge.tasks import Part, Task


def register(app: typer.Typer) -> None:
    app.command("make")(make)


def make(
    task: Annotated[str, typer.Argument(help="For example hopper-medium-expert.")],
    steps: Annotated[
        int | None, typer.Option(help="Transitions of all behaviour policies together; default: the task's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of environments and policies.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    name: Annotated[str | None, typer.Option(help="Name of the data set; default: the task's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the data set of that name.")] = False,
    policies: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            help="Behaviour policy of your own, FILE.npz[:SHARE], instead of the shipped ones; repeatable.",
        ),
    ] = None,
    randomise: Annotated[
        bool,
        typer.Option(
            "--randomise",
            help="Draw mass ±15 %, friction ±20 % and actuators ±10 % for every episode; stored as a set of "
            "its own, TASK-randomised without --name.",
        ),
    ] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Roll the shipped behaviour policies in MuJoCo and store a Minari data set.

    Example: `kdp-edge data make hopper-medium-expert`
    """
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.data.making.make import make as make_set
    from kdp_edge.tasks import get_task

    found = get_task(task)
    if policies:
        found = replace(found, recipe=_own_recipe(policies, found))
    total = found.default_steps if steps is None else steps
    with progress_bar(f"rolling {found.name}", total) as progress:
        made = make_set(found, total, seed, workers, name, force, progress, randomise)
    if as_json:
        print_json(made.meta)
        return
    if made.reused:
        print(f"data set '{made.name}' is there already with this recipe; reused (--force remakes it)")
    print_set(made.name, made.meta)


def _own_recipe(texts: list[str], task: Task) -> tuple[Part, ...]:
    from kdp_edge.data.making.policy import load_policy
    from kdp_edge.tasks import Part

    shares = []
    for text in texts:
        file, _, share = text.partition(":")
        load_policy(Path(file), task.obs_dim, task.act_dim)  # raises if it is none for this task
        try:
            shares.append((str(Path(file).absolute()), float(share or 1.0)))
        except ValueError:
            raise KdpError(f"--policy {text}: expected FILE.npz or FILE.npz:SHARE, found '{share}'") from None
    whole = sum(share for _, share in shares)
    if not isfinite(whole) or min(share for _, share in shares) <= 0:
        raise KdpError(f"--policy {' '.join(texts)}: expected finite shares above 0")
    return tuple(Part(file, share / whole) for file, share in shares)
