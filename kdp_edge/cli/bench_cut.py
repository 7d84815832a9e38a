# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench cut`: one fault at every byte of a session, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, choose_run, integer_planner, of_policy, print_json

if TYPE_CHECKING:
    from kdp_edge.bench.cut import Tally

RESULT = Path("benchmarks/results/cut.json")


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("cut")(cut)


def cut(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    steps: Annotated[int, typer.Option(min=4, help="Control steps of the session.")] = 10,
    every: Annotated[int, typer.Option(min=1, help="Only at every N-th byte.")] = 1,
    out: Annotated[Path, typer.Option(help="File for the result as JSON.")] = RESULT,
    as_json: bool = JSON_OPTION,
) -> None:
    """Lose, flip and insert every byte of a session with native; cut the link, pull the plug, restart there.

    Example: `kdp-edge bench cut --every 20 --out cut.json`

    After each fault the device must be found again, reset, and play as predicted. Exit code 1 when an action
    was wrong, something hung, or a device did not recover.
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.bench.cut import FAULTS, Cutter, Subject, recorded
    from kdp_edge.hil.devices import open_device
    from kdp_edge.tasks.environments import make_env

    check_result_file(out)
    chosen = choose_run(run, quiet=as_json)
    planner = integer_planner(chosen)
    env = make_env(chosen.task())
    session = recorded(planner, env, steps)
    env.close()
    with open_device("native", planner) as device:
        assert device.restart is not None
        subject = Subject(device.pipe, device.restart)
        cutter = Cutter(session, subject)
        with progress_bar("spots", len(cutter.spots(FAULTS, every))) as progress:
            tallies = cutter.cut_everywhere(FAULTS, every, progress)
    found = {
        "device": "native",
        "steps": len(session.observations),
        "bytes": cutter.sizes,
        "every": every,
        "rows": [vars(tally) for tally in tallies],
        "passed": all(tally.passed for tally in tallies),
    }
    result = of_policy(found, chosen, planner)
    write_json(out, result)
    if as_json:
        print_json(result)
    else:
        _print(tallies)
        typer.echo(f"Written: {out}")
    if not result["passed"]:
        raise typer.Exit(1)


def _print(tallies: list[Tally]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("fault", "way", "bytes", "wrong", "hung", "not recovered", "ended", "slowest, s")
    for one in tallies:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(one.ends.items()))
        counts = map(str, (one.cases, one.wrong_actions, one.hangs, one.not_recovered))
        table.add_row(one.fault, one.way, *counts, ends, f"{one.slowest_seconds:.2f}")
    Console().print(table)
    for one in tallies:
        if one.first_failure:
            typer.echo(f"FAILED {one.first_failure}")
