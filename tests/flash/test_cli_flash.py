# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge flash` from the command line to a board that answers HELLO."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, LINK_LOST, USAGE
from kdp_edge.exporters.build import Image
from kdp_edge.hil.flash import uf2
from tests.flash.boards import empty_qemu, fake_board
from tests.flash.conftest import make
from tests.flash.fake_rom import FakeRom, Faults


def kdp_flash(
    image: Path, *options: str, path: str | None = None, board: str = "stm32f405"
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    program = [sys.executable, "-c", "from kdp_edge.cli import main; main()"]
    command = [*program, "flash", "--board", board, "--image", str(image), *options]
    environment = None if path is None else {"PATH": path}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def test_gdb_loads_an_empty_board_which_then_answers(built: Image) -> None:
    with empty_qemu() as (server, port):
        done = kdp_flash(built.folder, "--gdb", server, "--port", port, "--json")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["bytes"] == built.flash_bytes
        assert result["hello"]["model_sha256"] == built.model_sha256

        again = kdp_flash(built.folder, "--gdb", server, "--port", port)
        assert again.returncode == 0, again.stderr
        assert "same model, self-test passed" in again.stdout


def test_rom_bootloader_writes_a_board_which_then_answers(built: Image) -> None:
    rom = FakeRom(faults=Faults(seed=1, nak=0.01))
    with fake_board(rom) as port:
        done = kdp_flash(built.folder, "--port", port, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hello"]["board"] == "stm32f405"
    assert rom.flash[: built.flash_bytes] == built.bin.read_bytes()
    assert rom.naks > 0


def test_a_flash_that_loses_power_fails_and_the_next_one_heals_it(built: Image) -> None:
    rom = FakeRom(faults=Faults(cut_at=10_000))
    with fake_board(rom) as port:
        cut = kdp_flash(built.folder, "--port", port, "--no-hello")
        assert cut.returncode == LINK_LOST
        assert "will not start" in cut.stderr
        assert not rom.starts()
        rom.power_up()
        healed = kdp_flash(built.folder, "--port", port)
    assert healed.returncode == 0, healed.stderr


def test_a_changed_image_reaches_no_board(copy: Path) -> None:
    data = bytearray((copy / "image.bin").read_bytes())
    data[1000] ^= 4
    (copy / "image.bin").write_bytes(data)
    rom = FakeRom()
    with fake_board(rom) as port:
        done = kdp_flash(copy, "--port", port)
    assert done.returncode == USAGE
    assert "build again" in done.stderr
    assert rom.operations == 0


@pytest.mark.parametrize(
    "options, code, message",
    [
        ([], USAGE, "how is the board connected? ways for stm32f405: --gdb HOST:PORT"),
        (["--gdb", "localhost:1"], DEVICE_MISSING, "no gdb server at localhost:1"),
        (["--gdb", "nonsense"], USAGE, "gdb server 'nonsense' is not HOST:PORT"),
        (["--port", "/dev/ttyNONE"], DEVICE_MISSING, "/dev/ttyNONE: no such port"),
        (["--drive", "/tmp"], USAGE, "board stm32f405 cannot be flashed this way (uf2)"),
        (["--gdb", ":1", "--openocd", "stlink"], USAGE, "several ways to flash at once"),
        (["--openocd", "usbasp"], USAGE, "unknown debug probe 'usbasp'"),
    ],
)
def test_every_mistake_is_one_line_that_says_what_to_do(
    built: Image, options: list[str], code: int, message: str
) -> None:
    start = time.monotonic()
    done = kdp_flash(built.folder, *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert sum(line.startswith("kdp-edge: ") for line in done.stderr.splitlines()) == 1
    if options == ["--gdb", "localhost:1"]:  # all is known but the way: what would be written is said first
        assert done.stderr.startswith(
            f"stm32f405 gets task synthetic, score not known, model {built.model_sha256[:16]}"
        )
    assert time.monotonic() - start < 20


def test_missing_programs_are_named_with_their_package(built: Image, tmp_path: Path) -> None:
    for options, package in (
        (["--gdb", ":3333"], "gdb-multiarch"),
        (["--openocd", "stlink"], "gdb-multiarch"),
    ):
        done = kdp_flash(built.folder, *options, path=str(tmp_path))
        assert done.returncode == DEVICE_MISSING
        assert f"apt-get install {package}" in done.stderr


@pytest.mark.parametrize(
    ("board", "label", "family"),
    [("rp2040", "RPI-RP2", 0xE48BFF56), ("rp2350-riscv", "RP2350", 0xE48BFF5A)],
)
def test_uf2_on_the_drive_is_the_image(board: str, label: str, family: int, tmp_path: Path) -> None:
    built = make(tmp_path / board, seed=0, board=board)
    drive = tmp_path / label
    drive.mkdir()
    command = ["--drive", str(drive), "--json"]
    refused = kdp_flash(built.folder, *command, board=board)
    assert (refused.returncode, "BOOTSEL" in refused.stderr) == (DEVICE_MISSING, True)
    (drive / "INFO_UF2.TXT").write_text(f"UF2 Bootloader\nModel: Raspberry Pi\nBoard-ID: {label}\n")
    done = kdp_flash(built.folder, *command, board=board)
    assert done.returncode == 0, done.stderr
    address, data = uf2.decode((drive / "kdp-edge.uf2").read_bytes(), family)
    assert address == 0x10000000
    assert data[: built.flash_bytes] == built.bin.read_bytes()
