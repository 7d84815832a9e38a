# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Files that are either whole or absent: write to a temporary name, then rename."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import KdpError

LARGEST_JSON = 64 << 20  # bytes


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    A link is followed to the file that it names.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary, lock = _locked_file(path)
    try:
        yield temporary
        os.chmod(temporary, usual_mode(0o666))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


def _locked_file(path: Path) -> tuple[Path, int]:
    """A fresh file beside `path`, and the lock that says that somebody still fills it."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        if claimed(handle) and os.path.exists(name):
            return Path(name), handle
        os.close(handle)  # swept before it was locked


def claimed(handle: int) -> bool:
    """Lock what is still being filled; False when a sweeper was quicker."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


def _sweep(path: Path) -> None:
    """Remove files that killed processes left half-written beside `path`."""
    for left in path.parent.glob(f".{escape(path.name)}.????????.tmp"):
        with suppress(OSError):  # gone, not ours, or a folder
            lock = os.open(left, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(lock)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON with a final newline, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a missing, broken, huge or bottomless file becomes a `KdpError` that names it."""
    try:
        size = Path(path).stat().st_size
        if size > LARGEST_JSON:
            raise KdpError(f"{path}: {size} bytes, expected at most {LARGEST_JSON}; restore or recreate it")
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file") from None
    except (IsADirectoryError, NotADirectoryError):
        raise KdpError(f"{path}: not a file") from None
    except RecursionError:
        raise KdpError(f"{path}: not valid JSON (nested too deeply); restore or recreate it") from None
    except ValueError as error:  # not JSON, not UTF-8, or an integer of thousands of digits
        raise KdpError(f"{path}: not valid JSON ({error}); restore or recreate it") from None


def read_object(path: Path) -> dict[str, Any]:
    """Read JSON that is an object; anything else becomes a `KdpError` that names it."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise KdpError(f"{path}: {type(value).__name__}, expected an object; restore or recreate it")
    return value


def check_result_file(path: Path, option: str = "--out") -> None:
    """Look, before the work, whether results may be written to `path` as JSON.

    Raises:
        KdpError: it is a folder, or a file that is no JSON and therefore not an earlier result.
    """
    if path.is_dir():
        raise KdpError(f"{path} is a folder, expected a file for the result; give another {option}")
    if path.exists():
        try:
            json.loads(path.read_bytes())
        except ValueError:
            raise KdpError(f"{path} exists and is no earlier result; give another {option}") from None


def sha256_file(path: Path) -> str:
    """SHA-256 of a file as lower-case hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def usual_mode(mode: int) -> int:
    """Permissions as the user's umask leaves them."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask
