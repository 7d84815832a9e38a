# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The latched stop in a file: it outlives the agent as a board's outlives a restart, until the power goes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.agent.private_folder import private_folder


class LatchFile:
    """Of one device: a bundle in one place on this computer, behind one door. It goes with the power."""

    def __init__(self, bundle: Path, door: str) -> None:
        name = hashlib.sha256(f"{bundle.resolve()}\n{door}".encode()).hexdigest()[:16]
        self._path = private_folder() / f"latched-{name}"

    def kept(self) -> bool:
        """Whether the stop was latched when the agent ended."""
        return self._path.exists()

    def keep(self, latched: bool) -> None:
        """Note whether it is now; a file that cannot be written is a warning, the stop itself holds."""
        if latched == self._path.exists():
            return
        try:
            if latched:
                self._path.touch(mode=0o600)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            print(f"agent: {self._path}: {error.strerror}; a restart would forget the latch", file=sys.stderr)


def latch_file(bundle: Path, door: str) -> LatchFile | None:
    """The file, or None with a warning where there is no folder of this user alone for it."""
    try:
        return LatchFile(bundle, door)
    except (KdpError, OSError) as error:
        if door:  # the usual door is in that folder, and says it itself
            print(f"agent: {error}; a restart will forget a latched stop", file=sys.stderr)
        return None
