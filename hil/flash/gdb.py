# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Flashing through any gdb server: QEMU, OpenOCD, pyOCD, st-util, J-Link, Black Magic Probe.

gdb's own `load` knows which parts of memory are flash and `compare-sections` reads everything back.
A write that was interrupted leaves an image whose trailer is missing: the firmware computes the
image's CRC before its first action and refuses to act.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, USAGE, KdpError
from kdp_edge.hil.flash.program import run

PROGRAMS = ("gdb-multiarch", "arm-none-eabi-gdb")
CONNECT_SECONDS = 2
# Armv6-M to Armv8-M: AIRCR.SYSRESETREQ, the core's own reset. QEMU ignores what a debugger writes to
# registers, but has a command for it, which others do not know.
RESTART = ("set {unsigned int}0xe000ed0c = 0x05fa0004", "monitor system_reset")

_MATCHED = re.compile(r"^Section (\S+), range .*: matched\.$", re.MULTILINE)
_DIFFERS = re.compile(r"^Section (\S+), range (\S+) -- \S+: MIS-MATCHED!$", re.MULTILINE)
_LOADED = re.compile(r"load size (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Loaded:
    """What gdb wrote and compared."""

    bytes: int
    sections: tuple[str, ...]


def find_gdb() -> str:
    """Path of a gdb that knows Arm."""
    for name in PROGRAMS:
        path = shutil.which(name)
        if path:
            return path
    raise KdpError(
        f"{' or '.join(PROGRAMS)} not found; install it: apt-get install gdb-multiarch", DEVICE_MISSING
    )


def parse_server(server: str) -> str:
    """HOST:PORT with a port number, `localhost` when the host is left out."""
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536 or not re.fullmatch(r"[\w.-]*", host):
        raise KdpError(f"gdb server '{server}' is not HOST:PORT, for example localhost:3333")
    return f"{host or 'localhost'}:{port}"


def flash(
    elf: Path,
    address: int,
    server: str,
    prepare: str = "",
    restart: tuple[str, ...] = RESTART,
    timeout: float = 120.0,
) -> Loaded:
    """Load `elf` through the gdb server, compare every section, reset the core and let it run.

    Args:
        elf: the image; its vector table lies at `address`.
        server: HOST:PORT.
        prepare: a gdb command before the load, such as OpenOCD's `monitor reset halt`.
        restart: gdb commands after it; one that the server does not know is passed over.
        timeout: seconds for everything; the gdb is killed after that.
    Raises:
        KdpError: no gdb, no server or no answer in time (3), a section that differs (1).
    """
    script = _script(address, parse_server(server), prepare)
    output = _run(elf, script, restart, server, timeout)
    differs = _DIFFERS.search(output)
    if differs:
        raise KdpError(
            f"verify: section {differs[1]} at {differs[2]} differs from {elf.name} after writing; its CRC "
            "keeps the firmware from acting - check supply and probe and flash again",
            GATE_FAILED,
        )
    sections = tuple(_MATCHED.findall(output))
    loaded = _LOADED.search(output)
    if not sections or not loaded:
        raise KdpError(f"gdb at {server}: {_reason(output)}; not verified, flash again", DEVICE_MISSING)
    return Loaded(int(loaded[1]), sections)


def _script(address: int, server: str, prepare: str) -> str:
    lines = [
        "set pagination off",
        "set confirm off",
        f"set tcp connect-timeout {CONNECT_SECONDS}",
        "set remotetimeout 20",
        "set mem inaccessible-by-default off",  # probes leave the reset register out of their memory map
        f"target extended-remote {server}",
        prepare,
        "load",
        "compare-sections",
        # where a reset would start it, for a server that knows none of the ways to ask for one
        f"set $sp = *(unsigned int *)0x{address:08x}",
        f"set $pc = *(unsigned int *)0x{address + 4:08x}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _run(elf: Path, script: str, restart: tuple[str, ...], server: str, timeout: float) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".gdb", prefix="kdp-") as file:
        file.write(script)
        file.flush()
        last = [part for command in (*restart, "detach") for part in ("-ex", command)]
        command = [find_gdb(), "-nx", "-batch", "-x", file.name, *last, str(elf)]
        late = (
            f"gdb server {server} did not finish within {timeout:g} s; reset the board, restart the "
            "server and flash again"
        )
        done = run(command, timeout, late)
    output = done.stdout + done.stderr
    if re.search(r"Connection refused|Connection timed out|could not connect|unknown host", output):
        raise KdpError(
            f"no gdb server at {server}: start it first (OpenOCD listens on 3333, st-util on 4242, J-Link "
            "on 2331, qemu -S -gdb tcp::PORT)",
            DEVICE_MISSING,
        )
    if "not in executable format" in output or "No such file or directory.\nNo" in output:
        raise KdpError(f"{elf}: gdb cannot read it: {_reason(output)}", USAGE)
    return output


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # what went wrong first: the line after "Error in sourced command file"
    after = [b for a, b in pairwise(lines) if "Error in sourced command file" in a]
    return (after or lines[-1:] or ["no output"])[0]
