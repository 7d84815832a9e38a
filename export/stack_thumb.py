# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a Thumb instruction, as objdump prints it, takes from the stack and whom it calls."""

from __future__ import annotations

import re

from kdp_edge.exporters.stack_bound import DYNAMIC, POINTER, Function, Reader

_WIDE = {"d": 8, "q": 16}  # bytes of a register by its first letter; all others have 4


def _read(function: Function, mnemonic: str, operands: str) -> None:
    """Add what one instruction takes from the stack, or whom it calls."""
    mnemonic = mnemonic.split(".")[0]
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
            function.unbounded = DYNAMIC
        elif mnemonic != "add":
            function.frame += int(size[1])
    elif mnemonic in ("blx", "bx") and operands != "lr":
        function.unbounded = POINTER
    elif mnemonic.startswith("bf"):
        pass  # bit fields; or how objdump names a VCTP, whose target is none
    elif mnemonic.startswith(("b", "cb")):
        function.jump(operands, call=mnemonic == "bl")


def _list_bytes(registers: str) -> int:
    """Size of a register list such as {r4, r5, lr} or {d8-d15}."""
    total = 0
    for item in registers.strip(" {}").split(","):
        first, _, last = item.strip().partition("-")
        count = int(last[1:]) - int(first[1:]) + 1 if last else 1
        total += count * _WIDE.get(first[0], 4)
    return total


# the core stacks 26 words with the FPU's, one more to align
THUMB = Reader(_read, exception_frame=108)
