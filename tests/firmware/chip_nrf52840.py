# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The nRF52840 as its Product Specification reads: crystal, UART, TIMER0, watchdog, flash controller."""

from __future__ import annotations

from collections import deque

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4

from tests.firmware.chip import Chip

CLOCK, UART, TIMER, WDT, NVMC, GPIO = 0x40000000, 0x40002000, 0x40008000, 0x40010000, 0x4001E000, 0x50000000
RESETREAS, UICR_APPROTECT, APPROTECT_DISABLE = CLOCK + 0x400, 0x10001208, CLOCK + 0x558
SLOTS, SLOT_BYTES, PAGE = 0x80000, 0x40000, 0x1000


class Nrf52840(Chip):
    """A development kit: 32 MHz crystal; the probe's serial port on P0.06 and P0.08."""

    core_model = UC_CPU_ARM_CORTEX_M4
    ram = (0x20000000, 0x40000)
    registers = ((0x10000000, 0x2000), (0x40000000, 0x40000), (GPIO, 0x1000), (SLOTS, 2 * SLOT_BYTES))
    vectors = 0
    interrupt = 2

    def map_flash(self, start: int, data: bytes) -> None:
        super().map_flash(start, data)
        self.flash = bytearray(b"\xaa" * (2 * SLOT_BYTES))  # whatever was there before
        self.refused = 0

    def reset_registers(self, restarted_by: int = 1 << 2) -> None:
        # a restart by software leaves reason and watchdog alone (POWER, "Reset behavior")
        kept = {at: v for at, v in self.values.items() if WDT <= at < WDT + 0x1000 or at == RESETREAS}
        self.values = {UICR_APPROTECT: 0x5A, **kept}
        if self.restarts:
            self.values[RESETREAS] = self.values.get(RESETREAS, 0) | restarted_by
        self.fifo: deque[int] = deque()

    def bites(self) -> None:
        assert self.running() and self.values[WDT + 0x50C] == 1 and self.values[WDT + 0x600] == 0x6E524635
        self.restarts += 1
        self.values = {RESETREAS: self.values.get(RESETREAS, 0) | 2}
        self.reset_registers(restarted_by=0)
        self.start()

    def running(self) -> bool:
        """Whether the watchdog runs."""
        return self.values.get(WDT, 0) == 1

    def load(self, address: int) -> int:
        if address >= SLOTS and address < SLOTS + len(self.flash):
            at = address - SLOTS
            return int.from_bytes(self.flash[at : at + 4], "little")
        match address:
            case 0x4000040C:
                return 0x10001 if self.values.get(CLOCK) else 0x10000
            case 0x40010400:
                return self.running()
            case 0x4001E400:
                return 1
            case 0x40008540:
                return self.now & 0xFFFFFFFF
            case 0x40002518:
                byte = self.fifo.popleft()
                self.values[UART + 0x108] = bool(self.fifo)
                return byte
        return self.values.get(address, 0)

    def store(self, address: int, value: int) -> None:
        if SLOTS <= address < SLOTS + len(self.flash):
            self._program(address - SLOTS, value)
        elif address == RESETREAS:
            self.values[RESETREAS] = self.values.get(RESETREAS, 0) & ~value
        elif address == NVMC + 0x508:
            self._erase(value - SLOTS)
        elif address == TIMER + 0x40:
            assert (
                self.values[TIMER] == 1 and self.values[TIMER + 0x508] == 3 and not self.values[TIMER + 0x510]
            )
            self.now += 40
        elif address == UART + 0x51C:
            assert self._baud() and self.values[GPIO + 0x700 + 4 * 6] & 1 and self.values[UART + 8] == 1
            self.from_chip.append(value & 0xFF)
            self.values[UART + 0x11C] = 1
        else:
            self.values[address] = value

    def _program(self, at: int, value: int) -> None:
        if self.values.get(NVMC + 0x504) != 1 or self.values.get(NVMC + 0x540):
            self.refused += 1
            return
        before = int.from_bytes(self.flash[at : at + 4], "little")
        self.flash[at : at + 4] = (before & value).to_bytes(4, "little")

    def _erase(self, at: int) -> None:
        if self.values.get(NVMC + 0x504) != 2 or at % PAGE or not 0 <= at < len(self.flash):
            self.refused += 1
            return
        self.flash[at : at + PAGE] = b"\xff" * PAGE

    def receive(self, byte: int) -> None:
        assert self._baud() and self.values[GPIO + 0x700 + 4 * 8] == 0xC and self.values[UART] == 1
        self.fifo.append(byte)
        self.values[UART + 0x108] = 1

    def interrupt_pending(self) -> bool:
        return bool(self.values.get(UART + 0x108)) and self.values[UART + 0x304] & 4 != 0

    def system_hz(self) -> float:
        return 64e6

    def _baud(self) -> bool:
        assert self.values[UART + 0x500] == 4
        assert (self.values[UART + 0x50C], self.values[UART + 0x514]) == (6, 8)
        return abs(self.values[UART + 0x524] * 16e6 / 2**32 / 921600 - 1) < 0.01
