# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The STM32H743 as RM0433 reads: supply, voltage scale, PLL1, buses, flash latency, USART3, watchdog."""

from __future__ import annotations

from collections import deque

from unicorn.arm_const import UC_CPU_ARM_CORTEX_M7

from tests.firmware.chip import Chip

RCC, PWR, FLASH_ACR, USART, IWDG, PORT_D = (
    0x58024400, 0x58024800, 0x52002000, 0x40004800, 0x58004800, 0x58020C00,
)  # fmt: skip
RSR = RCC + 0xD0


class Stm32h743(Chip):
    """A board that gives the chip no clock; a wire on PD8 and PD9."""

    core_model = UC_CPU_ARM_CORTEX_M7
    ram = (0x20000000, 0x20000)
    registers = ((0x40000000, 0x20000), (0x52002000, 0x1000), (0x58000000, 0x30000))
    vectors = 0x08000000
    interrupt = 39
    outside_hz: float = 0

    def reset_registers(self) -> None:
        reason = self.values.get(RSR, 0)
        self.values = {
            RSR: reason, RCC: 1, FLASH_ACR: 0x37, PWR + 0xC: 6, PWR + 0x18: 1 << 14, RCC + 0x28: 0x02020200,
            RCC + 0x2C: 0x01FF0000, RCC + 0x30: 0x01010280, PORT_D: 0xFFFFFFFF,
        }  # fmt: skip
        self.fifo: deque[int] = deque()

    def bites(self) -> None:
        assert self.values[IWDG] == 0xAAAA and self.values[IWDG + 4] == 2 and self.values[IWDG + 8] == 1000
        self.values[RSR] |= 1 << 26
        self.power_on()

    def load(self, address: int) -> int:
        value = self.values.get(address, 0)
        match address:
            case 0x58024400:  # CR
                ready = (value >> 16 & 1 and value >> 18 & 1 and self.outside_hz > 0) << 17
                return value & ~(1 << 17) | ready | (value >> 24 & 1) << 25
            case 0x58024410:  # CFGR
                return value | (value & 7) << 3
            case 0x58024804:  # PWR_CSR1
                return (self.values[PWR + 0xC] & 7 == 2) << 13
            case 0x58024818:  # PWR_D3CR
                return value | 1 << 13
            case 0x4000481C:  # USART_ISR
                return 1 << 7 | bool(self.fifo) << 5
            case 0x40004824:  # USART_RDR
                return self.fifo.popleft()
        return value

    def store(self, address: int, value: int) -> None:
        if address == RSR and value >> 16 & 1:
            value = 0
        self.values[address] = value
        if address == RCC + 0x10 and value & 7 == 3:
            self._ready_for_speed()
        if address == USART + 0x28:
            self._wired()
            self.from_chip.append(value & 0xFF)

    def receive(self, byte: int) -> None:
        self._wired()
        assert self.values[PORT_D + 0xC] >> 18 & 3 == 1, "an open wire would be noise"
        self.fifo.append(byte)

    def interrupt_pending(self) -> bool:
        return bool(self.fifo) and self.values[USART] >> 5 & 1 == 1

    def system_hz(self) -> float:
        if self.values.get(RCC + 0x10, 0) & 7 != 3:
            return 64e6
        select, dividers = self.values[RCC + 0x28], self.values[RCC + 0x30]
        source = {0: 64e6, 2: self.outside_hz}[select & 3]
        reference = source / (select >> 4 & 0x3F)
        low, high = ((1e6, 2e6), (2e6, 4e6), (4e6, 8e6), (8e6, 16e6))[self.values[RCC + 0x2C] >> 2 & 3]
        vco = reference * ((dividers & 0x1FF) + 1)
        assert low <= reference <= high and 192e6 <= vco <= 836e6
        return vco / ((dividers >> 9 & 0x7F) + 1)

    def _ready_for_speed(self) -> None:
        """RM0433, RCC and FLASH: at 400 MHz voltage scale 1, buses by two, two wait states."""
        assert self.values[PWR + 0x18] >> 14 & 3 == 3 and self.values[FLASH_ACR] & 0x3F == 0x22
        assert self.values[RCC + 0x18] == 0x48 and self.values[RCC + 0x1C] == 0x440
        assert self.values[RCC + 0x20] == 0x40

    def _wired(self) -> None:
        """PD8 and PD9 are USART3's, which runs at 921,600 baud within 1 %."""
        pins = self.values[PORT_D] >> 16 & 0xF, self.values[PORT_D + 0x24] & 0xFF
        assert pins == (0xA, 0x77) and self.values[RCC + 0xE0] >> 3 & 1 and self.values[RCC + 0xE8] >> 18 & 1
        bus = self.system_hz() / 4 if self.system_hz() > 64e6 else 64e6
        assert abs(bus / self.values[USART + 0xC] / 921600 - 1) < 0.01 and self.values[USART] & 0xD == 0xD


class NucleoH743zi(Stm32h743):
    """Its ST-LINK gives it 8 MHz."""

    outside_hz = 8e6
