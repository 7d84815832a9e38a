# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Emulated cores for counting instructions: how to compile for them, where memory is, how to run."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.exporters.architecture import Architecture, architecture_of
from kdp_edge.exporters.boards import Board, Counting, board_names, load_board
from kdp_edge.exporters.toolchain import find_program

TIME_LIMIT = 120  # seconds for one emulated run; the longest takes about 10


@dataclass(frozen=True)
class BenchBoard:
    """One emulated core: a board whose board.toml says how its instructions are counted."""

    board: Board
    counting: Counting

    @property
    def name(self) -> str:
        return self.board.name

    @property
    def core(self) -> str:
        return self.board.core

    @property
    def family(self) -> Architecture:
        """Of its core."""
        return architecture_of(self.core)

    @property
    def machine(self) -> str:
        """QEMU's name."""
        return self.counting.machine or self.board.machine

    @property
    def kernels(self) -> tuple[str, ...]:
        """Of firmware/nn that it can run, its own first."""
        return self.counting.kernels

    @property
    def flags(self) -> tuple[str, ...]:
        """For the compiler."""
        return (*self.board.flags, *self.counting.defines)

    @property
    def code_start(self) -> int:
        """Address of the code."""
        return int(self.counting.code.split()[0], 16)

    @property
    def constants_bytes(self) -> int:
        """Room for code and constants, or for constants where they have a memory of their own."""
        size = (self.counting.constants or self.counting.code).split()[1]
        return int(size[:-1]) << {"K": 10, "M": 20}[size[-1]]

    @property
    def memory(self) -> str:
        """MEMORY command of the linker script."""
        return _memory(self.counting.code, self.counting.constants, self.counting.ram)

    def instructions(self, ticks: int) -> int:
        """Counter ticks as instructions, rounded to the nearest."""
        return round(ticks * self.counting.nanoseconds_per_tick / (1 << self.counting.icount_shift))

    def command(self, elf: Path, *arguments: str) -> list[str]:
        """QEMU with a fixed number of instructions per virtual second, the program's output on stderr."""
        qemu = find_program(self.family.qemu, self.family.install)
        semihosting = ",".join(["enable=on,target=native", *(f"arg={a}" for a in arguments)])
        return [
            *(qemu, "-M", self.machine, *self.family.qemu_options, "-kernel", str(elf)),
            *("-semihosting-config", semihosting),
            *("-display", "none", "-monitor", "none", "-serial", "none"),
            *("-icount", f"shift={self.counting.icount_shift},sleep=off"),
        ]

    def run(self, elf: Path, *arguments: str, extra: tuple[str, ...] = ()) -> str:
        """Run `elf` to its end and return what it printed."""
        try:
            done = subprocess.run(
                [*self.command(elf, *arguments), *extra], capture_output=True, text=True, timeout=TIME_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise KdpError(
                f"{elf.name} on {self.machine}: no end after {TIME_LIMIT} s", DEVICE_MISSING
            ) from None
        output = done.stdout + done.stderr
        if done.returncode != 0 or re.search(r"^fault", output, re.MULTILINE):
            lines = [line for line in output.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
            raise KdpError(f"{elf.name} on {self.machine} failed: {lines[-1]}", DEVICE_MISSING)
        return output


def _memory(code: str, constants: str, ram: str) -> str:
    """A linker MEMORY command from 'origin size' texts; no constants: they share the code's memory."""

    def region(name: str, text: str) -> str:
        origin, size = text.split()
        return f"    {name} : ORIGIN = {origin}, LENGTH = {size}\n"

    regions = (
        region("CODE", code) + (region("CONSTANTS", constants) if constants else "") + region("RAM", ram)
    )
    alias = "" if constants else 'REGION_ALIAS("CONSTANTS", CODE)\n'
    return f"MEMORY\n{{\n{regions}}}\n{alias}"


def bench_boards() -> list[BenchBoard]:
    """All boards that are counted, Cortex-M first, the smallest core first."""
    boards = [load_board(name) for name in board_names()]
    found = [BenchBoard(board, board.bench) for board in boards if board.bench is not None]
    return sorted(found, key=lambda board: (board.family.qemu, int(re.sub(r"\D", "", board.core))))


def board_named(name: str) -> BenchBoard:
    """The board called `name`; an unknown one becomes a `KdpError`."""
    known = {board.name: board for board in bench_boards()}
    if name not in known:
        raise unknown("bench board", name, known)
    return known[name]
