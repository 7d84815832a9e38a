"""The boards that firmware can be built for: one folder each in firmware/boards, described by board.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

import kdp_edge.firmware
from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown

FIRMWARE = Path(kdp_edge.firmware.__file__).parent
BOARDS = FIRMWARE / "boards"
NATIVE = "native"


@dataclass(frozen=True)
class Board:
    """One board, as its board.toml describes it."""

    name: str
    title: str
    core: str  # cortex-m4, ... or the host
    kernel: str  # of firmware/nn: portable, m4, mve
    flags: tuple[str, ...] = ()  # for compiler and linker
    sources: tuple[str, ...] = ()  # shared with other boards, relative to its folder
    machine: str = ""  # QEMU's name of it; empty: not emulated there
    flash_start: int = 0
    flash_bytes: int = 0
    ram_start: int = 0
    ram_bytes: int = 0
    boot2: bool = False  # flash begins with an RP2040 boot loader, whose checksum the build fills in
    options: dict[str, tuple[int, int]] | None = None  # build options and their range, limits included

    @property
    def folder(self) -> Path:
        """Its sources."""
        return BOARDS / self.name

    @property
    def is_native(self) -> bool:
        """Whether it is a program for this computer."""
        return self.name == NATIVE


@dataclass(frozen=True)
class BuildOptions:
    """What can be chosen at build time; None is the board's default."""

    uart: int | None = None  # which serial port
    baud: int | None = None
    hse_mhz: int | None = None  # crystal
    watchdog: int | None = None  # 1: hardware watchdog, fed by completed control steps only
    kernel: str | None = None  # of firmware/nn, another than the one that is best for the core
    sanitize: bool = False  # native only: address and undefined-behaviour sanitizers

    def defines(self, board: Board) -> list[str]:
        """Compiler flags; an option the board lacks or a value out of range becomes a `KdpError`."""
        flags = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or field.name in ("kernel", "sanitize"):
                continue
            allowed = (board.options or {}).get(field.name)
            if allowed is None:
                raise KdpError(f"board {board.name} has no build option {field.name}; leave it out")
            if not allowed[0] <= value <= allowed[1]:
                raise KdpError(
                    f"board {board.name}: {field.name} is {value}, expected {allowed[0]}..{allowed[1]}"
                )
            flags.append(f"-DKDP_{field.name.upper()}={value}")
        if self.sanitize and not board.is_native:
            raise KdpError(f"board {board.name} cannot run sanitizers; use --board native")
        return flags


def board_names() -> list[str]:
    """Names of all boards, native first."""
    names = sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))
    return sorted(names, key=lambda name: name != NATIVE)


def load_board(name: str) -> Board:
    """The board called `name`; an unknown one becomes a `KdpError` that lists all."""
    names = board_names()
    if name not in names:
        raise unknown("board", name, names)
    value = tomllib.loads((BOARDS / name / "board.toml").read_text(encoding="utf-8"))
    for key in ("flags", "sources"):
        value[key] = tuple(value.get(key, ()))
    value["options"] = {key: (low, high) for key, (low, high) in value.get("options", {}).items()}
    return Board(**value)
