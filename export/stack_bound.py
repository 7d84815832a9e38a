# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Worst-case stack of a linked image: the deepest path through its call graph, not a guess.

Frames and calls are read from the machine code itself, so the C library, the compiler's helpers and
hand-written assembly count like everything else. Recursion, a call through a pointer or a frame
whose size is computed at run time is an error rather than a wrong number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.toolchain import Toolchain, run

# what the core itself stacks for an interrupt: 26 words with the FPU's, one more to align
EXCEPTION_FRAME = 108

_FUNCTION = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(\S+)\s*(.*)$")
_TARGET = re.compile(r"([0-9a-f]+) <([^>+]+)(\+0x[0-9a-f]+)?>")
_WIDE = {"d": 8, "q": 16}  # bytes of a register by its first letter; all others have 4


@dataclass
class Function:
    """One function of the image; calls are the addresses of other functions."""

    name: str
    frame: int = 0
    unbounded: str = ""  # why its frame or what it calls cannot be known
    calls: set[int] = field(default_factory=set)


def stack_bound(elf: Path, toolchain: Toolchain, entries: Iterable[str], interrupt: str) -> int:
    """Bytes of stack in the worst case: the deepest path from `entries`, interrupted once.

    Args:
        elf: a linked image.
        entries: functions that start on an empty stack.
        interrupt: the one interrupt handler.
    """
    functions = parse(run([toolchain.tool("objdump"), "-d", "--no-show-raw-insn", str(elf)]))
    by_name = {function.name: address for address, function in functions.items()}
    depths: dict[int, int] = {}
    active: list[int] = []

    def depth(address: int) -> int:
        function = functions[address]
        problem = "is recursive" if address in active else function.unbounded
        if problem:
            raise KdpError(f"firmware: {function.name} {problem}; its stack has no bound")
        if address not in depths:
            active.append(address)
            deepest = max((depth(callee) for callee in function.calls), default=0)
            active.pop()
            depths[address] = function.frame + deepest
        return depths[address]

    for name in (*entries, interrupt):
        if name not in by_name:
            raise KdpError(f"firmware: {name} is not in {elf.name}; was it linked?")
    deepest = max(depth(by_name[name]) for name in entries)
    return deepest + EXCEPTION_FRAME + depth(by_name[interrupt])


def parse(disassembly: str) -> dict[int, Function]:
    """Functions by address, from the output of `objdump -d`."""
    functions: dict[int, Function] = {}
    current = Function("")
    start = 0
    for line in disassembly.splitlines():
        head = _FUNCTION.match(line)
        if head:
            start, current = int(head[1], 16), Function(head[2])
            functions[start] = current
            continue
        instruction = _INSTRUCTION.match(line)
        if instruction and not instruction[1].startswith("."):
            _read(current, start, instruction[1].split(".")[0], instruction[2])
    starts = sorted(functions)
    for function in functions.values():
        # a jump into the middle of a function is one to that function
        function.calls = {max(s for s in starts if s <= target) for target in function.calls}
    return functions


def _read(function: Function, start: int, mnemonic: str, operands: str) -> None:
    """Add what one instruction takes from the stack, or whom it calls."""
    operands = operands.split(";")[0].split("@")[0].strip()
    if mnemonic in ("push", "vpush"):
        function.frame += _list_bytes(operands)
    elif mnemonic in ("stmdb", "vstmdb", "stmfd") and operands.startswith("sp!"):
        function.frame += _list_bytes(operands.split(",", 1)[1])
    elif re.match(r"(v?str|strd)", mnemonic) and (grown := re.search(r"\[sp, #-(\d+)\]!", operands)):
        function.frame += int(grown[1])
    elif mnemonic in ("sub", "subw", "subs", "add") and operands.startswith("sp,"):
        size = re.search(r"#(\d+)$", operands)
        if size is None:
            function.unbounded = "has a dynamic stack frame"
        elif mnemonic != "add":
            function.frame += int(size[1])
    elif mnemonic in ("blx", "bx") and operands != "lr":
        function.unbounded = "calls through a pointer"
    elif mnemonic.startswith("bf"):
        pass  # bit fields; or how objdump names a VCTP, whose target is none
    elif mnemonic.startswith(("b", "cb")) and (target := _TARGET.search(operands)):
        inside = target[2] == function.name and (target[3] is not None or mnemonic != "bl")
        if not inside:
            function.calls.add(int(target[1], 16))


def _list_bytes(registers: str) -> int:
    """Size of a register list such as {r4, r5, lr} or {d8-d15}."""
    total = 0
    for item in registers.strip(" {}").split(","):
        first, _, last = item.strip().partition("-")
        count = int(last[1:]) - int(first[1:]) + 1 if last else 1
        total += count * _WIDE.get(first[0], 4)
    return total
