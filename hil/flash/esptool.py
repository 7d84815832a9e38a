# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An ESP32 through esptool, its makers' own program, which talks to the bootloader in ROM over a serial port.

esptool puts the chip into that bootloader itself, compares the MD5 that the chip computes of its flash, and
starts the image.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.hil.flash.program import run

PROGRAMS = ("esptool", "esptool.py")  # since version 5, and before
PATIENCE = 120.0  # seconds
_PORT_FAILED = ("Could not open", "Failed to connect", "No serial data received")


def flash(file: Path, chip: str, port: str, timeout: float = PATIENCE) -> None:
    """Write `file` to the start of the flash of the chip at `port`, compare it, start it.

    Args:
        file: what the boot ROM loads (exporters/esp_image.py).
        chip: the chip as esptool calls it, such as esp32c3; another one is refused by esptool.
        timeout: seconds for everything; esptool is ended after that.
    Raises:
        KdpError: (3) no esptool, no chip at the port, none in time; (1) esptool failed, in its own words.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise KdpError("esptool not found; install it: pip install esptool", DEVICE_MISSING)
    command = [program, "--chip", chip, "--port", port, "write_flash", "0x0", str(file)]
    late = (
        f"{port}: esptool was not done within {timeout:g} s; hold the board's BOOT button while plugging "
        "it in, and flash again"
    )
    done = run(command, timeout, late)
    if done.returncode != 0:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        why = next((line for line in said if "rror" in line), said[-1] if said else "no word")
        why = why.rpartition("fatal error occurred: ")[2].rstrip(".")
        missing = any(sign in why for sign in _PORT_FAILED)
        raise KdpError(
            f"{port}: esptool: {why}; hold the board's BOOT button while plugging it in, and flash again",
            DEVICE_MISSING if missing else GATE_FAILED,
        )
