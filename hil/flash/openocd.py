# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""OpenOCD as the gdb server of a debug probe: ST-Link, CMSIS-DAP (also picoprobe), J-Link.

Configuration names are asked of the installed OpenOCD, not assumed.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.exporters.boards import Board
from kdp_edge.hil.devices.process import Child
from kdp_edge.hil.flash.program import run

PROBES = {"stlink": "stlink", "cmsis-dap": "cmsis-dap", "jlink": "jlink"}  # interface/....cfg
WIRES = {"jlink": ["-c", "transport select swd"]}  # it would start with JTAG, which an nRF52 does not have
PREPARE = "monitor reset halt"
RESTART = ("monitor reset run",)
START_SECONDS = 15.0
CHECK_SECONDS = 20.0


def find_openocd() -> str:
    """Path of OpenOCD."""
    path = shutil.which("openocd")
    if path is None:
        raise KdpError("openocd not found; install it: apt-get install openocd", DEVICE_MISSING)
    return path


def configuration(probe: str, board: Board) -> tuple[str, str]:
    """(interface/....cfg, target/....cfg), both known to the installed OpenOCD."""
    if probe not in PROBES:
        raise unknown("debug probe", probe, PROBES)
    target = board.flash.openocd
    if not target:
        raise KdpError(f"board {board.name} has no OpenOCD target; its board.toml names none")
    if (probe, target) == ("stlink", "rp2040"):
        raise KdpError(
            "OpenOCD cannot reach an RP2040 through an ST-Link; use --openocd cmsis-dap or --drive"
        )
    names = (f"interface/{PROBES[probe]}.cfg", f"target/{target}.cfg")
    for name in names:
        _check_known(name)
    return names


def arguments(probe: str, board: Board) -> list[str]:
    """OpenOCD's arguments for a probe and a board."""
    interface, target = configuration(probe, board)
    return ["-f", interface, *WIRES.get(probe, []), "-f", target]


def _check_known(name: str) -> None:
    command = [find_openocd(), "-c", f"find {name}", "-c", "shutdown"]
    done = run(
        command, CHECK_SECONDS, f"OpenOCD did not say within {CHECK_SECONDS:g} s whether it has {name}"
    )
    if done.returncode != 0:
        raise KdpError(f"the installed OpenOCD has no {name}; install version 0.12 or newer", DEVICE_MISSING)


@contextmanager
def server(probe: str, board: Board, within: float = START_SECONDS) -> Iterator[str]:
    """Run OpenOCD for a probe and board; yields HOST:PORT of its gdb server.

    Raises:
        KdpError: (3) no OpenOCD, no probe, or no chip behind it, in OpenOCD's own words.
    """
    interface, target = configuration(probe, board)
    port = _free_port()
    settings = f"gdb_port {port}; tcl_port disabled; telnet_port disabled"
    child = Child([find_openocd(), "-c", settings, *arguments(probe, board)])
    try:
        said = child.expect(rf"(Listening on port {port} for gdb|^Error: .*|^embedded:startup.*)", within)
        if not said.startswith("Listening"):
            raise KdpError(
                f"OpenOCD with {interface} and {target}: {said.removeprefix('Error: ')}; plug in the probe, "
                "power the board, check the SWD wires, and see that no other program uses the probe",
                DEVICE_MISSING,
            )
        yield f"localhost:{port}"
    finally:
        child.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
