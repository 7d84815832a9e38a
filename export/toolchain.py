# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Compilers: find them, run them, turn what they say into one line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.errors import KdpError

LONGEST = 600  # seconds for one run of a tool
INSTALL = "apt-get install --no-install-recommends"
INSTALL_ARM = f"{INSTALL} gcc-arm-none-eabi picolibc-arm-none-eabi"
INSTALL_RISCV = f"{INSTALL} gcc-riscv64-unknown-elf"
INSTALL_HOST = "apt-get install gcc libc6-dev"


@dataclass(frozen=True)
class Toolchain:
    """A C compiler and the tools that come with it."""

    compiler: str
    prefix: str  # of size, objcopy: "arm-none-eabi-" or ""
    install: str  # the command that gets it

    def tool(self, name: str) -> str:
        """Path of a binary utility."""
        return find_program(f"{self.prefix}{name}", self.install)

    def version(self) -> str:
        """First line of the compiler's --version."""
        return run([self.compiler, "--version"]).splitlines()[0]


def find_program(name: str, install: str) -> str:
    """Absolute path of a program; a missing one becomes a `KdpError` that says how to get it."""
    path = shutil.which(name)
    if path is None:
        raise KdpError(f"{name} not found; install it: {install}")
    return path


def arm_toolchain() -> Toolchain:
    """GCC for Cortex-M with picolibc."""
    compiler = find_program("arm-none-eabi-gcc", INSTALL_ARM)
    try:
        run([compiler, "--specs=picolibc.specs", "-E", "-x", "c", os.devnull])
    except KdpError:
        raise KdpError(f"{compiler} has no picolibc; install it: {INSTALL_ARM}") from None
    return Toolchain(compiler, "arm-none-eabi-", INSTALL_ARM)


def riscv_toolchain() -> Toolchain:
    """GCC for bare-metal RISC-V, 32-bit ones included; a C library is not asked for."""
    prefix = "riscv64-unknown-elf-"
    return Toolchain(find_program(f"{prefix}gcc", INSTALL_RISCV), prefix, INSTALL_RISCV)


def host_toolchain() -> Toolchain:
    """The host's C compiler: $CC or gcc."""
    return Toolchain(find_program(os.environ.get("CC") or "gcc", INSTALL_HOST), "", INSTALL_HOST)


def run(command: list[str], cwd: Path | None = None) -> str:
    """Run a tool and return its output; a failure becomes a `KdpError` with its first error line."""
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, errors="replace", timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        raise KdpError(
            f"{Path(command[0]).name} did not end within {LONGEST} s; is this computer busy?"
        ) from None
    if done.returncode != 0:
        raise KdpError(f"{Path(command[0]).name} failed: {_why(done)}")
    return done.stdout


# causes first: what a compiler driver says last ("ld returned 1 exit status") hides them
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large|File size limit exceeded")
_OVERFLOW = re.compile(r"region [`'](\w+)' overflowed by (\d+) bytes")
_CAUSES = (
    re.compile(r"undefined reference"),
    re.compile(r"\berror\b(?!: ld returned)"),
    re.compile(r"cannot|failed|fatal"),
)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """The line of a tool's output that names the cause, as a sentence where the cause is a common one."""
    output = done.stderr + done.stdout
    if full := _FULL.search(output):
        folder = os.environ.get("TMPDIR") or "/tmp"
        return f"{full[0]}; free some space there, in --out or in {folder} (TMPDIR chooses another)"
    overflows = _OVERFLOW.findall(output)
    if overflows:
        return " and ".join(
            f"region `{region}' overflowed by {int(more):,} bytes" for region, more in overflows
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for cause in _CAUSES:
        for line in lines:
            if cause.search(line):
                return line
    return lines[0] if lines else f"exit code {done.returncode}"
