# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge hil replay`: the trace of a failing run, played again to the same byte, and made short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import CERTIFICATE_OPTION, JSON_OPTION, TOKEN_OPTION, print_json

if TYPE_CHECKING:
    from kdp_edge.hil.trace.file import Trace
    from kdp_edge.hil.trace.rerun import Rerun
    from kdp_edge.quantization.plan import IntegerPlanner


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("replay")(replay)


def replay(
    trace: Annotated[Path, typer.Argument(help="failed-DEVICE.jsonl of a report's folder.")],
    device: Annotated[
        str | None,
        typer.Option(help="Another device than the trace's.", autocompletion=complete.devices),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the trace's run.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle of any target, instead of a run.")] = None,
    shorten: Annotated[
        bool,
        typer.Option("--shorten", help="Leave out what the failure does not need; writes *.short.jsonl."),
    ] = False,
    seconds: Annotated[float, typer.Option(min=1.0, help="Time that --shorten takes at most.")] = 120.0,
    token_file: Annotated[Path | None, TOKEN_OPTION] = None,
    tls_cert: Annotated[Path | None, CERTIFICATE_OPTION] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Send a device the requests of a run that failed; every answer is held against the trace and the twin.

    Example: `kdp-edge hil replay kdp-work/reports/20261126-101500-hopper/failed-native.jsonl --shorten`

    Exit codes: 0 every answer is the predicted one now, 1 it still fails, 2 bad input, 3 device missing.
    """
    from kdp_edge.base.errors import GATE_FAILED
    from kdp_edge.hil.devices import check, open_device, prepare
    from kdp_edge.hil.devices.credentials import Credentials
    from kdp_edge.hil.trace import file
    from kdp_edge.hil.trace.rerun import rerun
    from kdp_edge.hil.trace.rerun import shorten as shortened

    recorded = file.read(trace)
    name = device or recorded.head.device
    check(name)
    planner = _policy(recorded, trace, run, bundle)
    credentials = Credentials(token_file, tls_cert)
    prepare(name, planner, credentials)

    def opener():  # type: ignore[no-untyped-def]
        return open_device(name, planner, credentials)

    found = rerun(recorded, planner, opener)
    result = _result(name, recorded, found)
    if shorten and found.wrong is not None:
        short = shortened(found, planner, opener, seconds)
        path = trace.with_name(f"{trace.stem.removesuffix('.short')}.short.jsonl")
        file.write(path, short.trace)
        result |= {"short": str(path), "short_requests": short.trace.requests()}
    print_json(result) if as_json else _print(result, recorded)
    if found.wrong is not None:
        raise typer.Exit(GATE_FAILED)


def _policy(recorded: Trace, path: Path, run: Path | None, bundle: Path | None) -> IntegerPlanner:
    """The policy that the trace was recorded with, of a bundle or a run."""
    from kdp_edge.base.errors import KdpError
    from kdp_edge.base.workspace import workspace
    from kdp_edge.cli.common import choose_run, integer_planner
    from kdp_edge.exporters.bundle import load_bundle

    if run is not None and bundle is not None:
        raise KdpError("--run and --bundle exclude each other; give one")
    if bundle is not None:
        planner = load_bundle(bundle).planner()
    else:
        own = workspace() / "runs" / Path(recorded.head.run or "").name
        there = recorded.head.run is not None and own.is_dir()
        planner = integer_planner(choose_run(run or (own if there else None), quiet=True))
    if planner.model_sha256() != recorded.head.model_sha256:
        raise KdpError(
            f"{path}: recorded with model {recorded.head.model_sha256[:16]}, found "
            f"{planner.model_sha256()[:16]}; give the --run or --bundle that was played"
        )
    return planner


def _result(name: str, recorded: Trace, found: Rerun) -> dict[str, object]:
    wrong = found.wrong
    return {
        "device": name,
        "requests": recorded.requests(),
        "answers": found.answers,
        "same": found.same,
        "repeats": found.first_other is None,
        "wrong": None
        if wrong is None
        else {"event": wrong.event, "request": wrong.request, "says": wrong.says},
    }


def _print(result: dict[str, object], recorded: Trace) -> None:
    typer.echo(
        f"{result['requests']} requests on {result['device']}: {result['same']} of {result['answers']} "
        f"answers are the recorded ones, byte for byte."
    )
    wrong = result["wrong"]
    if isinstance(wrong, dict):
        line = int(wrong["event"]) + 2
        typer.echo(f"FAILED: {wrong['request']} (line {line} of the trace): {wrong['says']}")
    else:
        typer.echo(
            f"Every answer is the predicted one. Recorded as failed: {', '.join(recorded.head.failed)}."
        )
    if "short" in result:
        typer.echo(f"Shortened to {result['short_requests']} requests: {result['short']}")
