# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge push`: a new model onto a running device, without flashing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.quantization.plan import IntegerPlanner


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("push")(push)


def push(
    device: Annotated[
        str,
        typer.Option(
            help="serial:PORT[@BAUD], or any other device of kdp-edge hil.",
            autocompletion=complete.devices,
        ),
    ],
    bundle: Annotated[Path | None, typer.Option(help="Bundle whose model is sent, of any target.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run whose model is sent.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Send the model of this task's newest run.", autocompletion=complete.tasks),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Private key that signs the model (kdp-edge keys).")
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Number of the model; a signed device takes no older one."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Reboot a device that is not idle.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Send a model into the spare slot of a device; it counts only once its self-test passed there.

    Example: `kdp-edge push --device serial:/dev/ttyACM0 --run kdp-work/runs/better`

    Signed: `kdp-edge push --device serial:/dev/ttyACM0 --run RUN --key robot.key --sequence 8`

    Exit codes: 0 passed, 1 refused by the device, 2 bad input, 3 device missing, 4 link lost.
    """
    import kdp_edge.hil.devices as devices
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.cli.common import say_model
    from kdp_edge.exporters.signing import load_private
    from kdp_edge.hil.link import Link
    from kdp_edge.hil.push import push as push_model

    devices.check(device)
    signing_key = load_private(key) if key is not None else None
    planner, score = _planner(bundle, run, task, as_json)
    with devices.open_device(device, planner) as opened:
        link = Link(opened.pipe, opened.timeout)
        if not as_json:
            say_model(planner, score, device)
        with stage_bars() as show:

            def told(done: int, total: int) -> None:
                show("pushing", done, total)

            pushed = push_model(link, planner, restart, told, signing_key, sequence)
    if pushed.narrowed:
        typer.echo(
            "kdp-edge: warning: this model's limits are wider than those compiled into the image; the device "
            "keeps to the narrower ones, so it does not act as this model alone would",
            err=True,
        )
    if as_json:
        print_json(asdict(pushed))
    elif pushed.bytes == 0:
        typer.echo(f"{device} has model {pushed.model_sha256[:16]} already")
    else:
        where = f"{pushed.bytes} bytes in slot {pushed.slot}"
        typer.echo(f"{device}: {where}, self-test passed, model {pushed.model_sha256[:16]}")


def _planner(
    bundle: Path | None, run: Path | None, task: str | None, quiet: bool
) -> tuple[IntegerPlanner, float | None]:
    """The model to send, and its score if that is known."""
    from kdp_edge.base.errors import KdpError
    from kdp_edge.cli.common import choose_run, integer_planner
    from kdp_edge.exporters.bundle import load_bundle, model_score

    values = {"--bundle": bundle, "--run": run, "--task": task}
    given = [name for name, value in values.items() if value is not None]
    if bundle is not None and run is not None:
        raise KdpError("give --bundle or --run, not both")
    if len(given) != 1:
        found = ", ".join(given) or "none of them"
        raise KdpError(f"which model goes to the device? give one of {', '.join(values)}; found {found}")
    if bundle is not None:
        source = load_bundle(bundle)
        return source.planner(), model_score(source)
    chosen = choose_run(run, quiet, task)
    return integer_planner(chosen), model_score(chosen)
