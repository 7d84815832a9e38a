# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge bench loop`: bare speed of the closed loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, choose_run, integer_planner, of_policy, print_json

RESULT = Path("benchmarks/results/loop.json")


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("loop")(loop)


def loop(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    steps: Annotated[int, typer.Option(min=20, help="Control steps of each measurement.")] = 500,
    tries: Annotated[
        int, typer.Option(min=1, help="Tries of harness and native; the least disturbed counts.")
    ] = 5,
    no_qemu: Annotated[bool, typer.Option("--no-qemu", help="Leave the emulated board out.")] = False,
    out: Annotated[Path, typer.Option(help="File for the result as JSON.")] = RESULT,
    as_json: bool = JSON_OPTION,
) -> None:
    """Measure what a step costs: the harness itself, native over a pty, an emulated board against its echo.

    Example: `kdp-edge bench loop --out loop.json`

    Exit code 1 when a bar is missed: harness 100 us (99 %), native 1,000 steps/s, emulated 10 % beyond echo
    and plan. The harness is measured in its thread's processor time, native by the clock. The computer's
    own load is in the result.
    """
    from kdp_edge.base.files import check_result_file, write_json
    from kdp_edge.bench.loop_speed import measure
    from kdp_edge.quantization.float_planner import FloatPlanner

    check_result_file(out)
    chosen = choose_run(run, quiet=as_json)
    planner = integer_planner(chosen)
    floating = FloatPlanner.from_run(chosen, planner.spec)
    found = measure(planner, floating, chosen.task(), steps, None if no_qemu else "qemu:stm32f405", tries)
    result = of_policy(vars(found) | {"passed": found.passed}, chosen, planner)
    write_json(out, result)
    if as_json:
        print_json(result)
    else:
        typer.echo(
            f"harness: {found.overhead_us_p50:.0f} us a step, {found.overhead_us_p99:.0f} us (99 %; bar 100)"
        )
        typer.echo(f"native over a pty: {found.native_hz:,.0f} steps/s (bar 1,000)")
        if found.qemu_beyond is not None:
            typer.echo(
                f"{found.qemu_device}: {found.qemu_step_ms:.2f} ms a step, echo {found.qemu_echo_ms:.2f} ms, "
                f"plan {found.qemu_plan_ms:.2f} ms: {100 * found.qemu_beyond:+.0f} % (bar 10)"
            )
        typer.echo(f"load of this computer: {found.load[0]:.1f} before, {found.load[1]:.1f} after")
        typer.echo(f"Written: {out}")
    if not found.passed:
        raise typer.Exit(1)
