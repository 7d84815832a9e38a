# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The ESP32-C3 image is what its boot ROM loads, and asks nothing that the core lacks; esptool gets it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.exporters import boot_rom, esp_image
from kdp_edge.exporters.build import Image, compile_bundle
from kdp_edge.exporters.toolchain import riscv_toolchain, run
from kdp_edge.hil.flash import esptool, methods
from kdp_edge.hil.flash.image import load
from kdp_edge.hil.link import Link
from tests.firmware import chip_esp32c3
from tests.firmware.chip_esp32c3 import CODE, DATA, Esp32c3

PORT = "/dev/ttyACM7"
# ESP32-C3 Technical Reference Manual, "CPU Registers": there is no mie, and nothing counts as mcycle
CSRS = {"mstatus", "mtvec", "mscratch", "mcause", "pmpcfg0", *(f"pmpaddr{n}" for n in range(4))}


@pytest.fixture(scope="module")
def image(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return compile_bundle(small_bundle, "esp32c3", tmp_path_factory.mktemp("esp32c3") / "image")


def test_the_boot_rom_loads_the_image_code_for_instructions_and_the_rest_for_data(image: Image) -> None:
    loaded = chip_esp32c3.boot_rom((image.folder / esp_image.FILE).read_bytes())
    (code_at, code), (rest_at, rest) = loaded.segments
    assert code + rest == image.bin.read_bytes()
    assert (loaded.entry, code_at, rest_at) == (CODE, CODE, DATA + len(code))
    rows = run([riscv_toolchain().tool("nm"), str(image.elf)]).splitlines()
    symbols = [(int(row.split()[0], 16), *row.split()[1:]) for row in rows if len(row.split()) == 3]
    functions = [at for at, kind, _ in symbols if kind in "tTW"]
    constants = [at for at, kind, _ in symbols if kind in "rR"]
    assert len(functions) > 50 and len(constants) > 20
    names = {name: at for at, _, name in symbols}
    outside = {names["kdp_image_start"], names["kdp_flash_end"], names["kdp_code_end"]}
    assert all(CODE <= at < CODE + len(code) for at in functions if at not in outside)
    assert all(rest_at <= at < rest_at + len(rest) for at in constants)
    assert names["kdp_trap_handler"] % 256 == 0


def test_no_register_is_used_that_the_core_lacks(image: Image) -> None:
    listing = run([riscv_toolchain().tool("objdump"), "-d", str(image.elf)])
    operands = {name for line in re.findall(r"\tcsr\w+\t(\S+)", listing) for name in line.split(",")}
    used = {name for name in operands if not re.fullmatch(r"[ast]\d+|zero|\d+", name)}
    assert {"mtvec", "pmpcfg0"} <= used <= CSRS


def test_an_image_that_would_load_over_the_boot_roms_variables_is_refused() -> None:
    boot_rom.check("esp32c3", DATA, bytes(0x4AE00))
    with pytest.raises(KdpError, match="306,692 bytes, expected at most 306,688"):
        boot_rom.check("esp32c3", DATA, bytes(0x4AE04))
    with pytest.raises(KdpError, match="at 0x40380000, expected code"):
        boot_rom.check("esp32c3", CODE, bytes(0x1000))


def test_without_the_pll_it_runs_from_the_crystal_and_says_so(image: Image) -> None:
    chip = Esp32c3(image, pll_off=True)
    assert Link(chip).hello().clock_hz == 40_000_000 == chip.system_hz()


def test_the_boot_roms_watchdogs_are_off(image: Image) -> None:
    chip = Esp32c3(image)
    assert chip.watchdogs_of_boot()
    chip.work()
    assert not chip.watchdogs_of_boot()


@pytest.mark.parametrize("address", [DATA + 0x40, CODE + 0x40])
def test_a_write_to_the_image_at_either_address_is_a_fault(address: int, image: Image) -> None:
    chip = Esp32c3(image)
    link = Link(chip)
    assert link.hello().flags == 1
    chip.call("memset", address, 0, 4)
    assert chip.restarts == 1 and link.hello().flags == 1 | 4


def _esptool(folder: Path, script: str) -> None:
    (folder / "esptool").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "esptool").chmod(0o755)


def test_esptool_gets_the_file_for_offset_0_and_its_failures_are_told(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    _esptool(tmp_path, f'echo "$@" > {tmp_path}/told')
    flashed = load(image.folder, "esp32c3")
    result = methods.flash(methods.choose("esp32c3", port=PORT), flashed)
    assert (result["method"], result["bytes"]) == ("esptool", len(flashed.data))
    file = image.folder / esp_image.FILE
    told = ["--chip", "esp32c3", "--port", PORT, "write_flash", "0x0", str(file)]
    assert (tmp_path / "told").read_text().split() == told
    _esptool(tmp_path, 'echo "A fatal error occurred: MD5 of file does not match data in flash!"; exit 2')
    with pytest.raises(KdpError, match=f"{PORT}: esptool: MD5 of file does not match") as failed:
        esptool.flash(file, "esp32c3", PORT)
    assert failed.value.exit_code == GATE_FAILED
    _esptool(tmp_path, 'echo "A fatal error occurred: Failed to connect to ESP32-C3: no reply"; exit 2')
    with pytest.raises(KdpError, match=r"Failed to connect.*BOOT button") as away:
        esptool.flash(file, "esp32c3", PORT)
    assert away.value.exit_code == DEVICE_MISSING
    _esptool(tmp_path, "exec sleep 30")
    with pytest.raises(KdpError, match=r"not done within 0\.2 s; hold") as slow:
        esptool.flash(file, "esp32c3", PORT, timeout=0.2)
    assert slow.value.exit_code == DEVICE_MISSING
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(KdpError, match="pip install esptool") as absent:
        esptool.flash(file, "esp32c3", PORT)
    assert absent.value.exit_code == DEVICE_MISSING


def test_a_way_onto_the_board_is_named_when_none_is_given() -> None:
    with pytest.raises(KdpError, match="--port /dev/ttyACM0 for the ROM bootloader, through esptool"):
        methods.choose("esp32c3")
    with pytest.raises(KdpError, match=r"cannot be flashed this way \(teensy\)"):
        methods.choose("esp32c3", teensy=True)
    assert methods.choose("stm32f405", port=PORT).kind == "stm32-rom"
