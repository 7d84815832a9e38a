# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Folders that a command writes: looked at before the work, whole or absent, nothing of a user's replaced.

One rule for all of them. A folder may be written when it is absent or empty, or when everything in it was
written by this product for the same purpose: then it is replaced, in one step. Links are followed to what
they name. Whatever a killed process left beside it is swept by the next one that writes there.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import claimed, usual_mode

AT_FDCWD = -100  # fcntl.h
RENAME_EXCHANGE = 2  # linux/fs.h
PROBE = 1 << 20  # bytes that must fit before work begins


@dataclass(frozen=True)
class Purpose:
    """What a folder is written for.

    Args:
        name: such as "bundle", for messages.
        written: names of the files (relative, with slashes) that this product wrote into such a folder;
            None for a folder that is none of its own. Must not raise for any content.
    """

    name: str
    written: Callable[[Path], set[str] | None]
    denial: str = ""  # such as "no image folder"; formed of the name where it is empty


def check_writable(folder: Path, purpose: Purpose, option: str = "--out") -> Path:
    """The folder that `folder` names, links followed, if it may be written for `purpose`.

    Looks only; to be called before the work whose result goes there.

    Raises:
        KdpError: it is a file, holds what this product did not write for this purpose, or cannot be written.
    """
    real = Path(os.path.realpath(folder))
    if os.path.lexists(real):
        _check_content(real, folder, purpose, option)
    above = real.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise KdpError(f"{folder}: {above} is a file, not a folder; give another {option}")
    try:
        with tempfile.TemporaryFile(dir=above) as probe:
            probe.write(bytes(PROBE))
    except OSError as error:
        raise KdpError(
            f"{folder}: {above} cannot be written: {error.strerror}; give another {option}"
        ) from None
    return real


def _check_content(real: Path, folder: Path, purpose: Purpose, option: str) -> None:
    another = f"give another {option}, or move that away"
    if not real.is_dir():
        raise KdpError(f"{folder} is a file, expected a folder for a {purpose.name}; {another}")
    found = sorted(name for name in _files(real) if "__pycache__" not in name.split("/"))
    if not found and not any(real.iterdir()):
        return
    ours = purpose.written(real)
    if ours is None:
        what = f"{len(found)} file{'s' if len(found) != 1 else ''}, {found[0]} first" if found else "folders"
        denial = purpose.denial or f"no {purpose.name}"
        raise KdpError(f"{folder} holds {what}, and is {denial} of kdp-edge; {another}")
    foreign = [name for name in found if name not in ours]
    if foreign:
        raise KdpError(f"{folder / foreign[0]} is no part of the {purpose.name} in that folder; {another}")


def _files(folder: Path) -> Iterator[str]:
    """Files and links below `folder`, by relative name; links are not followed."""
    for path, folders, files in os.walk(folder):
        for name in [*files, *(name for name in folders if os.path.islink(os.path.join(path, name)))]:
            yield os.path.relpath(os.path.join(path, name), folder).replace(os.sep, "/")


@contextmanager
def written_folder(folder: Path, purpose: Purpose, option: str = "--out") -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when all went well, and vanishes when not.

    What was there before stays until then, and is exchanged in one step.

    Raises:
        KdpError: see `check_writable`.
    """
    real = check_writable(folder, purpose, option)
    real.parent.mkdir(parents=True, exist_ok=True)
    sweep(real)
    temporary, lock = _locked_folder(real)
    try:
        yield temporary
        check_writable(folder, purpose, option)  # somebody else may have been here meanwhile
        _publish(temporary, real)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(lock)


def new_folder(folder: Path) -> Path:
    """Create `folder` for oneself alone; where there is one, the first free of its name with -2, -3, ..."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    number, made = 1, folder
    while True:
        try:
            made.mkdir()
            return made
        except FileExistsError:
            number += 1
            made = folder.with_name(f"{folder.name}-{number}")


def sweep(path: Path) -> None:
    """Remove what killed processes left beside `path`; folders that a process still fills are locked."""
    for aside in path.parent.glob(f".{escape(path.name)}.????????.old"):
        if os.path.lexists(path):  # see `_exchange`
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.rename(aside, path)
    for left in path.parent.glob(f".{escape(path.name)}.????????.tmp"):
        try:
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # a file, or gone
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except OSError:
            pass  # in use
        finally:
            os.close(lock)


def _locked_folder(real: Path) -> tuple[Path, int]:
    """A fresh folder beside `real`, and the lock that keeps sweepers away from it."""
    while True:
        temporary = Path(tempfile.mkdtemp(prefix=f".{real.name}.", suffix=".tmp", dir=real.parent))
        try:
            lock = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # swept before it was locked
        if claimed(lock) and temporary.is_dir():
            os.chmod(temporary, usual_mode(0o777))
            return temporary, lock
        os.close(lock)


def _publish(temporary: Path, real: Path) -> None:
    """Make `temporary` the folder `real`; an older one takes its place, in one step."""
    for _ in range(100):
        try:
            os.rename(temporary, real)  # onto nothing, or onto an empty folder
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        try:
            _exchange(temporary, real)
            return
        except FileNotFoundError:
            continue  # taken away between the two calls
    raise KdpError(f"{real}: another process keeps writing there; try again")


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders' names, in one step on Linux; elsewhere in two, see `sweep`."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        rename = None
    if rename is not None:
        if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(code, os.strerror(code), str(other))
    aside = other.with_name(f"{one.name.removesuffix('.tmp')}.old")
    os.rename(other, aside)
    try:
        os.rename(one, other)
    except BaseException:
        os.rename(aside, other)
        raise
    shutil.rmtree(aside, ignore_errors=True)
