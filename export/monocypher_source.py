# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Monocypher's C, with which a signed image verifies: fetched by exact name and hash, no part of this tree.

It comes in the source distribution of pymonocypher, the package that signs on the host.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_bytes
from kdp_edge.base.workspace import workspace

PACKAGE, VERSION = "pymonocypher", "4.0.3.2"
ARCHIVE = f"{PACKAGE}-{VERSION}.tar.gz"
SHA256 = "02e9e5d7cd249742d23f90d1d396d5d5748d71bd157185f24c80b137cdaa8874"
FILES = ("monocypher.c", "monocypher.h")
LONGEST = 600  # seconds for pip


def cached_archive() -> Path:
    """Where the source distribution is kept; whoever has no network puts it there by hand."""
    return workspace() / "cache" / ARCHIVE


def unpack(folder: Path) -> None:
    """Write Monocypher's two files into `folder`, from the cache or, the first time, through pip.

    Raises:
        KdpError: it cannot be fetched, or what was found is not the distribution that is expected.
    """
    archive = cached_archive()
    if not archive.is_file():
        write_bytes(archive, _checked(_fetched(), f"what pip fetched as {ARCHIVE}"))
    data = _checked(archive.read_bytes(), str(archive))
    with tarfile.open(fileobj=BytesIO(data), mode="r:gz") as members:
        for name in FILES:
            file = members.extractfile(f"{PACKAGE}-{VERSION}/{name}")
            assert file is not None  # the hash is right
            (folder / name).write_bytes(file.read())


def _checked(data: bytes, where: str) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise KdpError(f"{where}: SHA-256 is {found}, expected {SHA256}; remove it, nothing of it was used")
    return data


def _fetched() -> bytes:
    """The archive, by the user's own pip and index; pip compares the hash before it looks inside."""
    with tempfile.TemporaryDirectory(prefix="kdp-fetch-") as temporary:
        wanted = Path(temporary) / "wanted.txt"
        wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-binary", PACKAGE, "--require-hashes", "-d", temporary, "-r"]
        try:
            done = subprocess.run(
                [*command, str(wanted)], capture_output=True, text=True, errors="replace", timeout=LONGEST
            )
            why = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        except subprocess.TimeoutExpired:
            why = f"pip did not end within {LONGEST} s"
        file = Path(temporary) / ARCHIVE
        if not file.is_file():
            raise KdpError(
                f"{ARCHIVE} could not be fetched ({why}); a signed image verifies with the Monocypher in it: "
                f"put the file into {cached_archive().parent}, or go online once"
            )
        return file.read_bytes()
