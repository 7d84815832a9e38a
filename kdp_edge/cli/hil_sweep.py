# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge hil sweep`: what latency, candidates, chunk or clock cost, on the twin and on devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import CERTIFICATE_OPTION, JSON_OPTION, TOKEN_OPTION, policy_source, print_json

if TYPE_CHECKING:
    from kdp_edge.hil.curves.sweep import Sweep


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("sweep")(sweep)


def sweep(
    latency_ms: Annotated[
        str | None, typer.Option(help="Latencies of an action in ms, FROM:TO:STEP or A,B,C.")
    ] = None,
    k: Annotated[str | None, typer.Option(help="Candidates of a plan, like 1,2,4,8,16.")] = None,
    chunk: Annotated[str | None, typer.Option(help="Steps of a plan that are played, like 1,2,4.")] = None,
    clock_hz: Annotated[
        str | None, typer.Option(help="Clocks of an emulated core in Hz, like 48e6,96e6,168e6.")
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="Device to play as well, like qemu:stm32f405; repeatable. The twin always plays.",
            autocompletion=complete.devices,
        ),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle of any target, instead of a run.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of the twin for each value.")] = 5,
    device_episodes: Annotated[int, typer.Option(min=1, help="Of those, on each device.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first episode; the next ones count up.")] = 0,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of an episode at most; default: the task's own limit.")
    ] = None,
    link_us: Annotated[
        float, typer.Option(help="Microseconds on the link, there and back, unless latency is swept.")
    ] = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder for sweep.json, curve.svg and sweep.html.")] = None,
    token_file: Annotated[Path | None, TOKEN_OPTION] = None,
    tls_cert: Annotated[Path | None, CERTIFICATE_OPTION] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Play the same episodes at each value, at pace device; print the curve, and what still fits.

    Example: `kdp-edge hil sweep --latency-ms 0:40:5`

    Example: `kdp-edge hil sweep --k 1,2,4,8,16 --device qemu:stm32f405`
    """
    from datetime import datetime

    from kdp_edge.base.errors import KdpError
    from kdp_edge.base.folders import check_writable, new_folder
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.base.workspace import workspace
    from kdp_edge.hil.closed_loop import subject_of
    from kdp_edge.hil.curves import files
    from kdp_edge.hil.curves.axis import CHUNK, CLOCK, LATENCY, K, axis
    from kdp_edge.hil.curves.sweep import sweep as play
    from kdp_edge.hil.devices import check_all
    from kdp_edge.hil.devices.credentials import Credentials

    given = {LATENCY: latency_ms, K: k, CHUNK: chunk, CLOCK: clock_hz}
    chosen = [(name, text) for name, text in given.items() if text is not None]
    if len(chosen) != 1:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise KdpError(f"{len(chosen)} things to sweep are given; give one of {options}")
    check_all(device or [])
    if out is not None:
        check_writable(out, files.SWEEP)
    subject = subject_of(
        policy_source(run, bundle, as_json),
        tuple(device or ()),
        range(seed, seed + episodes),
        max_steps,
        min(device_episodes, episodes),
        link_us,
        Credentials(token_file, tls_cert),
    )
    found = play(subject, axis(*chosen[0], subject.planner), progress_bar)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = out or new_folder(workspace() / "sweeps" / f"{stamp}-{found.task}-{found.axis}")
    files.write(folder, found)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
        typer.echo(f"Sweep: {folder / files.PAGE}")


def _print(found: Sweep) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from kdp_edge.hil.curves.axis import UNITS
    from kdp_edge.hil.curves.page import cells, columns

    console = Console()
    if not console.is_terminal:
        console.width = 100
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=f"{found.task}: {UNITS[found.axis]}")
    for column in columns(found):
        table.add_column(column, justify="left" if column == "by" else "right", no_wrap=True)
    for row in found.rows:
        table.add_row(*cells(row))
    console.print(table)
    for line in found.says:
        console.print(line, highlight=False, soft_wrap=True)
