"""SHA256SUMS: the list that binds a bundle's files, readable by the program sha256sum.

Standard library only and Python 3.10: this file also runs on the device.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from kdp_edge.base.errors import KdpError

FILE = "SHA256SUMS"
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
    """Verify every listed file; return {name: hash}. Files that are not listed are ignored.

    Raises:
        KdpError: naming the file, the hash found and the hash expected.
    """
    listing = folder / FILE
    remedy = "copy the bundle again or export it anew (kdp-edge export)"
    if not folder.is_dir():
        raise KdpError(f"{folder}: no such bundle; write one with kdp-edge export --target ...")
    if not listing.is_file():
        raise KdpError(f"{listing}: no such file, so this is not a whole bundle; {remedy}")
    hashes: dict[str, str] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or ".." in Path(match[2]).parts or Path(match[2]).is_absolute():
            raise KdpError(f"{listing}: line {number} is not '<sha256>  <name>'; {remedy}")
        expected, name = match[1], match[2]
        if not (folder / name).is_file():
            raise KdpError(f"{folder / name}: listed in {FILE} but missing; {remedy}")
        found = sha256(folder / name)
        if found != expected:
            raise KdpError(f"{folder / name}: sha256 is {found}, expected {expected} as in {FILE}; {remedy}")
        hashes[name] = expected
    return hashes
