# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Tells systemd that the agent serves and is not stuck: sd_notify(3). Nothing where systemd does not ask."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

EVERY = 0.5  # seconds
_ALIVE = b"READY=1\nWATCHDOG=1"


class Heartbeat:
    """Of one process; `beat` costs nothing between two beats."""

    def __init__(self) -> None:
        where = os.environ.get("NOTIFY_SOCKET", "")
        self._where = f"\0{where[1:]}" if where.startswith("@") else where
        self._next = 0.0

    def beat(self) -> None:
        """Say that we are alive, if it is time to."""
        now = time.monotonic()
        if not self._where or now < self._next:
            return
        self._next = now + EVERY
        # whoever does not read it must not stop a device
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.sendto(_ALIVE, self._where)
