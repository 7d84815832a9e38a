# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The boards that firmware can be built for: one folder each in firmware/boards, described by board.toml."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import kdp_edge.firmware
from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown
from kdp_edge.base.typed import typed
from kdp_edge.exporters import boot_rom

FIRMWARE = Path(kdp_edge.firmware.__file__).parent
BOARDS = FIRMWARE / "boards"
NATIVE = "native"
OWN_OPTIONS = ("kernel", "sanitize", "public_key", "sequence")  # of every board


@dataclass(frozen=True)
class Limits:
    """What an image may need: a promise, beside which the board's memory is the other bound."""

    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class Stm32Rom:
    """What the bootloader in an STM32's ROM cannot tell."""

    chip: str
    product_id: int  # answer to the Get ID command
    sectors_kib: tuple[int, ...]  # of the flash, in order
    commit_bytes: int  # written last: stack pointer and reset vector, in whole flash words


@dataclass(frozen=True)
class Flashing:
    """Ways onto the board, besides any gdb server; what is empty is not one of them."""

    openocd: str = ""  # name of OpenOCD's target/....cfg
    uf2_family: int = 0
    teensy: str = ""  # name of its microcontroller for teensy_loader_cli
    esptool: str = ""  # name of its chip for esptool
    uf2_board: str = ""  # how Board-ID in the drive's INFO_UF2.TXT begins
    stm32_rom: Stm32Rom | None = None


@dataclass(frozen=True)
class Counting:
    """How instructions are counted under QEMU; a memory region is "origin size" in the linker's words."""

    kernels: tuple[str, ...]  # of firmware/nn that the core can run, its own first
    clock_hz: int  # of the real core
    nanoseconds_per_tick: float  # of the counter that the bench reads
    icount_shift: int  # an instruction takes 2**shift virtual nanoseconds
    code: str
    ram: str
    constants: str = ""  # empty: they share the code's memory
    float32: bool = True  # whether that yardstick runs, too: in software it may take minutes
    machine: str = ""  # QEMU's name of another board with such a core; empty: the board's own
    defines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slots:
    """What the board takes over the link, if it has model slots."""

    unsigned: bool = False  # an image without a key takes any model; else none


@dataclass(frozen=True)
class Board:
    """One board, as its board.toml describes it."""

    name: str
    title: str
    core: str  # cortex-m4, ... or the host
    kernel: str  # of firmware/nn: portable, m4, mve, dual
    limits: Limits
    flags: tuple[str, ...] = ()  # for compiler and linker
    sources: tuple[str, ...] = ()  # shared with other boards, relative to its folder: see shared()
    machine: str = ""  # QEMU's name of it; empty: not emulated there
    emulator: str = ""  # another one that the tests run the whole image in
    flash_start: int = 0
    flash_bytes: int = 0
    ram_start: int = 0
    ram_bytes: int = 0
    code_start: int = 0  # where instructions of the memory at flash_start are fetched; 0: there
    noinit_start: int = 0  # memory that no restart touches; 0: the end of RAM is
    folder: Path = BOARDS  # its sources; not of the file
    boot: str = ""  # whose boot ROM looks for more than a vector table (exporters/boot_rom.py)
    options: dict[str, tuple[int, int]] = field(default_factory=dict)  # of a build, and their ranges
    flash: Flashing = Flashing()
    slots: Slots = Slots()
    bench: Counting | None = None

    @property
    def is_native(self) -> bool:
        """Whether it is a program for this computer."""
        return self.name == NATIVE

    @property
    def given(self) -> str:
        """What --board is given for it: its name, or the folder of one outside the package."""
        return self.name if self.folder.parent == BOARDS else str(self.folder)

    def shared(self) -> list[Path]:
        """Paths of `sources`, which a folder outside the package names as if it lay beside the others.

        Raises:
            KdpError: a file is in neither place.
        """
        return [self._shared(name) for name in self.sources]

    def _shared(self, name: str) -> Path:
        places = [(folder / name).resolve() for folder in (self.folder, BOARDS / self.name)]
        for place in places:
            if place.is_file():
                return place
        raise KdpError(
            f"{self.folder / 'board.toml'}: sources: no {name}, neither {places[0]} nor {places[1]}; "
            "correct the path"
        )

    @property
    def runs(self) -> str:
        """Where its image has run: on this computer, in an emulator, or nowhere - it builds only."""
        if self.is_native:
            return "on this computer"
        emulator = "QEMU" if self.machine else self.emulator
        return f"in emulation: {emulator}" if emulator else "builds only"


@dataclass(frozen=True)
class BuildOptions:
    """What can be chosen at build time; None is the board's default."""

    uart: int | None = None  # which serial port
    baud: int | None = None
    hse_mhz: int | None = None  # crystal
    watchdog: int | None = None  # 0: no hardware watchdog
    kernel: str | None = None  # of firmware/nn, another than the one that is best for the core
    sanitize: bool = False  # native only: address and undefined-behaviour sanitizers
    public_key: str | None = None  # hex: models are taken over the link only if signed with its private half
    sequence: int | None = None  # of the model compiled in; signed ones must have a larger one

    def defines(self, board: Board) -> list[str]:
        """Compiler flags; an option the board lacks or a value out of range becomes a `KdpError`."""
        flags = []
        for option in fields(self):
            value = getattr(self, option.name)
            if value is None or option.name in OWN_OPTIONS:
                continue
            allowed = board.options.get(option.name)
            if allowed is None:
                raise KdpError(f"board {board.name} has no build option {option.name}; leave it out")
            if not allowed[0] <= value <= allowed[1]:
                raise KdpError(
                    f"board {board.name}: {option.name} is {value}, expected {allowed[0]}..{allowed[1]}"
                )
            flags.append(f"-DKDP_{option.name.upper()}={value}")
        if self.sanitize and not board.is_native:
            raise KdpError(f"board {board.name} cannot run sanitizers; use --board native")
        return [*flags, *self._trust(board)]

    def _trust(self, board: Board) -> list[str]:
        """Compiler flags that say which models the image takes over the link (firmware/core/kdp_trust.h)."""
        if self.public_key is None:
            if self.sequence is not None:
                raise KdpError("a sequence number is compared where models are signed; give --signed, too")
            return ["-DKDP_UNSIGNED=1"] if board.slots.unsigned else []
        sequence = self.sequence or 0
        if not 0 <= sequence < 2**32 - 1:
            raise KdpError(f"sequence is {sequence}, expected 0..{2**32 - 2}")
        key = ",".join(f"0x{byte:02x}" for byte in bytes.fromhex(self.public_key))
        return [f"-DKDP_PUBLIC_KEY={{{key}}}", f"-DKDP_SEQUENCE={sequence}u"]


def board_names() -> list[str]:
    """Names of all boards, native first."""
    names = sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))
    return sorted(names, key=lambda name: name != NATIVE)


def load_board(name: str) -> Board:
    """The board called `name`, or the one of a folder with a board.toml, such as ./my-board.

    Raises:
        KdpError: unknown, or its board.toml is not as docs/port.md describes it.
    """
    if "/" in name or name == "." or os.sep in name:
        folder = Path(name).resolve()
        if not (folder / "board.toml").is_file():
            raise KdpError(
                f"board {name}: no board.toml in that folder; docs/port.md lists what a board needs"
            )
    else:
        names = board_names()
        if name not in names:
            raise unknown("board", name, [*names, "or a folder, ./my-board"])
        folder = BOARDS / name
    file = folder / "board.toml"
    value = _toml(file)
    memory = {name: value.get(name, 0) for name in ("flash_bytes", "ram_bytes")}
    limits = value.get("limits", {})
    value["limits"] = memory | limits if isinstance(limits, dict) else limits
    if "folder" in value:
        raise KdpError(f"{file}: {unknown('key', 'folder', ['flash', 'flags'])}")
    board = typed(Board, value | {"folder": folder}, file, "docs/port.md lists what a board needs")
    known = [option.name for option in fields(BuildOptions) if option.name not in OWN_OPTIONS]
    for option in board.options:
        if option not in known:
            raise KdpError(f"{file}: {unknown('option', option, known)}")
    if board.boot:
        boot_rom.known(board.boot)
    if board.name != folder.name:
        raise KdpError(f"{file}: name is '{board.name}', expected '{folder.name}' as the folder's name")
    return board


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KdpError(f"{file}: not valid TOML ({error})") from None
