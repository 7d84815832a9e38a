# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The ways onto a board behind one door: choose one, flash, greet what was started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import DEVICE_MISSING, GATE_FAILED, KdpError
from kdp_edge.base.files import read_json
from kdp_edge.base.progress import Progress, silent
from kdp_edge.exporters import esp_image
from kdp_edge.exporters.architecture import CORTEX_M, architecture_of
from kdp_edge.exporters.boards import Board, load_board
from kdp_edge.exporters.build import BUILD_FILE
from kdp_edge.hil.devices.serial_port import DEFAULT_BAUD, why_not
from kdp_edge.hil.flash import esptool, gdb, openocd, stm32_rom, teensy, uf2
from kdp_edge.hil.flash.image import FlashImage
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SerialPipe
from kdp_edge.wire.numbers import HelloFlag
from kdp_edge.wire.protocol import NO_BLOB, Hello


@dataclass(frozen=True)
class Method:
    """One way onto a board."""

    kind: str  # "stm32-rom", "gdb", "openocd", "uf2", "teensy" or "esptool"
    where: str  # port, HOST:PORT, probe or path
    baud: int = 115200

    def work(self, image: FlashImage) -> int:
        """How far progress counts: bytes written, and read back where this program does that itself."""
        return len(image.data) * (2 if self.kind == "stm32-rom" else 1)


def choose(
    board: str,
    port: str | None = None,
    server: str | None = None,
    probe: str | None = None,
    drive: Path | None = None,
    baud: int = 115200,
    teensy: bool = False,
) -> Method:
    """The method that the options ask for; `KdpError` for none, several, or one the board does not have."""
    described = load_board(board)
    ways = described.flash
    if not 1200 <= baud <= 115_200:
        raise KdpError(f"--baud is {baud}, expected 1200 to 115200, which the ROM bootloader can measure")
    usb = ways.teensy if teensy else None
    asked = {"gdb": server, "openocd": probe, "uf2": drive, "teensy": usb}
    given = {kind: str(value) for kind, value in asked.items() if value is not None}
    if len(given) > 1:
        raise KdpError(
            f"several ways to flash at once ({', '.join(given)}); give one of --gdb, --openocd, --drive, "
            "--teensy"
        )
    if not given and port is None:
        raise KdpError(f"how is the board connected? {_ways(described)}")
    kind, where = next(iter(given.items())) if given else (_over_serial(described), str(port))
    possible = {
        "gdb": _gdb_restarts(described),
        "openocd": ways.openocd,
        "uf2": ways.uf2_family,
        "stm32-rom": ways.stm32_rom,
        "teensy": ways.teensy,
        "esptool": ways.esptool,
    }
    if not possible[kind]:
        raise KdpError(f"board {board} cannot be flashed this way ({kind}); {_ways(described)}")
    return Method(kind, where, baud)


def _over_serial(board: Board) -> str:
    """What a serial port alone leads to: the bootloader in ROM."""
    return "esptool" if board.flash.esptool else "stm32-rom"


def _gdb_restarts(board: Board) -> bool:
    """Whether gdb.py knows how the core is started: from a vector table."""
    return architecture_of(board.core) is CORTEX_M


def _ways(board: Board) -> str:
    ways, flash = [], board.flash
    if _gdb_restarts(board):
        ways.append("--gdb HOST:PORT of a running gdb server")
    if flash.openocd:
        ways.append(f"--openocd {'|'.join(openocd.PROBES)} for a debug probe")
    if flash.stm32_rom:
        ways.append("--port /dev/ttyUSB0 for the ROM bootloader (BOOT0 high)")
    if flash.esptool:
        ways.append("--port /dev/ttyACM0 for the ROM bootloader, through esptool")
    if flash.uf2_family:
        ways.append(f"--drive PATH of the {flash.uf2_board} drive (BOOTSEL pressed)")
    if flash.teensy:
        ways.append("--teensy for a Teensy on USB (its button pressed)")
    if not ways:
        return f"{board.name} is emulated: kdp-edge hil --device qemu:{board.name}"
    return f"ways for {board.name}: " + ", ".join(ways)


def flash(method: Method, image: FlashImage, progress: Progress = silent) -> dict[str, Any]:
    """Write, verify and start `image`; returns what was done. See the methods' own files for errors."""
    write = {
        "gdb": _gdb,
        "openocd": _openocd,
        "stm32-rom": _stm32_rom,
        "uf2": _uf2,
        "teensy": _teensy,
        "esptool": _esptool,
    }
    verified = write[method.kind](method, image, progress)
    return {
        "board": image.board.name,
        "method": method.kind,
        "where": method.where,
        "bytes": len(image.data),
        "verified": verified,
        "model_sha256": image.image.model_sha256,
    }


def _gdb(method: Method, image: FlashImage, progress: Progress) -> str:
    loaded = gdb.flash(image.image.elf, image.address, method.where)
    progress(method.work(image))
    return f"loaded, {len(loaded.sections)} sections compared"


def _openocd(method: Method, image: FlashImage, progress: Progress) -> str:
    gdb.find_gdb()
    with openocd.server(method.where, image.board) as server:
        loaded = gdb.flash(image.image.elf, image.address, server, openocd.PREPARE, openocd.RESTART)
    progress(method.work(image))
    return f"loaded, {len(loaded.sections)} sections compared"


def _stm32_rom(method: Method, image: FlashImage, progress: Progress) -> str:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        progress(done)

    chip = stm32_rom.chip_of(image.board)
    with open_port(method.where, method.baud, stm32_rom.RomPort) as pipe:
        stm32_rom.flash(stm32_rom.RomClient(pipe), chip, image.address, image.data, count)
    return "written and read back"


def _uf2(method: Method, image: FlashImage, progress: Progress) -> str:
    family, board = image.board.flash.uf2_family, image.board.flash.uf2_board
    file = uf2.encode(image.address, image.data, family)
    address, data = uf2.decode(file, family)
    if address != image.address or data[: len(image.data)] != image.data:
        raise KdpError("the UF2 file does not hold the image; this is a defect of the writer", GATE_FAILED)
    uf2.copy_to_drive(file, Path(method.where), board)
    progress(method.work(image))
    return "copied, UF2 file read back"


def _teensy(method: Method, image: FlashImage, progress: Progress) -> str:
    teensy.flash(image.image.hex, method.where)
    progress(method.work(image))
    return "written; the loader reads nothing back"


def _esptool(method: Method, image: FlashImage, progress: Progress) -> str:
    esptool.flash(image.image.folder / esp_image.FILE, image.board.flash.esptool, method.where)
    progress(method.work(image))
    return "written and compared by esptool"


@contextmanager
def open_port(port: str, baud: int, kind: type[SerialPipe] = SerialPipe) -> Iterator[SerialPipe]:
    """A serial port; `KdpError` (3) that says why when it cannot be opened."""
    import serial

    try:
        pipe = kind(port, baud)
    except serial.SerialException as error:
        raise KdpError(why_not(port, error), DEVICE_MISSING) from None
    try:
        yield pipe
    finally:
        pipe.close()


def _check(hello: Hello, image: FlashImage, port: str) -> None:
    expected = {"board": image.board.name, "model_sha256": image.image.model_sha256}
    for field, wanted in expected.items():
        found = getattr(hello, field)
        if found != wanted:
            raise KdpError(
                f"{port}: HELLO says {field} {found}, expected {wanted}: the board runs another image; check "
                "that this is its port, and flash again",
                GATE_FAILED,
            )
    if not hello.flags & HelloFlag.SELFTEST_PASSED:
        raise KdpError(
            f"{port}: the self-test failed on the board (image CRC or golden vectors), so it does not act; "
            "flash again",
            GATE_FAILED,
        )


def greet(port: str, image: FlashImage, within: float = 10.0) -> dict[str, Any]:
    """Ask the firmware that was started who it is; `KdpError` (1) unless it is this image, sound."""
    options = read_json(image.image.folder / BUILD_FILE).get("options") or {}
    with open_port(port, options.get("baud") or DEFAULT_BAUD) as pipe:
        link = Link(pipe)
        hello = link.hello(within)
    if hello.blob_sha256 != NO_BLOB:
        raise KdpError(
            f"{port}: the board uses a model pushed to this very image before, which calls itself "
            f"{hello.model_sha256[:16]}; push the model that you want: kdp-edge push",
            GATE_FAILED,
        )
    _check(hello, image, port)
    return {"board": hello.board, "version": hello.version, "model_sha256": hello.model_sha256}
