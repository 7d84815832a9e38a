# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Worst-case stack of a linked image: the deepest path through its call graph, not a guess.

Frames and calls are read from the machine code itself, so the C library, the compiler's helpers and
hand-written assembly count like everything else. Recursion, a call through a pointer or a frame
whose size is computed at run time is an error rather than a wrong number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.toolchain import Toolchain, run

_FUNCTION = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(\S+)\s*(.*)$")
_TARGET = re.compile(r"([0-9a-f]+) <([^>+]+)(\+0x[0-9a-f]+)?>")
POINTER = "calls through a pointer"
DYNAMIC = "has a dynamic stack frame"


@dataclass
class Function:
    """One function of the image; calls are the addresses of other functions."""

    name: str
    frame: int = 0
    unbounded: str = ""  # why its frame or what it calls cannot be known
    calls: set[int] = field(default_factory=set)

    def jump(self, operands: str, call: bool) -> None:
        """Add whom a branch leads to; one that stays inside is a loop, unless it is a call."""
        target = _TARGET.search(operands)
        if target and (target[2] != self.name or (call and target[3] is None)):
            self.calls.add(int(target[1], 16))


@dataclass(frozen=True)
class Reader:
    """How one instruction set is read."""

    read: Callable[[Function, str, str], None]  # adds what an instruction (mnemonic, operands) does
    exception_frame: int  # bytes that the core itself stacks for an interrupt


def stack_bound(
    elf: Path, toolchain: Toolchain, reader: Reader, entries: Iterable[str], interrupt: str
) -> int:
    """Bytes of stack in the worst case: the deepest path from `entries`, interrupted once.

    Args:
        elf: a linked image.
        reader: of its instruction set.
        entries: functions that start on an empty stack.
        interrupt: the one interrupt handler.
    """
    functions = parse(run([toolchain.tool("objdump"), "-d", "--no-show-raw-insn", str(elf)]), reader)
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
    return deepest + reader.exception_frame + depth(by_name[interrupt])


def parse(disassembly: str, reader: Reader) -> dict[int, Function]:
    """Functions by address, from the output of `objdump -d`."""
    functions: dict[int, Function] = {}
    current = Function("")
    for line in disassembly.splitlines():
        head = _FUNCTION.match(line)
        if head:
            current = functions[int(head[1], 16)] = Function(head[2])
            continue
        instruction = _INSTRUCTION.match(line)
        if instruction and not instruction[1].startswith("."):
            reader.read(current, instruction[1], instruction[2])
    starts = sorted(functions)
    for function in functions.values():
        # a jump into the middle of a function is one to that function
        function.calls = {max(s for s in starts if s <= target) for target in function.calls}
    return functions
