# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge data policy`: train a behaviour policy of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.base.errors import KdpError
from kdp_edge.cli.common import JSON_OPTION, print_json


def register(app: typer.Typer) -> None:
    app.command("policy")(policy)


def policy(
    task: Annotated[str, typer.Argument(help="Whose environment to train on, for example hopper-medium.")],
    steps: Annotated[int, typer.Option(min=100, help="Number of environment steps.")] = 300_000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    evaluate_every: Annotated[int, typer.Option(min=50, help="Steps between checkpoints.")] = 50_000,
    stop_at: Annotated[float | None, typer.Option(help="Stop at this mean return.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of checkpoints; default: the workspace.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Train a behaviour policy with soft actor-critic; every evaluation leaves a checkpoint.

    Then: `kdp-edge data make hopper-medium --policy kdp-work/policies/hopper-medium_0300000.npz --name mine`

    Example: `kdp-edge data policy hopper-medium --steps 300000 --stop-at 1400`
    """
    from math import inf, isnan

    from kdp_edge.base.progress import progress_bar
    from kdp_edge.base.workspace import workspace
    from kdp_edge.data.making.sac import SacConfig, train_policy
    from kdp_edge.tasks import get_task

    if stop_at is not None and isnan(stop_at):
        raise KdpError("--stop-at nan: expected a return at which to stop")
    found = get_task(task)
    config = SacConfig(
        steps=steps, seed=seed, evaluate_every=evaluate_every, random_steps=min(5_000, steps // 2)
    )
    folder = out or workspace() / "policies"
    with progress_bar(f"training on {found.name}", steps) as progress:
        records = train_policy(found, config, folder, inf if stop_at is None else stop_at, progress)
    if as_json:
        print_json(records)
        return
    for record in records:
        mean, std = record["return_mean"], record["return_std"]
        print(f"{record['steps']} steps: return {mean} ± {std}, score {record['score']}, {record['file']}")
