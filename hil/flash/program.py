# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A flashing program of others, run to its end or to a time limit."""

from __future__ import annotations

import subprocess

from kdp_edge.base.errors import DEVICE_MISSING, KdpError


def run(command: list[str], timeout: float, late: str) -> subprocess.CompletedProcess[str]:
    """What `command` wrote and how it ended; it reads nothing.

    Args:
        timeout: seconds; the program is ended after that.
        late: what to say then.

    Raises:
        KdpError: (3) it took longer.
    """
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise KdpError(late, DEVICE_MISSING) from None
