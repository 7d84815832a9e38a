# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A Teensy through teensy_loader_cli, its makers' own loader.

The chip that holds the Teensy's bootloader writes what it is sent and lets nobody read it back; the image's
CRC keeps a part of it from acting, and HELLO says whether it is the right one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.hil.flash.program import run

PROGRAM = "teensy_loader_cli"
PATIENCE = 60.0  # seconds, the wait for the button included


def flash(hex_file: Path, mcu: str, timeout: float = PATIENCE) -> None:
    """Write the Intel HEX file `hex_file` to the Teensy whose button is pressed, and start it.

    Args:
        mcu: the microcontroller as the loader calls it, such as TEENSY41.
        timeout: seconds for everything; the loader is ended after that.
    Raises:
        KdpError: (3) no loader, no Teensy in time; (1) the loader failed, in its own words.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise KdpError(f"{PROGRAM} not found; install it: apt-get install teensy-loader-cli", DEVICE_MISSING)
    command = [program, f"--mcu={mcu}", "-w", "-v", str(hex_file)]
    late = (
        f"no Teensy within {timeout:g} s: plug it in, press its button while the command waits, and see that "
        "this user may open it (the udev rules of its makers)"
    )
    done = run(command, timeout, late)
    if done.returncode != 0:
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        why = said[0] if said else f"exit code {done.returncode}"
        raise KdpError(f"{PROGRAM}: {why}; press the Teensy's button and flash again", GATE_FAILED)
