# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a RISC-V instruction, as objdump prints it, takes from the stack and whom it calls."""

from __future__ import annotations

import re

from kdp_edge.exporters.stack_bound import DYNAMIC, POINTER, Function, Reader

# what it does to its first operand; a load of sp is the start-up code's, which empties the stack
_GROWN = re.compile(r"^sp,sp,(-?\d+)$")
_STORES = ("sw", "sh", "sb", "c.sw", "c.swsp", "fsw", "fsd", "beq", "bne", "bl", "bg", "lw", "c.lwsp", "csrw")
_RETURNS = {("jr", "ra"), ("jalr", "zero,ra"), ("ret", ""), ("mret", "")}


def _read(function: Function, mnemonic: str, operands: str) -> None:
    """Add what one instruction takes from the stack, or whom it calls."""
    operands = operands.strip()
    if operands.startswith("sp,") and not mnemonic.startswith(_STORES):
        grown = _GROWN.match(operands)
        if grown is None or mnemonic not in ("add", "addi"):
            function.unbounded = DYNAMIC
        else:
            function.frame += max(0, -int(grown[1]))
    elif mnemonic in ("jalr", "jr") and (mnemonic, operands) not in _RETURNS and "<" not in operands:
        function.unbounded = POINTER
    elif mnemonic.startswith(("b", "j")):
        function.jump(operands, call=mnemonic in ("jal", "jalr"))


# the core stacks nothing: the handler does, in instructions that are read like all others
RISCV = Reader(_read, exception_frame=0)
