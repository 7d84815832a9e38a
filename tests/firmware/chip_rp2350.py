# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The RP2350 as its datasheet reads: resets, crystal, PLL, clocks, ticks, pins, UART0, watchdog."""

from __future__ import annotations

from collections import deque

from unicorn import UC_HOOK_CODE, Uc
from unicorn.arm_const import UC_CPU_ARM_CORTEX_M33

from kdp_edge.exporters.build import Image
from tests.firmware.chip import Chip
from tests.firmware.chip_riscv import RiscvChip

CLOCKS, RESETS, PINS, PADS = 0x40010000, 0x40020000, 0x40028000, 0x40038000
XOSC, PLL, UART, TIMER, WATCHDOG, TICKS = (
    0x40048000, 0x40050000, 0x40070000, 0x400B0000, 0x400D8000, 0x40108000,
)  # fmt: skip
IN_RESET = {UART: 26, TIMER: 23, PINS: 6, PADS: 9, PLL: 14}  # bit of RESETS
ISOLATED, INPUT, PULL_UP = 1 << 8, 1 << 6, 1 << 3


class Rp2350(Chip):
    """12 MHz crystal; a wire on GP0 and GP1."""

    core_model = UC_CPU_ARM_CORTEX_M33
    ram = (0x20000000, 0x82000)
    registers = ((0x40000000, 0x200000),)
    vectors = 0x10000000
    interrupt = 33

    def reset_registers(self) -> None:
        kept = {at: v for at, v in self.values.items() if WATCHDOG <= at < WATCHDOG + 0x2C}
        self.values = {RESETS: 0x1FFFFFFF, PADS + 4: 0x116, PADS + 8: 0x116, PLL + 4: 0x2D, **kept}
        self.fifo: deque[int] = deque()

    def bites(self) -> None:
        """The watchdog restarts the chip."""
        assert self.values[WATCHDOG] >> 30 & 1 and self.values[0x40018008] & 0x1FFFFF3 == 0x1FFFFF3
        self.values[WATCHDOG] &= ~(1 << 30)
        self.values[WATCHDOG + 8] = 1
        self.power_on()

    def load(self, address: int) -> int:
        block, offset = address & ~0x3FFF, address & 0xFFF
        self._released(block)
        value = self.values.get(address, 0)
        match block, offset:
            case (0x40020000, 8):
                return ~self.values[RESETS] & 0x1FFFFFFF
            case (0x40048000, 4):
                return (self.values.get(XOSC) == 0xFABAA0) << 31
            case (0x40010000, 0x38):
                return 1 << (self.values.get(CLOCKS + 0x30, 0) & 3)
            case (0x40010000, 0x44):
                return 1 << (self.values.get(CLOCKS + 0x3C, 0) & 1)
            case (0x40050000, 0):
                return value | self._locked() << 31
            case (0x400B0000, 0x28):
                ticks = self.values.get(TICKS + 0x18) == 1 and self.values.get(TICKS + 0x1C) == 12
                assert ticks or not self.values.get(CLOCKS + 0x3C, 0) & 1
                self.now += 3 * ticks
                return self.now & 0xFFFFFFFF
            case (0x40070000, 0x18):
                return (not self.fifo) << 4
            case (0x40070000, 0):
                return self.fifo.popleft() if self.fifo else 0
        return value

    def store(self, address: int, value: int) -> None:
        if address < 0x50000000:  # APB: the registers' aliases (2.1.3)
            alias, address = address >> 12 & 3, address & ~0x3000
            old = self.values.get(address, 0)
            value = (value, old ^ value, old | value, old & ~value)[alias]
        self._released(address & ~0x3FFF)
        if address == UART:
            assert self._baud() and self.values[PINS + 4] == 2 and not self.values[PADS + 4] & ISOLATED
            self.from_chip.append(value & 0xFF)
        if address == WATCHDOG and value >> 31:
            assert self.values[0x40018008] & 0x1FFFFF3 == 0x1FFFFF3
            value &= ~(1 << 31)
            self.ask_restart()
        if address == CLOCKS + 0x3C and value & 1:
            assert self._locked() and value & 0xE0 == 0 and self.values[PLL + 4] & 8 == 0
        self.values[address] = value

    def receive(self, byte: int) -> None:
        pad = self.values[PADS + 8]
        assert self._baud() and self.values[PINS + 12] == 2 and pad & INPUT and not pad & ISOLATED
        assert pad & PULL_UP, "an open wire would be noise"
        self.fifo.append(byte)

    def interrupt_pending(self) -> bool:
        return bool(self.fifo) and self.values[UART + 0x38] & 0x50 == 0x50

    def _released(self, block: int) -> None:
        bit = IN_RESET.get(block)
        assert bit is None or not self.values[RESETS] >> bit & 1, f"0x{block:08x} is held in reset"

    def _locked(self) -> bool:
        on = self.values.get(PLL + 4, 0) & 0x21 == 0
        return on and self.values.get(PLL, 0) & 0x3F == 1 and self.values.get(PLL + 8, 0) == 125

    def system_hz(self) -> float:
        if not self.values.get(CLOCKS + 0x3C, 0) & 1:
            return 12e6
        dividers = self.values[PLL + 12]
        return 12e6 * 125 / (dividers >> 16 & 7) / (dividers >> 12 & 7)

    def _baud(self) -> bool:
        """Whether the UART runs, 8N1, at 921,600 baud within 1 %."""
        assert self.values[CLOCKS + 0x48] == 1 << 11 and self.values[UART + 0x30] & 0x301 == 0x301
        divider = self.values[UART + 0x24] + self.values[UART + 0x28] / 64
        return (
            abs(self.system_hz() / 16 / divider / 921600 - 1) < 0.01
            and self.values[UART + 0x2C] >> 5 & 3 == 3
        )


MEIEA_SET = 0xBE002073  # csrs meiea, register: an instruction without its source register


class Rp2350Riscv(RiscvChip, Rp2350):
    """Hazard3. Each start looks like the watchdog's timer: by it the boot ROM switches the architecture."""

    def __init__(self, image: Image, data: bytes | None = None) -> None:
        self.enabled: set[int] = set()
        super().__init__(image, data)

    def map_flash(self, start: int, data: bytes) -> None:
        super().map_flash(start, data)
        for at in range(0, len(data) - 3, 2):
            if int.from_bytes(data[at : at + 4], "little") & 0xFFF07FFF == MEIEA_SET:
                self.core.hook_add(UC_HOOK_CODE, self._meiea, begin=start + at, end=start + at)

    def _meiea(self, core: Uc, address: int, size: int, _data: object) -> None:
        """Set bits in a window of 16; Unicorn does not know the register."""
        written = core.reg_read(self.general(self._word(address) >> 15 & 31))
        self.enabled |= {16 * (written & 31) + bit for bit in range(16) if written >> 16 + bit & 1}
        core.reg_write(self.pc, address + size)

    def reset_registers(self) -> None:
        super().reset_registers()
        self.values[WATCHDOG + 8] = 1
        self.enabled.clear()

    def interrupt_enabled(self) -> bool:
        return super().interrupt_enabled() and self.enabled == {self.interrupt}
