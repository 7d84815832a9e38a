# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7)


def user_of(connected: socket.socket) -> int:
    """User of the other process; our own where the system cannot tell: then file permissions decide."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(told)[1])


def trusted(user: int) -> bool:
    """This user, and root, who can do everything anyway."""
    return user in (os.geteuid(), 0)
