# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Serial ports of this computer, and what is probably behind each."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

# USB vendor and product numbers, from the vendors' own descriptors
_BOARDS = {
    (0x0483, 0x374B): "ST-Link virtual COM port (Nucleo, Discovery)",
    (0x0483, 0x374E): "ST-Link V3 virtual COM port (Nucleo)",
    (0x0483, 0x3752): "ST-Link virtual COM port",
    (0x0483, 0x3753): "ST-Link V3 virtual COM port",
    (0x0483, 0x5740): "STM32 USB virtual COM port",
    (0x0483, 0xDF11): "STM32 in its USB bootloader",
    (0x2E8A, 0x0005): "Raspberry Pi Pico (MicroPython)",
    (0x2E8A, 0x000A): "Raspberry Pi Pico (SDK)",
    (0x2E8A, 0x000C): "Raspberry Pi Debug Probe",
    (0x0D28, 0x0204): "CMSIS-DAP probe (DAPLink)",
    (0x1366, 0x0105): "SEGGER J-Link virtual COM port",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6014): "FTDI FT232H",
    (0x0403, 0x6015): "FTDI FT-X",
    (0x10C4, 0xEA60): "Silicon Labs CP210x",
    (0x1A86, 0x7523): "WCH CH340",
}
_FTDI = 0x0403


@dataclass(frozen=True)
class Port:
    """One serial port."""

    device: str
    what: str  # in words
    usb: str | None  # "vid:pid", hexadecimal
    serial_number: str | None
    advice: str | None  # what to change before measuring latency


def found_ports() -> list[Port]:
    """Every serial port that exists now, sorted by name, USB ports first."""
    from serial.tools.list_ports import comports

    ports = [
        Port(
            device=info.device,
            what=_BOARDS.get((info.vid, info.pid)) or _described(info.description),
            usb=f"{info.vid:04x}:{info.pid:04x}" if info.vid is not None else None,
            serial_number=info.serial_number,
            advice=_latency_advice(info.device) if info.vid == _FTDI else None,
        )
        for info in comports()
    ]
    return sorted(ports, key=lambda port: (port.usb is None, port.device))


def stable_names() -> dict[str, str]:
    """Names under /dev/serial/by-id, which survive replugging: port -> stable name."""
    return {str(Path(name).resolve()): name for name in sorted(glob.glob("/dev/serial/by-id/*"))}


def _described(description: str | None) -> str:
    return description if description and description != "n/a" else "serial port"


def _latency_advice(device: str) -> str | None:
    timer = Path("/sys/bus/usb-serial/devices") / Path(device).name / "latency_timer"
    try:
        milliseconds = int(timer.read_text())
    except (OSError, ValueError):
        return None
    if milliseconds <= 1:
        return None
    return f"latency timer {milliseconds} ms, so is every round trip; cure: echo 1 | sudo tee {timer}"
