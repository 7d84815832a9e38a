# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge hil`: the closed loop on any device, every reply predicted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import CERTIFICATE_OPTION, TOKEN_OPTION, policy_source

if TYPE_CHECKING:
    from kdp_edge.exporters.bundle import Bundle
    from kdp_edge.hil.replay import Recorded
    from kdp_edge.run import Run


SUBCOMMANDS = ("faults", "replay", "sweep")


def register(app: typer.Typer) -> None:
    """Add the command with its subcommands."""
    group = typer.Typer()
    group.callback(invoke_without_command=True)(hil)
    for name in SUBCOMMANDS:
        import_module(f"kdp_edge.cli.hil_{name}").register(group)
    app.add_typer(group, name="hil")


def hil(
    context: typer.Context,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="reference, native, qemu:stm32f405, serial:PORT[@BAUD], agent:HOST:PORT or agent:/SOCKET; "
            "repeatable.",
            autocompletion=complete.devices,
        ),
    ] = None,
    boards: Annotated[
        Path | None,
        typer.Option(help="boards.toml: several devices at the same time, in place of --device."),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle of any target, instead of a run.")] = None,
    rival: Annotated[
        Path | None,
        typer.Option(help="Another run, played on the same devices and episodes and shown beside."),
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per device.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first episode; the next ones count up.")] = 0,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of an episode at most; default: the task's own limit.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; default: a new one.")] = None,
    gate_return: Annotated[
        float | None,
        typer.Option(
            help="Mean return each device must reach; default: the mean of the behaviour in the data."
        ),
    ] = None,
    no_gate_return: Annotated[
        bool, typer.Option("--no-gate-return", help="Do not judge the return.")
    ] = False,
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
    replay: Annotated[
        str | None,
        typer.Option(help="Stream the recorded observations of this data set; nothing is simulated."),
    ] = None,
    pace: Annotated[
        str,
        typer.Option(
            help="Who waits: lockstep (the simulation for the device, whose time costs nothing), device "
            "(simulated time pays what the device's clock says) or real (nobody; absolute deadlines)."
        ),
    ] = "lockstep",
    link_us: Annotated[
        float, typer.Option(help="Microseconds on the link, there and back, that --pace device pays.")
    ] = 0.0,
    link: Annotated[
        str | None, typer.Option(help="'measured' instead of --link-us: as ECHO takes before the run.")
    ] = None,
    clock_hz: Annotated[
        float | None,
        typer.Option(help="Clock of an emulated core; default: the board's. An instruction takes a cycle."),
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="Draw the last device and float side by side, into the report.")
    ] = False,
    token_file: Annotated[Path | None, TOKEN_OPTION] = None,
    tls_cert: Annotated[Path | None, CERTIFICATE_OPTION] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json instead of the table.")] = False,
) -> None:
    """Play a task in MuJoCo with the planner on a device and hold every reply against its prediction.

    Example: `kdp-edge hil --device reference --device native --device qemu:stm32f405 --episodes 3`

    Many devices at once: `kdp-edge hil --boards boards.toml`

    Beside an imported policy: `kdp-edge hil --device qemu:stm32f405 --rival kdp-work/runs/sac`

    Without a plant: `kdp-edge hil --replay my-arm --device serial:/dev/ttyACM0`

    Two verdicts: the device does what was predicted, and what it plays is good enough.

    Exit codes: 0 no gate failed, 1 a gate failed, 2 bad input, 3 device missing, 4 link lost,
    130 interrupted.
    """
    if context.invoked_subcommand is not None:
        return _check_nothing_before(context)
    from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, INTERRUPTED, LINK_LOST, KdpError
    from kdp_edge.base.folders import check_writable
    from kdp_edge.cli.live import view
    from kdp_edge.hil.closed_loop import closed_loop
    from kdp_edge.hil.devices import check_all
    from kdp_edge.hil.devices.credentials import Credentials
    from kdp_edge.hil.pace.timing import timing
    from kdp_edge.hil.report import REPORT

    if gate_return is not None and (no_gate_return or not isfinite(gate_return)):
        what = "with --no-gate-return" if no_gate_return else f"{gate_return}, expected a number"
        raise KdpError(f"--gate-return is given {what}; give one of them")
    chosen = timing(pace, link_us, link, clock_hz)
    if boards is not None and (device or repeat):
        raise KdpError(f"--boards excludes {'--device' if device else '--repeat'}; give one of them")
    devices = device or ["reference"]
    check_all(devices)  # a wrong name should not cost a quantization first
    if out is not None:
        check_writable(out, REPORT)
    source = policy_source(run, bundle, as_json)
    most_steps = episodes * (max_steps or _usual_steps(source))
    with _report_folder(out, source) as folder, view(episodes, most_steps) as watching:
        report = closed_loop(
            source,
            devices,
            episodes=episodes,
            seed=seed,
            max_steps=max_steps,
            faults=fault or [],
            least_return=gate_return,
            judge_return=not no_gate_return,
            repeat=repeat,
            with_float=not no_float,
            recorded=None if replay is None else _recorded(replay),
            timing=chosen,
            out=folder,
            credentials=Credentials(token_file, tls_cert),
            boards=boards,
            video=video,
            rival=rival,
            **vars(watching),
        )
    if as_json:
        from kdp_edge.cli.common import print_json

        print_json(report.to_json())
    else:
        from kdp_edge.cli.report import print_report

        print_report(report)
        for one in report.tolerances:
            typer.echo(one.says)
        if report.video is not None:
            typer.echo(f"Video: {report.video}")
        typer.echo(f"Report: {folder / 'report.html'}")
        for trace in sorted(folder.glob("failed-*.jsonl")):
            typer.echo(f"Play what failed again: kdp-edge hil replay {trace} --shorten")
    if report.interrupted:
        raise KdpError(f"interrupted; what was played by then is in {folder}", INTERRUPTED)
    if report.missing:
        names = ", ".join(board.name for board in report.missing)
        raise KdpError(f"no answer from {names}; what the others did is in {folder}", DEVICE_MISSING)
    if report.lost:
        raise KdpError(f"link lost: {report.lost}; what was played is in {folder}", LINK_LOST)
    if not report.passed:
        raise typer.Exit(GATE_FAILED)


def _check_nothing_before(context: typer.Context) -> None:
    """Options that stand before a subcommand would be lost without a word."""
    from kdp_edge.base.errors import KdpError

    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            shown, command = "--" + name.replace("_", "-"), context.invoked_subcommand
            raise KdpError(
                f"{shown} stands before '{command}', where it means nothing; give it after the name"
            )


def _usual_steps(source: Run | Bundle) -> int:
    """The task's own limit of an episode."""
    from kdp_edge.run import Run, task_in

    task = source.task() if isinstance(source, Run) else task_in(source.path, source.manifest["task"])
    return task.max_episode_steps


def _recorded(name: str) -> Recorded:
    """The episodes of a data set, actions in the units of its robot."""
    from kdp_edge.data.store import load_data, read_meta
    from kdp_edge.hil.replay import Recorded
    from kdp_edge.tasks import get_task

    task, data = get_task(read_meta(name)["task"]), load_data(name)
    bounds = [0, *(data.ends.nonzero()[0] + 1)]
    rows = [slice(a, b) for a, b in pairwise(bounds)]
    episodes = tuple((data.observations[r], task.robot.units(data.actions[r])) for r in rows)
    return Recorded(task, episodes)


@contextmanager
def _report_folder(out: Path | None, source: Run | Bundle) -> Iterator[Path]:
    """Where the report goes: `out`, or a new folder of the workspace that is this run's alone."""
    from datetime import datetime

    from kdp_edge.base.folders import new_folder
    from kdp_edge.base.workspace import workspace
    from kdp_edge.run import Run

    if out is not None:
        yield out
        return
    task = source.config.task if isinstance(source, Run) else source.manifest["task"]
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = new_folder(workspace() / "reports" / f"{stamp}-{task}")
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()  # empty: nothing was played
