# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge ports`: serial ports and what is probably behind each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ports")(ports)


def ports(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the serial ports of this computer, what they are, and what to change before measuring latency.

    Example: `kdp-edge ports`
    """
    from kdp_edge.cli.common import print_json
    from kdp_edge.hil.ports import found_ports, stable_names

    found, names = found_ports(), stable_names()
    if as_json:
        print_json({"ports": [{**asdict(p), "stable_name": names.get(p.device)} for p in found]})
        return
    if not found:
        typer.echo(
            "No serial ports. Plug a board in; without one: kdp-edge hil --device qemu:stm32f405 or native."
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("device", "what", "USB", "serial number", "stable name")
    for port in found:
        table.add_row(port.device, port.what, port.usb, port.serial_number, names.get(port.device))
    console = Console()
    console.print(table)
    for port in found:
        if port.advice:
            console.print(f"{port.device}: {port.advice}", soft_wrap=True, markup=False)
