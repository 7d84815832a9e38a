# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench soak`: a long run over a bad link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, choose_run, integer_planner, of_policy, print_json

RESULT = Path("benchmarks/results/soak.json")


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("soak")(soak)


def soak(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    device: Annotated[str, typer.Option(help="Device, as for `kdp-edge hil`.")] = "native",
    steps: Annotated[int, typer.Option(min=1, help="Control steps at least.")] = 100_000,
    share: Annotated[
        float, typer.Option(min=0.0, max=0.2, help="Share of frames that are damaged, both ways.")
    ] = 0.01,
    out: Annotated[Path, typer.Option(help="File for the result as JSON.")] = RESULT,
    as_json: bool = JSON_OPTION,
) -> None:
    """Play 100,000 control steps with 1 % of the frames lost, flipped, lengthened or cut short.

    Example: `kdp-edge bench soak --steps 5000 --out soak.json`

    Exit code 1 when a reply was not the predicted one, the link was lost, or memory or open files grew.
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.bench.soak import soak as play
    from kdp_edge.hil.devices import check
    from kdp_edge.quantization.float_planner import FloatPlanner

    check(device)
    check_result_file(out)
    chosen = choose_run(run, quiet=as_json)
    planner = integer_planner(chosen)
    floating = FloatPlanner.from_run(chosen, planner.spec)
    with progress_bar("steps", steps) as progress:
        found = play(planner, floating, chosen.task(), device, steps, share, progress)
    result = of_policy(vars(found) | {"passed": found.passed}, chosen, planner)
    write_json(out, result)
    if as_json:
        print_json(result)
    else:
        total = sum(found.damaged.values())
        typer.echo(
            f"{found.steps:,} steps in {found.seconds:,.0f} s on {device}: {found.mismatched} replies not as "
            f"predicted, {total:,} frames damaged, {found.retries:,} requests repeated, "
            f"link {'lost: ' + found.lost if found.lost else 'kept'}"
        )
        typer.echo(
            f"Memory: host {max(found.host_mib):.0f} MiB, grew {found.host_growth:+.2f}; "
            f"device {max(found.device_mib):.0f} MiB, grew {found.device_growth:+.2f}; "
            f"{found.open_files[-1]} open files"
        )
        typer.echo(f"{'Passed' if found.passed else 'FAILED'}. Written: {out}")
    if not found.passed:
        raise typer.Exit(1)
