# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Requests over a serial port or a pty, and the one place where the agent waits; standard library only."""

from __future__ import annotations

import os
import select
import termios
import tty
from typing import Any, Protocol

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.exporters.agent.heartbeat import Heartbeat


class Served(Protocol):
    """What answers (`wire.server.Server`)."""

    def feed(self, data: bytes) -> bytes:
        """Request bytes to reply bytes."""

    def prepare(self) -> None:
        """Replies are out: make the next plan, if it is to be made ahead."""

    def watch(self) -> float | None:
        """Look at the clock; seconds until it wants to be asked again, None: no hurry."""


LOOK_EVERY = 0.5  # seconds, to see who has said nothing for too long
_HEART = Heartbeat()


def serve_serial(path: str, baud: int, served: Served) -> None:
    """Answer on a serial port until interrupted."""
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise KdpError(f"baud rate {baud} is not one this system knows; try 115200 or 921600", USAGE)
    try:
        port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(port)
        settings = termios.tcgetattr(port)
        settings[4] = settings[5] = speed
        settings[2] |= termios.CLOCAL | termios.CREAD
        termios.tcsetattr(port, termios.TCSANOW, settings)
    except (OSError, termios.error) as error:
        raise KdpError(
            f"{path}: cannot open this port ({error}); check its name and group dialout", 3
        ) from None
    print(f"serving on {path}", flush=True)
    _serve_file(port, served)


def serve_pty(served: Served) -> None:
    """Answer on a new pseudo-terminal, whose name is printed, until interrupted."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    # our own handle of the other end keeps the pty alive while no host has it open
    print(f"serving on {os.ttyname(theirs)}", flush=True)
    _serve_file(ours, served)


def wait(files: list[Any], served: Served) -> list[Any]:
    """Those of `files` that can be read; none when it is time to look. The agent waits nowhere else."""
    served.prepare()
    due = served.watch()
    _HEART.beat()
    return select.select(files, [], [], LOOK_EVERY if due is None else min(due, LOOK_EVERY))[0]


def _serve_file(port: int, served: Served) -> None:
    while True:
        try:
            data = os.read(port, 4096) if wait([port], served) else b""
        except OSError as error:
            raise KdpError(
                f"the port is gone ({error}); plug it in and start again", DEVICE_MISSING
            ) from None
        reply = served.feed(data)
        while reply:
            reply = reply[os.write(port, reply) :]
