# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What every device is, once open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kdp_edge.hil.pipes import Pipe
from kdp_edge.wire.protocol import Hello

WALL = "wall"  # source of an emulated board's time at pace `real`: this computer's


@dataclass(frozen=True)
class DeviceClock:
    """What a tick of a device's own clock means."""

    unit: str  # instructions, cycles or us
    source: str  # icount, dwt, systick, tim2, os or wall
    hz: float  # units per second of the device's time
    per_tick: float  # units per tick
    own_hz: float | None = None  # units per second by which the device judges its deadline; None: as above

    def units(self, ticks: int) -> float:
        """A time in the clock's unit."""
        # a timer slower than the core counts instructions in steps; there are no halves of them
        return float(round(ticks * self.per_tick)) if self.source == "icount" else ticks * self.per_tick

    def seconds(self, ticks: int) -> float:
        """A time in seconds of the device."""
        return self.units(ticks) / self.hz


def always(hello: Hello) -> bool:
    """The devices whose integer arithmetic is the reference's."""
    return True


def microseconds(hello: Hello) -> DeviceClock:
    """The clock of a device that runs under an operating system."""
    return DeviceClock("us", "os", 1e6, 1e6 / hello.tick_hz)


@dataclass(frozen=True)
class Device:
    """An open device: its pipe, and what the host has to know to talk to it and to read its times."""

    name: str
    pipe: Pipe
    clock: Callable[[Hello], DeviceClock | None]  # None: its times mean nothing
    timeout: float = 1.0  # seconds for one reply
    hello_within: float = 10.0  # seconds
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    toolchain: str | None = None
    pretend: Callable[[int | None], None] | None = None  # make plans take so many ns; None: as usual
    restart: Callable[[int], None] | None = None  # when so many more bytes were received
    hang: Callable[[float], None] | None = None  # stand still for so many seconds, beginning now
    timeless: bool = False  # whether its times are none of a device: they cost the plant nothing
    exact: Callable[[Hello], bool] = always  # whether replies must be the predicted ones, byte for byte
