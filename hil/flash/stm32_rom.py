# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The bootloader in the ROM of every STM32, over a UART: write, verify by reading back, start.

Commands: ST application note AN3155 ("USART protocol used in the STM32 bootloader"). GPL programs
speak it too (stm32flash, stm32loader); this client exists because of the order of its writes: the
first bytes of the image, stack pointer and reset vector, are written last and only after
everything else was read back and found equal. Until then the chip has no entry point, so an
image that was interrupted at any moment does not start, and flashing again is all it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, LINK_LOST, KdpError
from kdp_edge.base.progress import Progress, silent
from kdp_edge.exporters.boards import Board
from kdp_edge.hil.pipes import Pipe, SerialPipe, readable

ACK, NAK, WAKE = 0x79, 0x1F, 0x7F
# 1-bits program nothing into flash, and (0xFF, 0xFF) is no command: harmless wherever the ROM may be
FILLER = b"\xff"
BLOCK = 256  # most bytes of one read or write command
RESYNC_ROUNDS = 20
PEEK = 0.02  # seconds of silence that are enough to wake the ROM
LISTEN = 0.15  # seconds to listen to what is not silent
TALK = 8  # bytes in that time that are no noise of plugging in

T = TypeVar("T")


@dataclass(frozen=True)
class Chip:
    """What the ROM cannot tell: where the flash lies and how it is divided."""

    name: str
    product_id: int  # answer to the Get ID command, AN2606
    base: int  # address of the flash
    sectors: tuple[int, ...]  # bytes of each sector, in order
    commit: int  # bytes written last: stack pointer and reset vector, in whole flash words

    def sectors_of(self, address: int, size: int) -> list[tuple[int, int, int]]:
        """(number, start, end) of each sector that [address, address + size) touches."""
        found, start = [], self.base
        for number, length in enumerate(self.sectors):
            if start < address + size and address < start + length:
                found.append((number, start, start + length))
            start += length
        return found


def chip_of(board: Board) -> Chip:
    """The chip of a board; raises `KdpError` for a board without this bootloader."""
    facts = board.flash.stm32_rom
    if facts is None:
        raise KdpError(f"board {board.name} has no ROM bootloader of an STM32")
    sectors = tuple(1024 * kib for kib in facts.sectors_kib)
    return Chip(facts.chip, facts.product_id, board.flash_start, sectors, facts.commit_bytes)


class Trouble(Exception):
    """A command that failed on the wire: refused, unanswered or answered with something else."""


class Nak(Trouble):
    """A command that the ROM refused."""


class RomClient:
    """Speaks to the ROM; every command is repeated after a resynchronisation when it fails.

    Args:
        pipe: bytes to and from the ROM (8 data bits, even parity, on real hardware).
        patience: seconds to wait for an answer to anything but an erase.
        readable: an address of flash, to tell a protected chip from a protected sector.
        erase_patience: seconds to wait for one sector; 128 KiB take up to 4 s (datasheet DS8626).
        tries: how often a command is sent.
    """

    def __init__(
        self,
        pipe: Pipe,
        patience: float = 0.5,
        erase_patience: float = 6.0,
        tries: int = 8,
        readable: int = 0x0800_0000,
    ) -> None:
        self.pipe = pipe
        self.patience = patience
        self.erase_patience = erase_patience
        self.tries = tries
        self.readable = readable
        self.repeats = 0  # commands that had to be sent again
        self.touched = False  # whether anything was erased or written
        self._waiting = bytearray()

    def connect(self) -> int:
        """Wake the ROM and return the chip's product id."""
        self._refuse_talkers()
        answers = bytearray()  # first bytes that are none of the ROM's
        for attempt in range(self.tries):
            if 0 < attempt == self.tries // 2 and len(answers) == attempt:
                break  # something answers each time, and never as a ROM does
            # the first byte sets the ROM's baud rate, so fillers only once it must be awake already
            if attempt >= self.tries // 2 and self._resync():
                return self._product_id()
            self._drain()
            self.pipe.write(bytes([WAKE]))
            try:
                # NAK: it was awake and took this for half a command
                answer = self._byte(self.patience)
                if answer in (ACK, NAK):
                    return self._product_id()
                answers.append(answer)
            except Trouble:
                continue
        if len(answers) > 1:
            echo = set(answers) == {WAKE}
            raise KdpError(
                f"what answers on this port is no STM32 bootloader; first bytes {readable(answers)}: "
                + (
                    "it echoes what is sent; is TX joined to RX, or the adapter in loopback?"
                    if echo
                    else "is it another device, or another baud rate or parity?"
                )
                + " Nothing was written",
                DEVICE_MISSING,
            )
        raise KdpError(
            "no answer from the STM32 bootloader: pull BOOT0 high, press reset, and check that TX and RX "
            "lead to a UART that the ROM listens on (AN2606; STM32F405: USART1 PA9/PA10 or USART3)",
            DEVICE_MISSING,
        )

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes (1 to 256) from `address`."""
        return self._persist(f"read 0x{address:08x}", lambda: self._read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Program 4 to 256 bytes, whole flash words; each bit can only go from 1 to 0."""
        attempts = 0

        def write() -> None:
            nonlocal attempts
            attempts += 1
            # when only the answer was lost, a flash word with ECC must not be programmed again
            if attempts == 1 or self._read(address, len(data)) != data:
                self._write(address, data)

        self._persist(f"write 0x{address:08x}", write)

    def erase(self, sector: int) -> None:
        """Erase one sector."""
        self._persist(f"erase sector {sector}", lambda: self._erase(sector))
        self.touched = True

    def go(self, address: int) -> None:
        """Start the image at `address`, stack pointer and program counter from its first two words."""
        self._persist(f"go 0x{address:08x}", lambda: self._go(address))

    def _persist(self, what: str, command: Callable[[], T]) -> T:
        troubles: list[Trouble] = []
        for attempt in range(self.tries):
            self.repeats += attempt > 0
            try:
                return command()
            except Trouble as error:
                troubles.append(error)
                if not self._resync():
                    break
        if len(troubles) == self.tries and all(isinstance(trouble, Nak) for trouble in troubles):
            raise KdpError(f"STM32 bootloader refuses: {what}; {self._why_refused()}; {self.state}")
        raise KdpError(
            f"STM32 bootloader: {what} failed ({troubles[-1]}); {self.state} - check wire and power, reset "
            "with BOOT0 high and flash again",
            LINK_LOST,
        )

    @property
    def state(self) -> str:
        """What has become of the board so far, for messages."""
        return "the image is incomplete and will not start" if self.touched else "nothing was written"

    def _why_refused(self) -> str:
        """A protected chip refuses to be read as well (AN3155, RDP), a protected sector only writes."""
        try:
            self._read(self.readable, 4)
        except Nak:
            return "readout protection (RDP) is on: remove it with ST's programmer, which erases the chip"
        except Trouble:
            return "and does not answer any more"
        return (
            "the sector is write-protected: remove the protection from the option bytes with ST's programmer"
        )

    def _refuse_talkers(self) -> None:
        """The ROM never speaks first: what does is other firmware, a boot log, or another instrument."""
        heard, end = bytearray(self.pipe.read(PEEK)), time.perf_counter() + LISTEN
        if not heard:
            return
        while (left := end - time.perf_counter()) > 0:
            heard += self.pipe.read(left)
        later = self.pipe.read(LISTEN)
        if len(heard) >= TALK and later:
            raise KdpError(
                f"something talks on this port before it is asked; first bytes {readable(heard)}: firmware "
                "runs there, or it is another device - pull BOOT0 high and press reset, or choose another "
                "--port. Nothing was written",
                DEVICE_MISSING,
            )

    def _resync(self) -> bool:
        """Bring the ROM back to waiting for a command, whatever half a command it still waits for."""
        quiet = min(0.02, self.patience)
        for _ in range(RESYNC_ROUNDS):
            for _ in range(4):
                self._drain()
                self.pipe.write(FILLER)
                if self._peek(quiet):
                    self._drain()
                    return True
            # it waits for much more, say the rest of a block: feed it, then find its place singly
            self.pipe.write(FILLER * 32)
            self._peek(quiet)
        return False

    def _product_id(self) -> int:
        def get() -> int:
            self._command(0x02)
            length = self._byte(self.patience)
            data = self._take(length + 1, self.patience)
            self._acknowledge(self.patience)
            return int.from_bytes(data, "big")

        return self._persist("Get ID", get)

    def _read(self, address: int, size: int) -> bytes:
        self._command(0x11)
        self._send(address.to_bytes(4, "big"))
        self.pipe.write(bytes([size - 1, (size - 1) ^ 0xFF]))
        self._acknowledge(self.patience)
        return self._take(size, self.patience)

    def _write(self, address: int, data: bytes) -> None:
        self._command(0x31)
        self._send(address.to_bytes(4, "big"))
        self._send(bytes([len(data) - 1]) + data)

    def _erase(self, sector: int) -> None:
        self._command(0x44)
        count_minus_one = 0
        self._send(count_minus_one.to_bytes(2, "big") + sector.to_bytes(2, "big"), self.erase_patience)

    def _go(self, address: int) -> None:
        self._command(0x21)
        self._send(address.to_bytes(4, "big"))

    def _command(self, code: int) -> None:
        self._drain()
        self.pipe.write(bytes([code, code ^ 0xFF]))
        self._acknowledge(self.patience)

    def _send(self, data: bytes, patience: float | None = None) -> None:
        checksum = 0
        for byte in data:
            checksum ^= byte
        self.pipe.write(data + bytes([checksum]))
        self._acknowledge(self.patience if patience is None else patience)

    def _acknowledge(self, patience: float) -> None:
        answer = self._byte(patience)
        if answer != ACK:
            raise Nak("refused (NAK)") if answer == NAK else Trouble(f"garbled answer 0x{answer:02x}")

    def _byte(self, patience: float) -> int:
        return self._take(1, patience)[0]

    def _take(self, count: int, patience: float) -> bytes:
        end = time.perf_counter() + patience
        while len(self._waiting) < count:
            arrived = self.pipe.read(max(0.0, end - time.perf_counter()))
            self._waiting += arrived
            if not arrived and time.perf_counter() >= end:
                raise Trouble(f"{len(self._waiting)} of {count} bytes in {patience:g} s")
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        return data

    def _peek(self, patience: float) -> bool:
        self._waiting += self.pipe.read(patience)
        return bool(self._waiting)

    def _drain(self) -> None:
        self._waiting.clear()
        end = time.perf_counter() + self.patience  # who never stops talking is no ROM
        while self.pipe.read(0) and time.perf_counter() < end:
            pass


def flash(rom: RomClient, chip: Chip, address: int, data: bytes, progress: Progress = silent) -> None:
    """Erase, write, read back, and last of all make the image startable, then start it.

    Args:
        address: of the image's vector table; the start of a sector.
        data: the image, without gaps.
    """
    data += b"\xff" * (-len(data) % chip.commit)
    sectors = chip.sectors_of(address, len(data))
    if not sectors or sectors[0][1] != address or address + len(data) > sectors[-1][2]:
        end = chip.base + sum(chip.sectors)
        raise KdpError(
            f"image spans 0x{address:08x} to 0x{address + len(data):08x}, expected the start of a sector and "
            f"an end within {chip.name}'s flash (0x{chip.base:08x} to 0x{end:08x}); build for this board"
        )
    found = rom.connect()
    if found != chip.product_id:
        raise KdpError(
            f"the chip's product id is 0x{found:03x}, expected 0x{chip.product_id:03x} ({chip.name}): "
            "another board is connected; choose its --board"
        )
    # the old entry point goes first, so that old and new parts are never run together
    rom.erase(sectors[0][0])
    for index, (number, start, end) in enumerate(sectors):
        part = data[start - address : end - address]
        hidden = chip.commit if index == 0 else 0
        _write_sector(rom, number, start, part, hidden, progress, erased=index == 0)
    _commit(rom, address, data[: chip.commit], progress)
    rom.go(address)


def _write_sector(
    rom: RomClient, number: int, start: int, data: bytes, hidden: int, progress: Progress, erased: bool
) -> None:
    """Write `data[hidden:]` and read it back, erasing and starting over when a bit is wrong."""
    for _ in range(3):
        if not erased:
            rom.erase(number)
        for at in range(hidden, len(data), BLOCK):
            block = data[at : at + BLOCK]
            if block.strip(b"\xff"):
                rom.write(start + at, block)
            progress(len(block))
        wrong = _first_difference(rom, start, data, hidden, progress)
        if wrong is None:
            return
        erased = False
    raise KdpError(
        f"verify: flash differs from the image at 0x{wrong:08x} after 3 attempts; sector {number} is worn or "
        "write-protected; the image is incomplete and will not start",
        GATE_FAILED,
    )


def _commit(rom: RomClient, address: int, head: bytes, progress: Progress) -> None:
    if _first_difference(rom, address, b"\xff" * len(head), 0) is not None:
        raise KdpError(
            "verify: the entry point is not erased; flash again - if that repeats, the sector is worn",
            GATE_FAILED,
        )
    rom.write(address, head)
    if _first_difference(rom, address, head, 0) is not None:
        raise KdpError("verify: the entry point reads back wrong; flash again", GATE_FAILED)
    progress(2 * len(head))


def _first_difference(
    rom: RomClient, start: int, data: bytes, skip: int, progress: Progress = silent
) -> int | None:
    for at in range(skip, len(data), BLOCK):
        block = data[at : at + BLOCK]
        # a bit that flips on the wire is not a bit that is wrong in flash: ask three times
        if all(rom.read(start + at, len(block)) != block for _ in range(3)):
            return start + at
        progress(len(block))
    return None


class RomPort(SerialPipe):
    """A serial port as the ROM wants it: 8 data bits, even parity, the ROM finds the baud rate itself."""

    def __init__(self, port: str, baud: int = 115200) -> None:
        """Open `port`; raises `serial.SerialException` when that fails."""
        import termios

        super().__init__(port, baud)
        try:
            self._serial.parity = "E"
        except termios.error:
            self._serial.parity = "N"  # a pty has no parity
