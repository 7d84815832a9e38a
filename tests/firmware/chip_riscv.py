# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A chip of chip.py with a 32-bit RISC-V core, machine mode."""

from __future__ import annotations

from unicorn import UC_ARCH_RISCV, UC_MODE_RISCV32, Uc
from unicorn.riscv_const import (
    UC_RISCV_REG_MCAUSE,
    UC_RISCV_REG_MEPC,
    UC_RISCV_REG_MIE,
    UC_RISCV_REG_MSTATUS,
    UC_RISCV_REG_MTVEC,
    UC_RISCV_REG_PC,
    UC_RISCV_REG_RA,
    UC_RISCV_REG_X0,
)

from tests.firmware.chip import RETURN, Chip

EXTERNAL = 11  # the cause and the enable bit of a machine external interrupt
MIE, MPIE, MPP = 1 << 3, 1 << 7, 3 << 11  # of mstatus


class RiscvChip(Chip):
    """Starts at `vectors`, where code lies; one external interrupt through mtvec."""

    pc, lr, thumb = UC_RISCV_REG_PC, UC_RISCV_REG_RA, 0
    core_registers = ()

    def make_core(self) -> Uc:
        return Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)

    def start(self) -> None:
        self.core.reg_write(UC_RISCV_REG_MSTATUS, 0)
        self.core.reg_write(UC_RISCV_REG_MIE, 0)
        self.core.reg_write(self.pc, self.vectors)

    def interrupt_enabled(self) -> bool:
        status, enabled = (self.core.reg_read(r) for r in (UC_RISCV_REG_MSTATUS, UC_RISCV_REG_MIE))
        return bool(status & MIE and enabled >> EXTERNAL & 1)

    def enter_interrupt(self) -> int:
        status = self.core.reg_read(UC_RISCV_REG_MSTATUS)
        self.core.reg_write(UC_RISCV_REG_MSTATUS, status & ~MIE | MPIE | MPP)
        self.core.reg_write(UC_RISCV_REG_MEPC, RETURN)
        self.core.reg_write(UC_RISCV_REG_MCAUSE, 1 << 31 | EXTERNAL)
        handler = int(self.core.reg_read(UC_RISCV_REG_MTVEC))
        assert handler & 3 == 0, "direct mode"
        return handler

    @staticmethod
    def general(number: int) -> int:
        """Unicorn's name of the register x`number`."""
        return int(UC_RISCV_REG_X0) + number
