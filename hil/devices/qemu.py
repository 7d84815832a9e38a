# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`qemu:BOARD[@HZ]`: the image that is flashed, on an emulated board with a fixed instruction rate.

With `-icount shift=N` an instruction takes 2**N ns of virtual time, whatever the host does, so
counts repeat from run to run; they are instructions, not cycles of silicon.

A second of the device has as many of them as its core has cycles, or HZ: a word of RAM tells the firmware how
many ticks make one, so that its own fail-safe, the twin and the report speak of the same second. The image is
the one that is flashed. A board that does not ask counts 1e9 / 2**N instructions to a second.

`@wall` in place of HZ is for pace `real`: nothing is counted, and the device's time is this computer's.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.lookup import hint
from kdp_edge.exporters.architecture import architecture_of
from kdp_edge.exporters.boards import Board, board_names, load_board
from kdp_edge.exporters.build import Image
from kdp_edge.hil.devices.device import WALL, Device, DeviceClock
from kdp_edge.hil.devices.image import image_for
from kdp_edge.hil.devices.process import pty_of
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import ClockSource
from kdp_edge.wire.protocol import Hello

SHIFT = 3  # 8 ns per instruction: 125 million a second of virtual time
TOLD = {"stm32f405": 0x2001FFFC, "riscv-virt": 0x807FFFFC}  # by board: where its firmware looks (board.c)
MOST_TICKS = 2**32 - 1  # a second
SERVING = r"char device redirected to (\S+)"


@dataclass(frozen=True)
class Emulated:
    """A board under QEMU."""

    board: Board
    hz: float | None  # instructions of the device's second; None: those of a second of virtual time
    wall: bool = False  # its time is this computer's

    @property
    def shift(self) -> int:
        """An instruction takes 2**shift ns of virtual time: the usual one, or what a fast clock leaves."""
        fitting = (n for n in range(SHIFT, 0, -1) if (self.hz or 0.0) * 2**n <= MOST_TICKS)
        return next(fitting, 0)

    @property
    def told(self) -> list[str]:
        """Arguments of QEMU that tell the firmware how many ticks make a second."""
        if self.hz is None:
            return []
        ticks = round(self.hz * 2**self.shift)
        return ["-device", f"loader,addr={TOLD[self.board.name]:#x},data={ticks:#x},data-len=4"]

    def check(self) -> None:
        """Raise `KdpError` for a clock that the board cannot have."""
        if self.hz is None:
            return
        if self.board.name not in TOLD:
            raise KdpError(
                f"qemu:{self.board.name} cannot be told a clock: its own fail-safe would go on judging by "
                f"{1e-6 * 1e9 / 2**SHIFT:g} MHz; leave the clock out, or take qemu:{' or qemu:'.join(TOLD)}"
            )
        if not 1e3 <= self.hz <= MOST_TICKS:
            raise KdpError(f"qemu:{self.board.name}: a clock of {self.hz:g} Hz, expected 1e3 to 4.29e9")

    def clock(self, hello: Hello) -> DeviceClock:
        """What a tick is: timers run on virtual time, of which an instruction takes 2**shift ns.

        A second is as many instructions as the real core has cycles, which most cores do not reach and a
        dual-issue one (Cortex-M7) may exceed.
        """
        if hello.clock_source not in (ClockSource.EMULATOR, ClockSource.BOARD):
            raise KdpError(
                f"board {hello.board} does not see that it is emulated (clock source {hello.clock_source}); "
                "its ticks would not be instructions - this is an error in its board file"
            )
        if self.wall:
            return DeviceClock("us", WALL, 1e6, 1e6 / hello.tick_hz)
        if self.hz is not None:
            return DeviceClock("instructions", "icount", self.hz, self.hz / hello.tick_hz)
        own = 1e9 / 2**SHIFT
        return DeviceClock("instructions", "icount", hello.clock_hz, own / hello.tick_hz, own)


def emulated(argument: str) -> Emulated:
    """BOARD[@HZ] or BOARD@wall, BOARD one that QEMU emulates, perhaps ./my-board; else `KdpError`."""
    name, _, rate = argument.partition("@")
    board = _board(name)
    try:
        hz = float(rate) if rate and rate != WALL else None
    except ValueError:
        hz = math.nan
    if hz is not None and not 0 < hz < math.inf:
        raise KdpError(
            f"qemu:{argument}: '{rate}' is no clock, expected hertz, like qemu:{name}@96e6, or {WALL}"
        )
    if not rate and name in TOLD and board.bench is not None:
        hz = float(board.bench.clock_hz)
    made = Emulated(board, hz, rate == WALL)
    made.check()
    return made


def _board(name: str) -> Board:
    """One of the package's, or the folder of one's own, that QEMU has a machine for."""
    there = [one for one in board_names() if load_board(one).machine]
    if "/" in name:
        board = load_board(name)
        if not board.machine:
            raise KdpError(f"{board.folder / 'board.toml'}: no machine, so QEMU has no board '{name}'")
        return board
    if name not in there:
        raise KdpError(f"QEMU has no board '{name}': {hint(name, there)}there are {', '.join(there)}")
    return load_board(name)


def check(argument: str) -> None:
    """Raise `KdpError` unless `argument` is a board that QEMU emulates, and a clock that it can have."""
    emulated(argument)


def prepare(argument: str, planner: IntegerPlanner) -> None:
    """Find QEMU and build the image."""
    board = emulated(argument).board
    family = architecture_of(board.core)
    if shutil.which(family.qemu) is None:
        raise KdpError(f"{family.qemu} not found; install it: {family.install}", DEVICE_MISSING)
    image_for(planner, board.given)


def command(image: Image, shift: int | None = SHIFT) -> list[str]:
    """How QEMU is started: a serial port on a pty, no display, no monitor; no counting without a shift."""
    family = architecture_of(image.core)
    return [
        family.qemu, "-M", image.machine, *family.qemu_options, "-kernel", str(image.elf), "-serial", "pty",
        "-display", "none", "-monitor", "none",
        *([] if shift is None else ["-icount", f"shift={shift},sleep=on"]),
    ]  # fmt: skip


@contextmanager
def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    prepare(argument, planner)
    board = emulated(argument)
    built = image_for(planner, board.board.given)
    image = built.image
    started = [*command(image, None if board.wall else board.shift), *board.told]
    with pty_of(started, SERVING) as (pipe, child):
        yield Device(
            f"qemu:{argument}",
            pipe,
            board.clock,
            timeout=2.0,  # a host that is busy elsewhere stalls the emulator, too
            flash_bytes=image.flash_bytes,
            ram_bytes=image.ram_bytes,
            toolchain=built.toolchain,
            hang=child.pause,
        )
