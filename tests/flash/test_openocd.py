# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""OpenOCD: its configuration names exist in the installed version, and a missing probe is one line."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.exporters.boards import board_names, load_board
from kdp_edge.hil.flash import openocd

BOARDS = [name for name in board_names() if load_board(name).flash.openocd]
COMBINATIONS = [(p, b) for p in openocd.PROBES for b in BOARDS if (p, b) != ("stlink", "rp2040")]


def test_openocd_is_installed() -> None:
    assert BOARDS == ["nrf52840", "nucleo-h743zi", "rp2040", "stm32f405", "stm32h743"]
    assert shutil.which("openocd"), "install it: apt-get install openocd"


@pytest.mark.parametrize("probe, board", COMBINATIONS)
def test_openocd_accepts_the_configuration(probe: str, board: str) -> None:
    command = [
        "openocd",
        *openocd.arguments(probe, load_board(board)),
        "-c",
        "target names",
        "-c",
        "shutdown",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("probe, board", COMBINATIONS)
def test_a_missing_probe_is_told_in_openocds_words(probe: str, board: str) -> None:
    start = time.monotonic()
    with pytest.raises(KdpError) as error, openocd.server(probe, load_board(board)):
        pass
    assert error.value.exit_code == DEVICE_MISSING
    words = {
        "stlink": "open failed",
        "cmsis-dap": "unable to find a matching CMSIS-DAP device",
        "jlink": "No J-Link device found",
    }
    assert words[probe] in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 10


def test_what_cannot_be_is_refused_before_openocd_starts() -> None:
    for probe, board, words in (
        ("usbasp", "stm32f405", "unknown debug probe 'usbasp'"),
        ("jlink", "mps3-an547", "has no OpenOCD target"),
        ("stlink", "rp2040", "use --openocd cmsis-dap or --drive"),
    ):
        with pytest.raises(KdpError, match=words) as error:
            openocd.configuration(probe, load_board(board))
        assert error.value.exit_code == USAGE


def test_a_missing_openocd_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KdpError, match="apt-get install openocd") as error:
        openocd.configuration("jlink", load_board("stm32f405"))
    assert error.value.exit_code == DEVICE_MISSING
