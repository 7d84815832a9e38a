# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The ESP32-C3 as its Technical Reference Manual reads: boot ROM, SRAM twice, USB, clock, watchdogs."""

from __future__ import annotations

import ctypes
import hashlib
import struct
from dataclasses import dataclass

from unicorn import (
    UC_CTL_IO_WRITE,
    UC_CTL_TLB_FLUSH,
    UC_HOOK_INTR,
    UC_HOOK_MEM_READ,
    UC_PROT_ALL,
    Uc,
)
from unicorn.riscv_const import UC_RISCV_REG_MCAUSE, UC_RISCV_REG_MTVEC

from kdp_edge.exporters import esp_image
from kdp_edge.exporters.build import Image
from tests.firmware.chip import RETURN
from tests.firmware.chip_riscv import RiscvChip

SRAM_BYTES, DATA, CODE, RTC_MEMORY = 0x60000, 0x3FC80000, 0x40380000, 0x50000000
ROM_OWN = (0x3FCCAE00, 0x3FCDE710)  # its variables and stack while it loads
RTC, TIMG0, TIMG1, SYSTIMER = 0x60008000, 0x6001F000, 0x60020000, 0x60023000
USB, SYSTEM = 0x60043000, 0x600C0000
WDT_KEY, SWD_KEY = 0x50D83AA1, 0x8F1D312A
GUARDED = {TIMG0 + at: TIMG0 + 0x64 for at in range(0x48, 0x64, 4)}  # registers, and where their key goes
GUARDED |= {TIMG1 + at: TIMG1 + 0x64 for at in range(0x48, 0x64, 4)}
GUARDED |= {RTC + at: RTC + 0xA8 for at in range(0x90, 0xA8, 4)} | {RTC + 0xAC: RTC + 0xB0}


@dataclass(frozen=True)
class Loaded:
    """What the boot ROM finds in a file at the start of flash."""

    entry: int
    segments: tuple[tuple[int, bytes], ...]


def boot_rom(file: bytes) -> Loaded:
    """Read a file as the ROM does, and refuse what it would refuse."""
    magic, count, mode, _, entry = struct.unpack_from("<BBBBI", file)
    chip, digest = struct.unpack_from("<H", file, 12)[0], file[23]
    assert (magic, mode, chip, digest) == (0xE9, 2, 5, 1)
    at, segments, checksum = 24, [], 0xEF
    for _ in range(count):
        address, size = struct.unpack_from("<II", file, at)
        data = file[at + 8 : at + 8 + size]
        assert len(data) == size and size % 4 == 0
        segments.append((address, data))
        at += 8 + size
        for byte in data:
            checksum ^= byte
    end = (at | 15) + 1  # the checksum is the last byte of a block of sixteen
    assert file[end - 1] == checksum
    assert file[end:] == hashlib.sha256(file[:end]).digest()
    return Loaded(entry, tuple(segments))


class Esp32c3(RiscvChip):
    """A board with the chip's USB on its socket; 40 MHz crystal."""

    ram = (RTC_MEMORY, 0x2000)
    registers = tuple((window, 0x1000) for window in (RTC, TIMG0, TIMG1, SYSTIMER, USB, SYSTEM))
    vectors = CODE

    def __init__(self, image: Image, pll_off: bool = False) -> None:
        self.loaded = boot_rom((image.folder / esp_image.FILE).read_bytes())
        self.pll_off = pll_off
        self.cause = 1  # of the last start: power on
        super().__init__(image)

    def map_flash(self, start: int, data: bytes) -> None:
        """There is none once the boot ROM has read it: SRAM, at two addresses."""
        self.sram = (ctypes.c_uint8 * SRAM_BYTES)()
        for address in (DATA, CODE):
            self.core.mem_map_ptr(address, SRAM_BYTES, UC_PROT_ALL, self.sram)
        self.core.hook_add(UC_HOOK_INTR, self._trap)
        self.core.hook_add(UC_HOOK_MEM_READ, self._instructions_as_data, begin=CODE, end=CODE + SRAM_BYTES)
        self.as_reset = self.core.context_save()

    # -- the core

    def start(self) -> None:
        """The boot ROM: its variables, then the image's segments, then the image."""
        self.core.context_restore(self.as_reset)
        memory = ctypes.addressof(self.sram)
        ctypes.memset(memory + ROM_OWN[0] - DATA, 0x5A, ROM_OWN[1] - ROM_OWN[0])
        for address, data in self.loaded.segments:
            offset = address - (CODE if address >= CODE else DATA)
            assert offset >= 0 and offset + len(data) <= ROM_OWN[0] - DATA
            ctypes.memmove(memory + offset, data, len(data))
        self.core.ctl_flush_tb()
        self.core.reg_write(self.pc, self.loaded.entry)

    def call(self, function: str, *arguments: int) -> None:
        """As if the program called a function of its own, where it had nothing to do."""
        for number, value in enumerate(arguments, 10):  # a0, a1, ...
            self.core.reg_write(self.general(number), value)
        self.core.reg_write(self.lr, RETURN)
        self.core.ctl(UC_CTL_TLB_FLUSH, UC_CTL_IO_WRITE)  # what was allowed before
        self._run(self.names[function], RETURN)

    def _trap(self, core: Uc, number: int, _data: object) -> None:
        """An exception; nothing asks for an interrupt."""
        core.reg_write(UC_RISCV_REG_MCAUSE, number)
        core.reg_write(self.pc, core.reg_read(UC_RISCV_REG_MTVEC) & ~0xFF)

    def _idle(self, core: Uc, address: int, size: int, data: object) -> None:
        """While bytes wait it looks for them; after that there is nothing to do."""
        if not self.to_chip:
            super()._idle(core, address, size, data)

    def _instructions_as_data(self, core: Uc, _access: int, address: int, size: int, *_rest: object) -> None:
        """The bus for instructions gives whole words only."""
        if size != 4 or address % 4:
            self.error = AssertionError(f"{size} bytes are read at {address:#x}")
            core.emu_stop()

    # -- registers

    def reset_registers(self) -> None:
        self.values = {
            RTC: 1 << 10 if self.pll_off else 0,
            RTC + 0x38: self.cause,
            RTC + 0x90: 1 << 12,  # watchdogs in flash-boot mode
            TIMG0 + 0x48: 1 << 14,
            TIMG1 + 0x48: 1 << 14,
            SYSTEM + 0x08: 0x0C,
            SYSTEM + 0x58: 1,  # crystal / 2
            SYSTIMER: 1 << 30,
        }
        self.packet = bytearray()

    def load(self, address: int) -> int:
        match address:
            case 0x60023004:
                return self.values.get(address, 0) >> 1 & 1 << 29  # valid once it was asked for
            case 0x60043000:
                return self.to_chip.popleft()
            case 0x60043004:
                return 2 | (4 if self.to_chip else 0)
        return self.values.get(address, 0)

    def store(self, address: int, value: int) -> None:
        if address in GUARDED:
            key = SWD_KEY if address == RTC + 0xAC else WDT_KEY
            assert self.values.get(GUARDED[address]) == key, f"{address:#x} is protected"
        self.values[address] = value
        match address:
            case 0x60008000 if value >> 31:
                self.cause = 3
                self.ask_restart()
            case 0x60023004 if value >> 30 & 1 and self.values[SYSTIMER] >> 30 & 1:
                self.now += 40
                self.values[SYSTIMER + 0x44] = self.now & 0xFFFFFFFF
            case 0x60043000:
                self.packet.append(value)
                assert len(self.packet) < 64, "a full packet is not the end for the host"
            case 0x60043004 if value & 1:
                self.from_chip += self.packet
                self.packet.clear()

    # -- what the tests ask

    def watchdogs_of_boot(self) -> bool:
        """Whether a watchdog of the ROM still runs."""
        flash_boot = self.values[RTC + 0x90] >> 12 | self.values[TIMG1 + 0x48] >> 14
        return bool((flash_boot | self.values[TIMG0 + 0x48] >> 14) & 1) or not self.values[RTC + 0xAC] >> 31

    def bites(self) -> None:
        config = self.values[TIMG0 + 0x48]
        assert config >> 29 == 0b111 and config >> 21 & 1  # on, resets the system, from the crystal
        milliseconds = (self.values[TIMG0 + 0x4C] >> 16) * self.values[TIMG0 + 0x50] / 40e3
        assert milliseconds == 500
        self.restarts += 1
        self.cause = 7
        self.power_on()

    def system_hz(self) -> float:
        source = self.values[SYSTEM + 0x58]
        if source >> 10 & 3 == 0:
            return 40e6 / ((source & 0x3FF) + 1)
        assert source >> 10 & 3 == 1 and self.values[SYSTEM + 0x08] >> 2 & 1 and not self.pll_off
        return {0: 80e6, 1: 160e6}[self.values[SYSTEM + 0x08] & 3]
