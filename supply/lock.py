# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Writes the lock files beside it: `make lock`, or `make lock UPGRADE=--upgrade` for newer releases.

    torch.txt       torch as everybody gets it, CUDA included
    torch-cpu.txt   torch for CPUs, a twentieth of it, where pip finds that build
    demo.txt        everything else that `make demo` installs
    test.txt        what `make test` installs besides
    trt-check.txt   what `make trt-check` installs besides

One resolution for every platform and Python version, with the hashes of all files of a release; no address
of a registry. Without --upgrade a locked release stays, unless a requirement of pyproject.toml forbids it.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROJECT = FOLDER.parent / "pyproject.toml"
HEAD = "# Written by supply/lock.py (make lock).\n"
LOCKS = {
    "demo.txt": ["--extra=train", "--extra=hil", "--extra=tflm", "--group=build"],
    "test.txt": ["--extra=train", "--extra=hil", "--extra=tflm", "--extra=dev", "--group=build"],
    "trt-check.txt": ["--extra=trt-check"],
}
# the CPU build of torch needs none of its companions, so they must not be installed on its behalf
TORCH = re.compile(r"(torch|triton|(cuda|nvidia)-[\w-]+)==")
CPU = "torch-cpu.txt"
LONGEST_S = 1800  # for one resolution or one download


def compiled(arguments: list[str], pins: Path, upgrade: bool) -> dict[str, str]:
    """Resolve some extras: name -> its lines, the requirement and its hashes. `pins` is read and renewed."""
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11"]
    command += ["--fork-strategy=fewest", "--generate-hashes", "--no-header", "--no-annotate"]
    command += [*arguments, *(["--upgrade"] if upgrade else []), f"--output-file={pins}", str(PROJECT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=LONGEST_S)
    blocks = re.findall(r"^\S.*(?:\n    .*)*\n", pins.read_text(encoding="utf-8"), re.MULTILINE)
    return {block.partition("==")[0]: block for block in blocks}


def locked() -> str:
    """Everything that the lock files pin now."""
    names = [*LOCKS, "torch.txt"]
    return "".join((FOLDER / n).read_text(encoding="utf-8") for n in names if (FOLDER / n).is_file())


def cpu_build(requirement: str, before: str) -> str:
    """The pin of torch's CPU build, this Python's hash added; as before where pip finds no such build."""
    pin = requirement.split()[0] + "+cpu"
    known = set(re.findall(r"sha256:\w+", before)) if before.startswith(f"{HEAD}{pin} ") else set()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, pin]
        if subprocess.run(command, check=False, timeout=LONGEST_S).returncode:
            print(f"{CPU}: pip does not find {pin} here; left as it is", file=sys.stderr)
            return before
        for wheel in Path(folder).glob("*.whl"):
            with wheel.open("rb") as file:
                known.add(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")
    return HEAD + " \\\n    ".join([pin, *(f"--hash={one}" for one in sorted(known))]) + "\n"


def main() -> None:
    """Resolve everything once, then each lock from those pins; a package stands in one lock only."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text(locked(), encoding="utf-8")
        every = sorted({argument for arguments in LOCKS.values() for argument in arguments})
        everything = compiled(every, pins, "--upgrade" in sys.argv[1:])
        torch = {name: block for name, block in everything.items() if TORCH.match(block)}
        files, seen = {"torch.txt": torch}, set(torch)
        for file, arguments in LOCKS.items():
            pins.write_text("".join(everything.values()), encoding="utf-8")
            names = compiled(arguments, pins, upgrade=False).keys() - seen
            files[file] = {name: block for name, block in everything.items() if name in names}
            seen |= names
    for file, blocks in files.items():
        (FOLDER / file).write_text(HEAD + "".join(blocks.values()), encoding="utf-8")
    before = (FOLDER / CPU).read_text(encoding="utf-8") if (FOLDER / CPU).is_file() else ""
    (FOLDER / CPU).write_text(cpu_build(torch["torch"], before), encoding="utf-8")


if __name__ == "__main__":
    main()
