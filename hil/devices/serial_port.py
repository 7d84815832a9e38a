# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`serial:PORT[@BAUD]`: a real board on a serial port or USB virtual COM port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.hil.devices.device import Device, DeviceClock
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.hil.ports import found_ports
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import Hello

DEFAULT_BAUD = 921600
FASTEST = 12_000_000  # baud of the fastest USB bridges (FT232H data sheet)


def parse(argument: str) -> tuple[str, int]:
    """`PORT[@BAUD]` -> (port, baud)."""
    port, at, baud = argument.rpartition("@")
    if not at:
        return argument, DEFAULT_BAUD
    if not port or not baud.isascii() or not baud.isdigit() or not 50 <= int(baud) <= FASTEST:
        raise KdpError(
            f"device 'serial:{argument}': '{baud}' is not a baud rate from 50 to {FASTEST}; "
            "write serial:PORT@115200"
        )
    return port, int(baud)


def check(argument: str) -> None:
    """Raise `KdpError` unless `argument` has the right form."""
    parse(argument)


def prepare(argument: str, planner: IntegerPlanner) -> None:
    """See that the port is there."""
    port = parse(argument)[0]
    if not Path(port).exists():
        raise KdpError(why_not(port, FileNotFoundError("No such file")), DEVICE_MISSING)


def clock(hello: Hello) -> DeviceClock:
    """Ticks of a board: the core's cycle counter, a timer at half its clock (STM32F4), or another timer."""
    if hello.tick_hz == hello.clock_hz:
        return DeviceClock("cycles", "dwt", hello.clock_hz, 1.0)
    if 2 * hello.tick_hz == hello.clock_hz:
        return DeviceClock("cycles", "tim2", hello.clock_hz, 2.0)
    return DeviceClock("us", "systick", 1e6, 1e6 / hello.tick_hz)


@contextmanager
def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    import serial

    port, baud = parse(argument)
    try:
        pipe = SerialPipe(port, baud)
    except serial.SerialException as error:
        raise KdpError(why_not(port, error), DEVICE_MISSING) from None
    try:
        yield Device(f"serial:{argument}", pipe, clock)
    finally:
        pipe.close()


def why_not(port: str, error: Exception) -> str:
    """One line about a port that pyserial could not open: why, and what to do."""
    text = str(error)
    if "lock" in text:
        return f"{port} is in use by another program; close it and try again"
    if "Permission" in text:
        return f"{port}: permission denied; join its group (sudo usermod -aG dialout $USER) and log in again"
    if "No such file" in text or "FileNotFound" in text:
        ports = found_ports()
        listing = ", ".join(f"{p.device} ({p.what})" for p in ports) if ports else "none"
        return f"{port}: no such port; ports found: {listing}; plug the board in, then see `kdp-edge ports`"
    return f"{port} cannot be opened: {text}"
