# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge info`: who a device is and how it is: HELLO, telemetry, self-test, slots."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import CERTIFICATE_OPTION, JSON_OPTION, TOKEN_OPTION, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info")(info)


def info(
    device: Annotated[
        str,
        typer.Option(
            help="serial:PORT[@BAUD], agent:HOST:PORT, agent:/SOCKET, or any other device of kdp-edge hil.",
            autocompletion=complete.devices,
        ),
    ],
    run: Annotated[Path | None, typer.Option(help="Run to build a device for that is built.")] = None,
    token_file: Annotated[Path | None, TOKEN_OPTION] = None,
    tls_cert: Annotated[Path | None, CERTIFICATE_OPTION] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask a device who it is and how it has fared; nothing on it is changed.

    Self-test and slots are asked of an idle device only: they would keep it from its control steps.

    Example: `kdp-edge info --device serial:/dev/ttyACM0`

    Exit codes: 0 answered, 1 the self-test failed there, 2 bad input, 3 device missing, 4 link lost.
    """
    from kdp_edge.base.errors import GATE_FAILED
    from kdp_edge.cli.common import choose_run, integer_planner
    from kdp_edge.hil import devices
    from kdp_edge.hil.devices.credentials import Credentials
    from kdp_edge.hil.identity import identify

    devices.check(device)
    planner = None if devices.runs_by_itself(device) else integer_planner(choose_run(run, as_json))
    with devices.open_device(device, planner, Credentials(token_file, tls_cert)) as opened:
        found = identify(opened)
    if as_json:
        print_json({"device": device, **asdict(found)})
    else:
        _print(device, asdict(found))
    if found.selftest is not None and not found.selftest.passed:
        raise typer.Exit(GATE_FAILED)


def _print(device: str, found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "", title=escape(device), title_justify="left", show_header=False)
    for part, values in found.items():
        if isinstance(values, dict):
            table.add_section()
            for name, value in values.items():
                table.add_row(f"{part} {name}", escape(str(value)))
        elif values is not None:
            table.add_row(part, escape(str(values)))
    Console().print(table)
