# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The folder of this user alone in which an agent keeps its socket and its latch."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from kdp_edge.base.errors import USAGE, KdpError


def usual_folder() -> Path:
    """Below the session's runtime folder, or the temporary one; `check_alone` says whether it is ours."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    if base.is_dir() and base.stat().st_uid == os.geteuid():
        return base / "kdp-edge"
    return Path(tempfile.gettempdir()) / f"kdp-edge-{os.geteuid()}"


def check_alone(folder: Path) -> None:
    """Raise `KdpError` unless nobody else can enter `folder`, or put another in its place."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise KdpError(f"{folder} is no folder of this user alone; remove it, or give --socket PATH", USAGE)


def private_folder() -> Path:
    """`usual_folder`, made and checked."""
    folder = usual_folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    check_alone(folder)
    return folder
