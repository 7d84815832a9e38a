# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""SHA256SUMS: the list that binds a bundle's files, readable by the program sha256sum.

Standard library only and Python 3.10: this file also runs on the device.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from kdp_edge.base.errors import KdpError

FILE = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"  # of that list, where there is one: cannot be in it
MANIFEST = "manifest.json"
ENGINES = "engines"  # what build_engine.sh builds on the device itself, with a list of its own
REMEDY = "copy the bundle again or export it anew (kdp-edge export)"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def sha256(path: Path) -> str:
    """SHA-256 of a file as lower-case hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(folder: Path) -> None:
    """List every file of `folder`, sorted, in the format of `sha256sum`."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names if name != FILE]
    (folder / FILE).write_text("".join(lines), encoding="utf-8")


def check(folder: Path) -> dict[str, str]:
    """Verify that `folder` holds the listed files, as they were written, and nothing else.

    Returns:
        {name: hash} of every listed file.

    Raises:
        KdpError: naming the file, what was found and what was expected: a file that differs, is missing, is a
            link or is not listed; a list that is not the manifest's.
    """
    listing = folder / FILE
    if not folder.is_dir():
        raise KdpError(f"{folder}: no such bundle; write one with kdp-edge export --target ...")
    if not listing.is_file():
        raise KdpError(f"{listing}: no such file, so this is not a whole bundle; {REMEDY}")
    hashes: dict[str, str] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or ".." in Path(match[2]).parts or Path(match[2]).is_absolute():
            raise KdpError(f"{listing}: line {number} is not '<sha256>  <name>'; {REMEDY}")
        hashes[match[2]] = _checked(folder / match[2], match[1])
    _check_manifest(folder, hashes)
    _check_nothing_else(folder, hashes)
    return hashes


def _checked(path: Path, expected: str) -> str:
    if path.is_symlink():
        raise KdpError(f"{path}: is a link, expected a file of the bundle itself; {REMEDY}")
    if not path.is_file():
        raise KdpError(f"{path}: listed in {FILE} but missing; {REMEDY}")
    found = sha256(path)
    if found != expected:
        raise KdpError(f"{path}: sha256 is {found}, expected {expected} as in {FILE}; {REMEDY}")
    return expected


def _check_manifest(folder: Path, hashes: dict[str, str]) -> None:
    """The manifest names every file as well: a list that was cut at the end of a line is found by that."""
    if MANIFEST not in hashes:
        raise KdpError(f"{folder / FILE}: {MANIFEST} is not listed; {REMEDY}")
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        expected = {str(name): str(entry["sha256"]) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KdpError(f"{folder / MANIFEST}: not a bundle's manifest ({error!r}); {REMEDY}") from None
    for name in sorted(expected.keys() | (hashes.keys() - {MANIFEST})):
        if hashes.get(name) != expected.get(name):
            where = FILE if name not in hashes else MANIFEST
            raise KdpError(f"{folder / name}: {where} does not list it as the other does; {REMEDY}")


def _check_nothing_else(folder: Path, hashes: dict[str, str]) -> None:
    """A file that nobody listed could be compiled in, or imported in the place of a library's."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        made_here = name.parts[0] == ENGINES or "__pycache__" in name.parts
        known = made_here or name.as_posix() in (*hashes, FILE, SIGNATURE)
        if not known and (path.is_symlink() or path.is_file()):
            raise KdpError(f"{path}: not listed in {FILE}; remove it, or {REMEDY}")
