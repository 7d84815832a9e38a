# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The STM32F405's flash driver, as machine code, against a model of its flash controller (RM0090, 3.8)."""

from __future__ import annotations

import random
import subprocess

import pytest
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import (
    UC_ARM_REG_LR,
    UC_ARM_REG_R0,
    UC_ARM_REG_R1,
    UC_ARM_REG_R2,
    UC_ARM_REG_R3,
    UC_ARM_REG_SP,
)

from kdp_edge.exporters import firmware
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.exporters.bundle import write_bundle
from kdp_edge.wire.numbers import Refusal
from tests.push.conftest import small

SLOTS, SECTOR, FIRST = 0x08080000, 0x20000, 8
FLASH_FAILED = -Refusal.FLASH_FAILED
WORD_AT, RETURN = 0x20010000, 0x08070000
LOCK, START, BUSY, PGSERR, WRPERR = 1 << 31, 1 << 16, 1 << 16, 1 << 7, 1 << 4


class Chip:
    """A core that runs one function of the image; flash that obeys its controller only."""

    def __init__(self, image: Image) -> None:
        names = subprocess.run(["arm-none-eabi-nm", image.elf], capture_output=True, text=True, check=True)
        self.symbols = {line.split()[-1]: int(line.split()[0], 16) for line in names.stdout.splitlines()}
        self.flash = bytearray(random.Random(0).randbytes(4 * SECTOR))  # whatever was there before
        self.control, self.status, self.keys = LOCK, 0, []
        self.cache, self.stale = 0x705, False
        self.busy_polls = 0
        self.core = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.core.mem_map(0x08000000, SLOTS - 0x08000000)
        program = image.bin.read_bytes()
        self.core.mem_write(0x08000000, program)
        self.core.mem_map(0x20000000, 0x20000)
        load, start, end = (self.symbols[f"kdp_data_{name}"] for name in ("load", "start", "end"))
        self.core.mem_write(start, program[load - 0x08000000 :][: end - start])  # as the start-up code does
        self.systick = 0
        self.core.mmio_map(0xE000E000, 0x1000, self._read_systick, None, lambda *_: None, None)
        self.core.mmio_map(SLOTS, 4 * SECTOR, self._read_flash, None, self._write_flash, None)
        self.core.mmio_map(0x40023000, 0x1000, self._read, None, self._write, None)

    def call(self, name: str, *arguments: int) -> int:
        """Run the function `name`; returns its result."""
        registers = (UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3)
        context = 0
        for register, value in zip(registers, (context, *arguments), strict=False):
            self.core.reg_write(register, value)
        self.core.reg_write(UC_ARM_REG_SP, 0x2001F000)
        self.core.reg_write(UC_ARM_REG_LR, RETURN | 1)
        self.core.emu_start(self.symbols[name] | 1, RETURN, timeout=5_000_000)
        result = self.core.reg_read(UC_ARM_REG_R0)
        return result - (1 << 32) if result >> 31 else result

    def erase(self, slot: int) -> int:
        return self.call("kdp_port_slot_erase", slot)

    def program(self, slot: int, offset: int, word: bytes) -> int:
        self.core.mem_write(WORD_AT, word)
        return self.call("kdp_port_slot_program", slot, offset, WORD_AT)

    def _read_systick(self, _core: Uc, _offset: int, _size: int, _data: object) -> int:
        self.systick -= 0x100000  # 66 ms at 16 MHz
        return self.systick & 0xFFFFFF

    # -- the flash controller

    def _read_flash(self, _core: Uc, offset: int, size: int, _data: object) -> int:
        return int.from_bytes(self.flash[offset : offset + size], "little")

    def _write_flash(self, _core: Uc, offset: int, size: int, value: int, _data: object) -> None:
        by_words = self.control & 0x300 == 0x200
        if self.control & LOCK or not self.control & 1 or size != 4 or not by_words:
            self.status |= PGSERR
            return
        before = int.from_bytes(self.flash[offset : offset + 4], "little")
        self.flash[offset : offset + 4] = (before & value).to_bytes(4, "little")
        self.busy_polls, self.stale = 3, True

    def _read(self, _core: Uc, offset: int, _size: int, _data: object) -> int:
        if offset == 0xC0C and self.busy_polls:
            self.busy_polls -= 1
            return self.status | BUSY
        return {0xC00: self.cache, 0xC0C: self.status, 0xC10: self.control}.get(offset, 0)

    def _write(self, _core: Uc, offset: int, _size: int, value: int, _data: object) -> None:
        if offset == 0xC04:
            self.keys.append(value)
            if self.keys[-2:] == [0x45670123, 0xCDEF89AB]:
                self.control &= ~LOCK
        elif offset == 0xC0C:
            self.status &= ~value
        elif offset == 0xC10 and not self.control & LOCK:
            self.control = value
            if value & START:
                self._start(value)
        elif offset == 0xC00:
            if value & (1 << 12) and not value & (1 << 10):
                self.stale = False  # cache reset, which the chip takes only while it is off
            self.cache = value

    def _start(self, control: int) -> None:
        sector = (control >> 3) & 0xF
        if not control & 2 or not FIRST <= sector < FIRST + 4:
            self.status |= WRPERR
            return
        start = (sector - FIRST) * SECTOR
        self.flash[start : start + SECTOR] = b"\xff" * SECTOR
        self.control &= ~START
        self.busy_polls, self.stale = 50, True


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("f405")
    bundle = write_bundle(small(0), "firmware", folder / "bundle", firmware.write, lambda *_: [], {})
    return compile_bundle(bundle.path, "stm32f405", folder / "image")


@pytest.mark.parametrize("slot", [0, 1])
def test_erase_clears_both_sectors_of_the_slot_and_nothing_else(image: Image, slot: int) -> None:
    chip = Chip(image)
    before = bytes(chip.flash)
    assert chip.erase(slot) == 0
    mine, others = slice(slot * 2 * SECTOR, (slot + 1) * 2 * SECTOR), slice((1 - slot) * 2 * SECTOR, None)
    assert set(chip.flash[mine]) == {0xFF}
    assert chip.flash[others][: 2 * SECTOR] == before[others][: 2 * SECTOR]


def test_programmed_words_are_there_and_the_flash_is_locked_again(image: Image) -> None:
    chip = Chip(image)
    assert chip.erase(1) == 0
    rng = random.Random(1)
    words = {offset: rng.randbytes(32) for offset in (0, 32, 0x1FFE0, 0x20000, 0x3FFE0)}
    for offset, word in words.items():
        assert chip.program(1, offset, word) == 0
    for offset, word in words.items():
        assert chip.flash[2 * SECTOR + offset : 2 * SECTOR + offset + 32] == word
    assert chip.control == LOCK
    assert not chip.stale, "the data cache still holds what flash was before"
    assert chip.cache & (1 << 10)


def test_a_write_protected_sector_is_reported(image: Image) -> None:
    chip = Chip(image)
    chip._start = lambda _control: setattr(chip, "status", chip.status | WRPERR)  # type: ignore[method-assign]
    assert chip.erase(0) == FLASH_FAILED
    assert chip.control == LOCK


def test_a_flash_that_never_ends_is_given_up_after_five_seconds_of_the_cores_clock(image: Image) -> None:
    chip = Chip(image)
    chip._start = lambda _control: setattr(chip, "busy_polls", 10**9)  # type: ignore[method-assign]
    assert chip.erase(0) == FLASH_FAILED
    assert -chip.systick / 16_000_000 == pytest.approx(5, abs=0.2)


def test_an_old_error_does_not_stop_the_next_operation(image: Image) -> None:
    chip = Chip(image)
    chip.status = PGSERR
    assert chip.erase(0) == 0


def test_slots_lie_behind_the_largest_image(image: Image) -> None:
    from kdp_edge.exporters.boards import load_board

    board = load_board("stm32f405")
    assert board.flash_start + board.flash_bytes == SLOTS


def test_the_boards_area_is_where_the_driver_writes(image: Image) -> None:
    chip = Chip(image)
    area = chip.call("kdp_port_slots") & 0xFFFFFFFF
    first, second, size = (int.from_bytes(chip.core.mem_read(area + 4 * i, 4), "little") for i in range(3))
    assert (first, second, size) == (SLOTS, SLOTS + 2 * SECTOR, 2 * SECTOR)
