# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`qemu:BOARD`: the image that is flashed, on an emulated board with a fixed instruction rate.

With `-icount shift=N` an instruction takes 2**N ns of virtual time, whatever the host does, so
counts repeat from run to run; they are instructions, not cycles of silicon.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.lookup import hint
from kdp_edge.exporters.boards import board_names, load_board
from kdp_edge.hil.devices.device import Device, DeviceClock
from kdp_edge.hil.devices.image import image_for
from kdp_edge.hil.devices.process import pty_of
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.numbers import ClockSource
from kdp_edge.wire.protocol import Hello

QEMU = "qemu-system-arm"
SHIFT = 3  # 8 ns per instruction: 125 million a second by the board's own timers
SERVING = r"char device redirected to (\S+)"


def check(argument: str) -> None:
    """Raise `KdpError` unless `argument` is a board that QEMU emulates."""
    emulated = [name for name in board_names() if load_board(name).machine]
    if argument not in emulated:
        raise KdpError(
            f"QEMU has no board '{argument}': {hint(argument, emulated)}there are {', '.join(emulated)}"
        )


def prepare(argument: str, planner: IntegerPlanner) -> None:
    """Find QEMU and build the image."""
    if shutil.which(QEMU) is None:
        raise KdpError(f"{QEMU} not found; install it: apt-get install {QEMU}", DEVICE_MISSING)
    image_for(planner, argument)


def clock(hello: Hello) -> DeviceClock:
    """Timers run on virtual time, of which an instruction takes 2**SHIFT ns: a tick is so many of them.

    A second is as many of them as the real core has cycles: one instruction a cycle, which most cores do not
    reach and a dual-issue one (Cortex-M7) may exceed.
    """
    if hello.clock_source not in (ClockSource.EMULATOR, ClockSource.BOARD):
        raise KdpError(
            f"board {hello.board} does not see that it is emulated (clock source {hello.clock_source}); "
            "its ticks would not be instructions - this is an error in its board file"
        )
    return DeviceClock("instructions", "icount", hello.clock_hz, 1e9 / hello.tick_hz / 2**SHIFT)


def command(machine: str, elf: str) -> list[str]:
    """How QEMU is started: one serial port on a pty, no display, no monitor."""
    return [
        QEMU, "-M", machine, "-kernel", elf, "-serial", "pty", "-display", "none", "-monitor", "none",
        "-icount", f"shift={SHIFT},sleep=on",
    ]  # fmt: skip


@contextmanager
def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    prepare(argument, planner)
    built = image_for(planner, argument)
    image = built.image
    with pty_of(command(image.machine, str(image.elf)), SERVING) as (pipe, child):
        yield Device(
            f"qemu:{argument}",
            pipe,
            clock,
            timeout=2.0,  # a host that is busy elsewhere stalls the emulator, too
            flash_bytes=image.flash_bytes,
            ram_bytes=image.ram_bytes,
            toolchain=built.toolchain,
            hang=child.pause,
        )
