"""`kdp-edge push`: a new model onto a running device, without flashing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli.common import JSON_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.quantization.plan import IntegerPlanner


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("push")(push)


def push(
    device: Annotated[str, typer.Option(help="serial:PORT[@BAUD], or any other device of kdp-edge hil.")],
    bundle: Annotated[Path | None, typer.Option(help="Bundle whose model is sent, of any target.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest run.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Reboot a device that is not idle.")] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Send a model into the spare slot of a device; it counts only once its self-test passed there.

    Example: `kdp-edge push --device serial:/dev/ttyACM0 --run kdp-work/runs/better`

    Exit codes: 0 passed, 1 refused by the device, 2 bad input, 3 device missing, 4 link lost.
    """
    import kdp_edge.hil.devices as devices
    from kdp_edge.base.progress import stage_bars
    from kdp_edge.hil.link import Link
    from kdp_edge.hil.push import push as push_model

    devices.check(device)
    planner = _planner(bundle, run, as_json)
    with devices.open_device(device, planner) as opened:
        link = Link(opened.pipe, opened.timeout)
        with stage_bars() as show:
            pushed = push_model(link, planner, restart, lambda done, total: show("pushing", done, total))
    if as_json:
        print_json({"model_sha256": pushed.model_sha256, "slot": pushed.slot, "bytes": pushed.bytes})
    elif pushed.bytes == 0:
        typer.echo(f"{device} has model {pushed.model_sha256[:16]} already")
    else:
        where = f"{pushed.bytes} bytes in slot {pushed.slot}"
        typer.echo(f"{device}: {where}, self-test passed, model {pushed.model_sha256[:16]}")


def _planner(bundle: Path | None, run: Path | None, quiet: bool) -> IntegerPlanner:
    from kdp_edge.base.errors import KdpError

    if bundle is not None and run is not None:
        raise KdpError("give --bundle or --run, not both")
    if bundle is not None:
        from kdp_edge.exporters.bundle import load_bundle

        return load_bundle(bundle).planner()
    from kdp_edge.cli.common import choose_run, integer_planner

    return integer_planner(choose_run(run, quiet))
