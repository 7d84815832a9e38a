# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench policies`: imported policies, integers against float."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

RESULT = Path("benchmarks/results/policies.json")


def register(app: typer.Typer) -> None:
    app.command("policies")(policies)


def policies(
    run: Annotated[
        list[Path] | None, typer.Option(help="Imported run; repeatable. Default: all of the workspace.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per policy, float and integers each.")] = 20,
    out: Annotated[Path, typer.Option(help="File of the rows.")] = RESULT,
    as_json: bool = JSON_OPTION,
) -> None:
    """Play imported policies in float and in integers on the same episodes. Exit code 1: one lost above 1 %.

    benchmarks/policies/make.py writes and imports those of the committed result.

    Example: `kdp-edge bench policies --episodes 20`
    """
    from kdp_edge.base.errors import KdpError
    from kdp_edge.base.files import write_json
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.base.workspace import runs_folder
    from kdp_edge.bench.policies import measure
    from kdp_edge.run import ACTOR_FILE, Run

    paths = run or sorted(path.parent for path in runs_folder().glob(f"*/{ACTOR_FILE}"))
    if not paths:
        raise KdpError(f"no imported policy in {runs_folder()}; import one: kdp-edge policy import")
    rows = []
    for path in paths:
        one = Run.load(path)
        with progress_bar(path.name, 2 * one.task().max_episode_steps) as progress:
            rows.append(measure(one, episodes, progress))
    command = f"kdp-edge bench policies --episodes {episodes}"
    write_json(out, {"command": command, "made_by": "benchmarks/policies/make.py", "rows": rows})
    if as_json:
        print_json({"rows": rows})
    else:
        for row in rows:
            fallen = row["fallen"]
            typer.echo(
                f"{row['task']}, {row['kind']} {row['shape']}: float {row['float_return']:.1f}, "
                f"integers {row['integer_return']:.1f}: {row['difference_percent']:+.2f} % "
                f"({row['difference_ci95']}), median {row['median_percent']:+.2f} %, "
                f"fallen {fallen['float']} and {fallen['integer']}"
            )
        typer.echo(f"rows {out}")
    if not all(row["within"] for row in rows):
        raise typer.Exit(1)
