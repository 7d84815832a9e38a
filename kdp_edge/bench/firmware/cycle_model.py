# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Modelled Cortex-M4 cycles of a bench case: executions per instruction times the manual's table.

The executions come from a QEMU plug-in (firmware/bench/count_plugin.c). The table is the one of the
Cortex-M4 Technical Reference Manual (Arm 100166, instruction set summary and FPU tables), with

- zero wait states: no flash or bus stall, as in tightly coupled or cached memory;
- each conditional branch counted as taken and each refill with its longest time (3 cycles);
- a load or store right after another one counted as one cycle (the manual's address pipelining),
  but never for LDRD, LDM and their kin, which take 1 + N.

It is a model, not a measurement: on silicon read the cycle counter.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdp_edge.bench.firmware.boards import BenchBoard
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.exporters.toolchain import arm_toolchain, host_toolchain, run

REFILL = 3
CODE_BYTES = 1 << 17  # of the bench program from the start of its code
_LINE = re.compile(r"^\s*([0-9a-f]+):\t(\S+)(?:\t(.*))?$")
_LIST = re.compile(r"\{(.*)\}")
_SINGLE = re.compile(r"^v?(ldr|str)(?!d|ex)(b|h|sb|sh|t)?$")
_BRANCH = re.compile(r"^(b|bl|bx|blx|cbz|cbnz|tbb|tbh)$")
_CONDITIONS = "eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|hs|lo"
_CONDITIONAL = re.compile(rf"^(b|ldr(?:sb|sh|b|h)?|str(?:b|h)?|mla|vmov|bx)({_CONDITIONS})$")
_SLOW = {"mla": 2, "mls": 2, "vmla": 3, "vmls": 3, "vfma": 3, "vfms": 3, "vdiv": 14, "vsqrt": 14}
_SLOW |= {"sdiv": 12, "udiv": 12}  # 2 to 12


@dataclass(frozen=True)
class Instruction:
    """One disassembled instruction: address, mnemonic without width, type and condition, operands."""

    address: int
    name: str
    operands: str


def cost(instruction: Instruction, previous: Instruction | None) -> int:
    """Cycles of one execution after `previous`, the instruction before it in memory."""
    name, operands = instruction.name, instruction.operands
    if _BRANCH.match(name):
        return 1 + REFILL
    registers = _LIST.search(operands)
    if name in ("ldrd", "strd"):
        return 3
    if registers and re.match(r"v?(ldm|stm|push|pop)", name):
        return 1 + _count(registers[1]) + (REFILL if "pc" in registers[1] else 0)
    if _SINGLE.match(name):
        pipelined = previous is not None and _SINGLE.match(previous.name) is not None
        return (1 if pipelined else 2) + (REFILL if operands.startswith("pc") else 0)
    if operands.startswith("pc,"):
        return 1 + REFILL
    if name == "vmov" and operands.count(",") == 3:
        return 2
    return _SLOW.get(name, 1)


def _count(registers: str) -> int:
    total = 0
    for part in registers.split(","):
        first, _, last = part.strip().partition("-")
        total += int(last[1:]) - int(first[1:]) + 1 if last else 1
        if first.startswith("d"):
            total += int(last[1:]) - int(first[1:]) + 1 if last else 1  # two words each
    return total


def disassemble(elf: Path) -> list[Instruction]:
    """The instructions of `elf` in order of address."""
    text = run([arm_toolchain().tool("objdump"), "-d", "--no-show-raw-insn", str(elf)])
    result = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match[2].startswith("."):
            continue
        name = re.sub(r"\.(n|w|f32|f64|s32|u32|f32\.\w+|s32\.\w+)+$", "", match[2])
        conditional = _CONDITIONAL.match(name)
        name = conditional[1] if conditional else name
        result.append(Instruction(int(match[1], 16), name, match[3] or ""))
    return result


@dataclass(frozen=True)
class Counted:
    """One run of a case: instructions executed, and the model's cycles."""

    instructions: int
    cycles: int


class CycleCounter:
    """Counts executions per instruction under QEMU; needs the host's C compiler for the plug-in."""

    def __init__(self, board: BenchBoard) -> None:
        self.board = board
        self._folder = tempfile.TemporaryDirectory(prefix="kdp-count-")
        self._plugin = Path(self._folder.name) / "count.so"
        source = FIRMWARE / "bench" / "count_plugin.c"
        flags = ["-O2", "-shared", "-fPIC", str(source), "-o", str(self._plugin)]
        run([host_toolchain().compiler, *flags])

    def count(self, elf: Path, case: str) -> Counted:
        """Instructions and modelled cycles of one call of `case`, call 0."""
        # the second repetition alone: start-up and initialisation cancel out
        counts = self._executions(elf, case, 2) - self._executions(elf, case, 1)
        base, cycles, previous = self.board.code_start, 0, None
        for instruction in disassemble(elf):
            at = (instruction.address - base) // 2 + 1
            if 1 <= at < len(counts):
                cycles += int(counts[at]) * cost(instruction, previous)
            previous = instruction
        return Counted(int(counts.sum()), cycles)

    def _executions(self, elf: Path, case: str, repetitions: int) -> np.ndarray:
        out = Path(self._folder.name) / "counts"
        base = self.board.code_start
        plugin = f"{self._plugin},base={base},size={CODE_BYTES},out={out}"
        self.board.run(elf, case, str(repetitions), extra=("-plugin", plugin))
        return np.fromfile(out, np.uint64).astype(np.int64)


def plugins_supported() -> bool:
    """Whether this QEMU was built with plug-ins."""
    try:
        done = subprocess.run(["qemu-system-arm", "--help"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return "-plugin" in done.stdout
