# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge arm`: leave a latched stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdp_edge.cli import complete
from kdp_edge.cli.common import CERTIFICATE_OPTION, TOKEN_OPTION


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("arm")(arm)


def arm(
    device: Annotated[
        str,
        typer.Option(
            help="serial:PORT[@BAUD], agent:HOST:PORT or agent:/SOCKET: a device that runs by itself.",
            autocompletion=complete.devices,
        ),
    ],
    token_file: Annotated[Path | None, TOKEN_OPTION] = None,
    tls_cert: Annotated[Path | None, CERTIFICATE_OPTION] = None,
) -> None:
    """Let a device whose stop is latched take control steps again, after its next RESET.

    A latch outlives restarts; find out why it came before you leave it: kdp-edge info says what happened.

    Example: `kdp-edge arm --device serial:/dev/ttyACM0`

    Exit codes: 0 the device is not latched any more, 2 bad input, 3 device missing, 4 link lost.
    """
    from kdp_edge.base.errors import KdpError
    from kdp_edge.hil import devices
    from kdp_edge.hil.devices.credentials import Credentials
    from kdp_edge.hil.link import Link
    from kdp_edge.wire.numbers import State

    devices.check(device)
    if not devices.runs_by_itself(device):
        raise KdpError(f"{device} is started anew by every command; arm is for a device that runs by itself")
    with devices.open_device(device, None, Credentials(token_file, tls_cert)) as opened:
        link = Link(opened.pipe, opened.timeout)
        before = State(link.hello(opened.hello_within).state)
        after = State(link.arm().state)
    typer.echo(f"{device}: was {before.name.lower()}, is {after.name.lower()}")
