# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Flashing through the STM32 ROM: same bytes as stm32flash, and no fault leaves a half image that starts."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, LINK_LOST, USAGE, KdpError
from kdp_edge.exporters.boards import load_board
from kdp_edge.hil.flash.stm32_rom import RomClient, RomPort, chip_of, flash
from kdp_edge.hil.pipes import MemoryPipe
from tests.flash.fake_rom import BASE, FakeRom, Faults, on_pty

CHIP = chip_of(load_board("stm32f405"))


def image(size: int, seed: int = 0) -> bytes:
    """Random bytes behind a vector table that a chip would start."""
    head = (0x20020000).to_bytes(4, "little") + (BASE + 0x1C1).to_bytes(4, "little")
    return head + random.Random(seed).randbytes(size - 8)


class Wire(MemoryPipe):
    """A wire in memory: an answer is there at once or never, so nobody needs to wait."""

    def read(self, timeout: float) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data


def client(rom: FakeRom, tries: int = 8) -> RomClient:
    return RomClient(Wire(rom.feed), patience=0, erase_patience=0, tries=tries)


def test_image_is_written_verified_and_started() -> None:
    rom, data, told = FakeRom(), image(21_000), []
    flash(client(rom), CHIP, BASE, data, told.append)
    assert rom.flash[: len(data)] == data
    assert rom.started == BASE
    assert sum(told) == 2 * len(data)


def test_only_the_sectors_under_the_image_are_erased() -> None:
    rom = FakeRom()
    rom.flash[:] = bytes(len(rom.flash))
    data = image(0x4000 + 100)
    flash(client(rom), CHIP, BASE, data)
    assert rom.erased == [0, 1]
    assert rom.flash[: len(data)] == data
    assert not any(rom.flash[0x8000:])


def test_same_flash_as_stm32flash_over_a_pty(tmp_path: Path) -> None:
    program = shutil.which("stm32flash")
    assert program, "install it: apt-get install stm32flash"
    file = tmp_path / "image.bin"
    file.write_bytes(image(70_000))

    ours, theirs = FakeRom(), FakeRom()
    with on_pty(ours) as port:
        pipe = RomPort(port)
        flash(RomClient(pipe), CHIP, BASE, file.read_bytes())
        pipe.close()
    with on_pty(theirs) as port:
        subprocess.run(
            [program, "-m", "8n1", "-w", file, "-v", "-g", "0", port], check=True, capture_output=True
        )
    assert ours.flash == theirs.flash

    back = tmp_path / "back.bin"
    reader = FakeRom(flash=ours.flash)
    with on_pty(reader) as port:
        command = [program, "-m", "8n1", "-r", back, "-S", f"{BASE:#x}:70000", port]
        subprocess.run(command, check=True, capture_output=True)
    assert back.read_bytes()[:70_000] == file.read_bytes()


@pytest.mark.parametrize(
    "faults",
    [
        Faults(nak=0.2),
        Faults(drop=0.0005),
        Faults(flip=0.0005),
        Faults(nak=0.05, drop=0.0003, flip=0.0003),
    ],
    ids=["naks", "dropped bytes", "flipped bits", "all"],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_bad_wire_costs_retries_but_never_a_wrong_byte(faults: Faults, seed: int) -> None:
    faults = Faults(seed, faults.drop, faults.flip, faults.nak)
    rom, data = FakeRom(faults=faults), image(9_000, seed)
    rom_client = client(rom)
    flash(rom_client, CHIP, BASE, data)
    assert rom_client.repeats > 0
    assert rom.flash[: len(data)] == data
    assert rom.started == BASE


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_a_hopeless_wire_is_given_up_with_an_image_that_does_not_start(rate: float) -> None:
    rom = FakeRom(faults=Faults(1, drop=rate, flip=rate))
    rom.flash[:0x4000] = image(0x4000, 7)
    with pytest.raises(KdpError) as error:
        flash(client(rom, tries=4), CHIP, BASE, image(9_000))
    assert error.value.exit_code in (LINK_LOST, DEVICE_MISSING)
    assert bytes(rom.flash[:0x4000]) == image(0x4000, 7) or not rom.starts()


def test_power_cut_at_every_flash_operation_never_leaves_a_half_image_that_starts() -> None:
    old, new = image(1_300, 1), image(1_000, 2)
    whole = FakeRom()
    flash(client(whole), CHIP, BASE, new)
    assert whole.operations == 1 + 250
    for cut in range(1, whole.operations + 1):
        rom = FakeRom(faults=Faults(seed=cut, cut_at=cut))
        rom.flash[: len(old)] = old
        with pytest.raises(KdpError) as error:
            flash(client(rom, tries=1), CHIP, BASE, new)
        assert error.value.exit_code in (LINK_LOST, GATE_FAILED)
        content = bytes(rom.flash[: len(new)])
        whole_image = content == new or bytes(rom.flash[: len(old)]) == old
        assert whole_image or not rom.starts(), f"cut at operation {cut}"

        rom.power_up()
        flash(client(rom), CHIP, BASE, new)
        assert rom.flash[: len(new)] == new, f"flashing again after a cut at operation {cut}"


class SlipsOnce(FakeRom):
    """A ROM that programs one wrong bit, once: two flips on the wire that cancel in the checksum."""

    slips = 1

    def _program(self, offset: int, data: bytes) -> None:
        if offset == 8 + 256 and self.slips:
            self.slips = 0
            data = bytes(4) + data[4:]
        super()._program(offset, data)


def test_a_wrong_bit_in_flash_is_found_and_its_sector_erased_again() -> None:
    rom, data = SlipsOnce(), image(600)
    flash(client(rom), CHIP, BASE, data)
    assert rom.erased == [0, 0]
    assert rom.flash[: len(data)] == data


class Worn(FakeRom):
    """A chip that cannot keep the last byte of a block at 1."""

    def _program(self, offset: int, data: bytes) -> None:
        super()._program(offset, data[:-1] + b"\x00")


def test_a_worn_sector_fails_verification() -> None:
    rom = Worn()
    with pytest.raises(KdpError, match="verify: flash differs from the image at 0x08000008") as error:
        flash(client(rom), CHIP, BASE, image(600))
    assert error.value.exit_code == GATE_FAILED
    assert not rom.starts()


def test_another_chip_is_refused_before_anything_is_erased() -> None:
    rom = FakeRom(product_id=0x450)
    with pytest.raises(KdpError, match=r"0x450, expected 0x413 \(STM32F405/407\)") as error:
        flash(client(rom), CHIP, BASE, image(600))
    assert error.value.exit_code == USAGE
    assert rom.operations == 0


@pytest.mark.parametrize("address, size", [(BASE + 4, 600), (BASE, 1 << 21), (0x10000000, 600)])
def test_an_image_outside_the_flash_is_refused(address: int, size: int) -> None:
    rom = FakeRom()
    with pytest.raises(KdpError, match="build for this board"):
        flash(client(rom), CHIP, address, image(size))
    assert rom.operations == 0


def test_silence_is_reported_with_what_to_do() -> None:
    pipe = Wire(lambda _: b"")
    with pytest.raises(KdpError, match="BOOT0") as error:
        RomClient(pipe, patience=0).connect()
    assert error.value.exit_code == DEVICE_MISSING


def test_a_rom_left_in_the_middle_of_a_command_is_found_again() -> None:
    for left_over in (b"", b"\x31", b"\x31\xce\x08", b"\x31\xce\x08\x00\x00\x00\x08\xff" + bytes(100)):
        rom, data = FakeRom(), image(600)
        rom.feed(b"\x7f" + left_over)
        flash(client(rom), CHIP, BASE, data)
        assert rom.flash[: len(data)] == data
