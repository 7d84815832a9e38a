"""`kdp-edge hil`: the closed loop on any device, every reply predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kdp_edge.hil.session import Session


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("hil")(hil)


def hil(
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="reference, native, qemu:stm32f405, serial:PORT[@BAUD] or agent:HOST:PORT; repeatable."
        ),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; without it the newest run.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Any bundle, instead of a run.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes a device.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first episode; the next ones count up.")] = 0,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Longest episode; default: as the task.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report.")] = None,
    gate_return: Annotated[
        float | None, typer.Option(help="Fail when a device's mean return is lower.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Fault to play, NAME[=VALUE][@FROM:TO], like flip=0.02 or off@100:104; repeatable."
        ),
    ] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Play twice; returns and emulated times must repeat exactly.")
    ] = False,
    no_float: Annotated[bool, typer.Option("--no-float", help="Leave the float policy out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json instead of the table.")] = False,
) -> None:
    """Play a task in MuJoCo with the planner on a device and hold every reply against its prediction.

    Example: `kdp-edge hil --device reference --device native --device qemu:stm32f405 --episodes 3`

    Exit codes: 0 passed, 1 a gate failed, 2 bad input, 3 device missing, 4 link lost.
    """
    from dataclasses import replace

    from kdp_edge.base.errors import GATE_FAILED, LINK_LOST, KdpError
    from kdp_edge.base.progress import progress_bar
    from kdp_edge.hil.faults import parse
    from kdp_edge.hil.report import write
    from kdp_edge.hil.session import lost_link

    faults = tuple(parse(text) for text in fault or [])
    session = _session(run, bundle, tuple(device or ["reference"]), as_json)
    scenario = replace(
        session.scenario,
        seeds=tuple(range(seed, seed + episodes)),
        max_steps=max_steps or session.scenario.max_steps,
        faults=faults,
    )
    session = replace(
        session, scenario=scenario, repeat=repeat, with_float=not no_float, least_return=gate_return
    )
    folder = out or _new_folder(session.scenario.task)
    report, recordings = session.play(progress_bar)
    write(folder, report, recordings)
    if as_json:
        from kdp_edge.cli.common import print_json

        print_json(report)
    else:
        from kdp_edge.cli.report import print_report

        print_report(report)
        typer.echo(f"Report: {folder / 'report.html'}")
    lost = lost_link(report)
    if lost:
        raise KdpError(f"link lost: {lost}; what was played is in {folder}", LINK_LOST)
    if not report["passed"]:
        raise typer.Exit(GATE_FAILED)


def _session(run: Path | None, bundle: Path | None, devices: tuple[str, ...], quiet: bool) -> Session:
    """The policy of a run or a bundle, one episode of its task, no gates beyond the standard ones."""
    from kdp_edge.base.errors import KdpError
    from kdp_edge.hil import devices as kinds
    from kdp_edge.hil.session import Session

    if len(set(devices)) < len(devices):
        raise KdpError(f"device given twice: {', '.join(devices)}; --repeat plays each one twice")
    for name in devices:
        kinds.check(name)
    if run is not None and bundle is not None:
        raise KdpError("--run and --bundle exclude each other; give one")
    return Session.of_bundle(bundle, devices) if bundle else _of_run(run, devices, quiet)


def _of_run(run: Path | None, devices: tuple[str, ...], quiet: bool) -> Session:
    from kdp_edge.cli.common import choose_run, integer_planner
    from kdp_edge.hil.session import Session

    chosen = choose_run(run, quiet)
    integer_planner(chosen)
    return Session.of_run(chosen, devices)


def _new_folder(task: str) -> Path:
    from datetime import datetime

    from kdp_edge.base.workspace import workspace
    from kdp_edge.hil.session import report_folder

    return report_folder(workspace() / "reports", task, datetime.now().strftime("%Y%m%d-%H%M%S"))
