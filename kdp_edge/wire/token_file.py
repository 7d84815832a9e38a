# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The token that host and agent share: a file that only its owner can read."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from kdp_edge.base.errors import KdpError

LEAST = 32  # characters: 128 random bits in hexadecimal
LARGEST = 4096  # bytes of a file that is read
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{LEAST},}}")


def usual_path() -> Path:
    """Where the agent keeps its token, and where the host looks for one, unless told otherwise."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(config) / "kdp-edge" / "agent.token"


def read(path: Path) -> str:
    """The token in `path`; raises `KdpError` unless the file is private and holds one."""
    check_private(path)
    with open(path, encoding="ascii", errors="replace") as file:
        return checked(file.read(LARGEST), str(path))


def read_or_make(path: Path) -> tuple[str, bool]:
    """The token in `path`, and whether it was made just now (256 random bits) because there was no file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read(path), False
    token = secrets.token_urlsafe(32)
    with open(handle, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token, True


def checked(text: str, where: str) -> str:
    """`text` without white space around it; raises `KdpError` (which never shows it) unless it is a token."""
    text = text.strip()
    if not _TOKEN.fullmatch(text):
        raise KdpError(
            f"{where} holds no token: expected at least {LEAST} letters, digits, - or _, found {len(text)} "
            "characters; copy the agent's file again, or remove it there and start agent.py"
        )
    return text


def check_private(path: Path) -> None:
    """Raise `KdpError` unless `path` is a file that only its owner can read, who is us or root."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file") from None
    if not stat.S_ISREG(status.st_mode):
        raise KdpError(f"{path}: not a file")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise KdpError(f"{path}: others may open it (mode {mode:04o}, expected 0600): chmod 600 {path}")
    if status.st_uid not in (os.geteuid(), 0):
        raise KdpError(f"{path}: belongs to user {status.st_uid}, expected {os.geteuid()}; copy it")
