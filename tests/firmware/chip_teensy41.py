# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A Teensy 4.1's i.MX RT1062 as IMXRT1060RM reads: voltage, ARM PLL, clocks, LPUART6, WDOG1, caches, MPU."""

from __future__ import annotations

from collections import deque

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M7

from tests.firmware.chip import Chip

CCM, PLL_ARM, DCDC, IOMUXC, UART = 0x400FC000, 0x400D8000, 0x40080000, 0x401F8000, 0x40198000
SRSR, WDOG, CCR, MPU = 0x400F8008, 0x400B8000, 0xE000ED14, 0xE000ED94
CRYSTAL, ROM_HZ = 24e6, 396e6
VOLTAGE = {396e6: 1.15, 600e6: 1.25}  # at least, IMXRT1060CEC, operating ranges


class Teensy41(Chip):
    """As the boot ROM leaves it: 396 MHz, 1.15 V; a wire on pins 0 and 1."""

    core_model = UC_CPU_ARM_CORTEX_M7
    ram = (0x20000000, 0x20000)
    registers = ((0x40000000, 0x200000),)
    vectors = 0x60002000
    interrupt = 25

    def reset_registers(self) -> None:
        reason = self.values.get(SRSR, 1)
        self.values = {
            SRSR: reason, DCDC + 0xC: (1150 - 800) // 25, WDOG + 8: 1, PLL_ARM: 1 << 13 | 66, CCM + 0x10: 1,
            CCM + 0x14: 2 << 8, CCM + 0x18: 3 << 18, CCM + 0x24: 0,
        }  # fmt: skip
        self.fifo: deque[int] = deque()

    def bites(self) -> None:
        assert self.values[WDOG] == 0x36 and self.values[WDOG + 2] == 0xAAAA
        self.values[SRSR] |= 1 << 4
        self.power_on()

    def load(self, address: int) -> int:
        value = self.values.get(address, 0)
        match address:
            case 0x40080000:  # DCDC_REG0
                assert self.values[CCM + 0x80] >> 6 & 3 == 3, "the DCDC's registers have no clock"
                return 1 << 31
            case 0x400D8000:  # PLL_ARM
                return value | (value & 1 << 13 != 0 and value & 1 << 12 == 0) << 31
            case 0x40198014:  # STAT
                return 1 << 23 | bool(self.fifo) << 21
            case 0x4019801C:  # DATA
                return self.fifo.popleft()
        return value

    def store(self, address: int, value: int) -> None:
        if address == SRSR:
            value = self.values[SRSR] & ~value
        if address == PLL_ARM:
            assert self.values[CCM + 0x14] >> 25 & 1, "the core still runs from the PLL"
        if address == UART + 0x1C:
            self._wired(0xC4)
            self.from_chip.append(value & 0xFF)
        self.values[address] = value
        if address in (CCM + 0x10, CCM + 0x14, CCM + 0x18):
            hz = self.system_hz()
            volts = 0.8 + 0.025 * (self.values[DCDC + 0xC] & 0x1F)
            assert volts >= min((v for f, v in VOLTAGE.items() if f >= hz), default=9), (
                f"{hz} Hz at {volts} V"
            )
            assert hz / ((self.values[CCM + 0x14] >> 8 & 3) + 1) <= 150e6, "the peripherals' clock"

    def receive(self, byte: int) -> None:
        self._wired(0xC8)
        assert self.values[IOMUXC + 0x550] == 1 and self.values[IOMUXC + 0x2B8] & 0xF000 == 0xF000
        self.fifo.append(byte)

    def interrupt_pending(self) -> bool:
        return bool(self.fifo) and self.values[UART + 0x18] >> 21 & 1 == 1

    def system_hz(self) -> float:
        if self.values[CCM + 0x14] >> 25 & 1:
            assert self.values[CCM + 0x18] >> 12 & 3 == 1 and self.values[CCM + 0x14] >> 27 & 7 == 0
            return CRYSTAL
        assert self.values[CCM + 0x18] >> 18 & 3 == 3
        pll = CRYSTAL * (self.values[PLL_ARM] & 0x7F) / 2
        return pll / ((self.values[CCM + 0x10] & 7) + 1) / ((self.values[CCM + 0x14] >> 10 & 7) + 1)

    def protected(self) -> bool:
        """Whether both caches are on, and the MPU with them."""
        return self.values[CCR] >> 16 & 3 == 3 and self.values[MPU] == 5

    def _wired(self, pin: int) -> None:
        """The pin is the UART's, which runs at 921,600 baud within 1 % from the crystal."""
        assert self.values[IOMUXC + pin] == 2 and self.values[CCM + 0x74] >> 6 & 3 == 3
        assert self.values[CCM + 0x24] & 0x7F == 1 << 6
        baud = self.values[UART + 0x10]
        samples, divider = (baud >> 24 & 0x1F) + 1, baud & 0x1FFF
        assert samples >= 8 and abs(CRYSTAL / samples / divider / 921600 - 1) < 0.01
        assert self.values[UART + 0x18] & 3 << 18 == 3 << 18
