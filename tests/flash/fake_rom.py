# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A fake STM32 with its ROM bootloader (AN3155) and flash that behaves like NOR: bits only fall.

`FakeRom.feed` takes bytes and returns the answer, so a test can run it in memory, or on a pty where
other people's programs talk to it. Faults are seeded. A power cut stops it in the middle of any
single flash operation; what the flash holds then is what a boot would find.
"""

from __future__ import annotations

import os
import random
import select
import threading
import tty
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ACK, NAK = b"\x79", b"\x1f"
BASE = 0x08000000
SECTORS = (0x4000,) * 4 + (0x10000,) + (0x20000,) * 7  # STM32F405
FLASH_SIZE_REGISTER = 0x1FFF7A22


class PowerCut(Exception):
    """The supply is gone."""


@dataclass
class Faults:
    """Rates per byte (drop, flip) and per command (nak); `cut_at` counts flash operations from 1."""

    seed: int = 0
    drop: float = 0.0
    flip: float = 0.0
    nak: float = 0.0
    cut_at: int | None = None


@dataclass
class FakeRom:
    """The chip: flash contents, what happened to it, and the ROM as a coroutine over bytes."""

    product_id: int = 0x413
    faults: Faults = field(default_factory=Faults)
    flash: bytearray = field(default_factory=lambda: bytearray(b"\xff" * sum(SECTORS)))
    erased: list[int] = field(default_factory=list)
    operations: int = 0  # sector erases and words programmed
    naks: int = 0
    started: int | None = None  # address of a Go command

    def __post_init__(self) -> None:
        self._random = random.Random(self.faults.seed)
        self.power_up()

    def power_up(self) -> None:
        """Reset into the bootloader; the flash keeps what it holds."""
        self._out = bytearray()
        self._dead = False
        self._rom = self._run()
        next(self._rom)

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the wire, return the answer; nothing once the power is cut."""
        for byte in data:
            if not self._dead and not self._lost():
                try:
                    self._rom.send(self._noisy(byte))
                except (PowerCut, StopIteration):
                    self._dead = True
        answer = bytes(self._noisy(b) for b in self._out if not self._lost())
        self._out.clear()
        return answer

    def starts(self) -> bool:
        """Would the chip leave reset into an image: a stack in RAM and a Thumb entry point in flash?"""
        stack, entry = (int.from_bytes(self.flash[i : i + 4], "little") for i in (0, 4))
        in_ram = 0x20000000 < stack <= 0x20020000 or 0x10000000 < stack <= 0x10010000
        return in_ram and BASE <= entry < BASE + len(self.flash) and entry % 2 == 1

    def _lost(self) -> bool:
        return self._random.random() < self.faults.drop

    def _noisy(self, byte: int) -> int:
        return byte ^ (1 << self._random.randrange(8)) if self._random.random() < self.faults.flip else byte

    def _operate(self, at: int, before: bytes, after: bytes) -> None:
        """One flash operation; a power cut leaves its first bytes done and the rest as it was."""
        self.operations += 1
        if self.operations == self.faults.cut_at:
            done = self._random.randrange(len(after) + 1)
            self.flash[at : at + done] = after[:done]
            raise PowerCut
        self.flash[at : at + len(before)] = after

    def _erase(self, sector: int) -> None:
        start = sum(SECTORS[:sector])
        size = SECTORS[sector]
        self._operate(start, bytes(self.flash[start : start + size]), b"\xff" * size)
        self.erased.append(sector)

    def _program(self, offset: int, data: bytes) -> None:
        for i in range(0, len(data), 4):
            at = offset + i
            before = bytes(self.flash[at : at + 4])
            self._operate(at, before, bytes(a & b for a, b in zip(before, data[i : i + 4], strict=True)))

    # -- the ROM; each `yield` waits for one byte

    def _run(self) -> Generator[None, int, None]:
        while (yield) != 0x7F:
            pass
        self._out += ACK
        while self.started is None:
            code = yield
            if (yield) != code ^ 0xFF or self._random.random() < self.faults.nak:
                self._refuse()
                continue
            handler = {
                0x00: self._get, 0x01: self._version, 0x02: self._id, 0x11: self._read_memory,
                0x21: self._go, 0x31: self._write_memory, 0x44: self._extended_erase,
            }.get(code)  # fmt: skip
            if handler is None:
                self._refuse()
                continue
            self._out += ACK
            yield from handler()

    def _refuse(self) -> None:
        self.naks += 1
        self._out += NAK

    def _take(self, count: int) -> Generator[None, int, bytes]:
        data = bytearray()
        while len(data) < count:
            data.append((yield))
        return bytes(data)

    def _checked(self, count: int) -> Generator[None, int, bytes | None]:
        """`count` bytes and their XOR; None after a NAK when they do not fit each other."""
        data = yield from self._take(count)
        checksum = yield
        for byte in data:
            checksum ^= byte
        if checksum:
            self._refuse()
            return None
        return data

    def _address(self) -> Generator[None, int, int | None]:
        data = yield from self._checked(4)
        if data is None:
            return None
        self._out += ACK
        return int.from_bytes(data, "big")

    def _get(self) -> Generator[None, int, None]:
        self._out += bytes([11, 0x31, 0, 1, 2, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92]) + ACK
        yield from ()

    def _version(self) -> Generator[None, int, None]:
        self._out += b"\x31\0\0" + ACK
        yield from ()

    def _id(self) -> Generator[None, int, None]:
        self._out += b"\x01" + self.product_id.to_bytes(2, "big") + ACK
        yield from ()

    def _read_memory(self) -> Generator[None, int, None]:
        address = yield from self._address()
        if address is None:
            return
        count = yield
        if (yield) != count ^ 0xFF:
            self._refuse()
            return
        offset = address - BASE
        if 0 <= offset <= len(self.flash) - count - 1:
            self._out += ACK + self.flash[offset : offset + count + 1]
        elif address == FLASH_SIZE_REGISTER:
            self._out += ACK + (len(self.flash) // 1024).to_bytes(2, "little")[: count + 1]
        else:
            self._out += ACK + bytes(count + 1)

    def _go(self) -> Generator[None, int, None]:
        self.started = yield from self._address()

    def _write_memory(self) -> Generator[None, int, None]:
        address = yield from self._address()
        if address is None:
            return
        count = yield
        data = yield from self._take(count + 1)
        checksum = yield
        for byte in data:
            checksum ^= byte
        offset = address - BASE
        fits = 0 <= offset <= len(self.flash) - len(data) and offset % 4 == 0 and len(data) % 4 == 0
        if checksum != count or not fits:
            self._refuse()
            return
        self._program(offset, data)
        self._out += ACK

    def _extended_erase(self) -> Generator[None, int, None]:
        head = yield from self._take(2)
        count = int.from_bytes(head, "big")
        codes = b"" if count >= 0xFFF0 else (yield from self._take(2 * (count + 1)))
        checksum = yield
        for byte in head + codes:
            checksum ^= byte
        sectors = [int.from_bytes(codes[i : i + 2], "big") for i in range(0, len(codes), 2)]
        if count >= 0xFFF0:
            sectors = list(range(len(SECTORS)))
        if checksum or any(s >= len(SECTORS) for s in sectors):
            self._refuse()
            return
        for sector in sectors:
            self._erase(sector)
        self._out += ACK


@contextmanager
def on_pty(rom: FakeRom) -> Iterator[str]:
    """Run `rom` behind a pty; yields the path of its port."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([master], [], [], 0.05)[0]:
                answer = rom.feed(os.read(master, 4096))
                if answer:
                    os.write(master, answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)
