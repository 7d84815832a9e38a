# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""boards.toml: the devices that are played at the same time, each with a name, a place and limits."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.base.typed import typed
from kdp_edge.exporters.build import Image, load_image
from kdp_edge.hil import devices
from kdp_edge.hil.ports import found_ports
from kdp_edge.quantization.plan import IntegerPlanner

REMEDY = "docs/closed-loop.md shows a boards file"


@dataclass(frozen=True)
class Limits:
    """What a board must keep; what is left out is not asked for."""

    seconds: float | None = None  # wall-clock of its part of the run; then it is stopped
    hello_seconds: float = 10.0  # until it answers HELLO
    deadline_share: float | None = None  # of the deadline, by its slowest plan
    round_trip_ms: float | None = None  # 99th percentile, by this computer's clock
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    stack_bytes: int | None = None  # measured high water


@dataclass(frozen=True)
class BoardEntry:
    """One device of a boards file: one of `port`, `serial_number` and `device` says where it is."""

    name: str  # as report and JUnit call it
    port: str | None = None  # a serial port
    serial_number: str | None = None  # of its USB bridge, as `kdp-edge ports` prints it
    baud: int | None = None
    device: str | None = None  # native, qemu:BOARD, agent:...
    image: str | None = None  # folder that `kdp-edge build` wrote: what is flashed there
    limits: Limits = field(default_factory=Limits)

    def address(self) -> str:
        """The device's name as `--device` takes it.

        Raises:
            KdpError: no port, or more than one, has the serial number (3).
        """
        if self.device is not None:
            return self.device
        port = self.port or self._found_port()
        return f"serial:{port}" if self.baud is None else f"serial:{port}@{self.baud}"

    def _found_port(self) -> str:
        ports = found_ports()
        found = [port.device for port in ports if port.serial_number == self.serial_number]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{p.serial_number} ({p.device})" for p in ports if p.serial_number) or "none"
        what = f"ports {', '.join(found)} have" if found else "no port has"
        raise KdpError(f"{what} serial number {self.serial_number}; there are {known}", DEVICE_MISSING)

    def built(self) -> Image | None:
        """The image that is said to be flashed."""
        return None if self.image is None else load_image(Path(self.image))


@dataclass(frozen=True)
class _File:
    board: tuple[BoardEntry, ...]


def read_boards(path: Path, planner: IntegerPlanner) -> list[BoardEntry]:
    """The entries of a boards file; paths in it are relative to its folder.

    Raises:
        KdpError: damaged, an entry is wrong, or an image holds another model than `planner`.
    """
    entries = list(typed(_File, _toml(path), path, REMEDY).board)
    if not entries:
        raise KdpError(f"{path}: no board; write a [[board]] with a name and a port: {REMEDY}")
    _check_unique(entries, path)
    return [_checked(entry, path, planner) for entry in entries]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file; {REMEDY}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KdpError(f"{path}: not valid TOML ({error}); {REMEDY}") from None


def _check_unique(entries: list[BoardEntry], path: Path) -> None:
    """One name is one board; a port is opened once, while emulators and programs may be many."""
    for what in ("name", "port", "serial_number"):
        for value, times in Counter(getattr(entry, what) for entry in entries).items():
            if value is not None and times > 1:
                raise KdpError(f"{path}: {times} boards have {what} '{value}'; give each its own")


def _checked(entry: BoardEntry, path: Path, planner: IntegerPlanner) -> BoardEntry:
    where = f"{path}: board '{entry.name}'"
    if not entry.name.strip() or not entry.name.isprintable() or entry.name == "float":
        raise KdpError(f"{where}: its name is empty, unprintable or float, which is the float policy's")
    given = [name for name in ("port", "serial_number", "device") if getattr(entry, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise KdpError(f"{where} has {found} of port, serial_number and device; give exactly one")
    if entry.device is not None and (entry.baud is not None or entry.device.startswith("serial:")):
        raise KdpError(f'{where}: give a serial port as port = "/dev/ttyACM0", with baud if it has one')
    try:
        devices.check(entry.device or f"serial:{entry.port or 'PORT'}@{entry.baud or 115200}")
    except KdpError as error:
        raise KdpError(f"{where}: {error}") from None
    for name, value in vars(entry.limits).items():
        if value is not None and value <= 0:
            raise KdpError(f"{where}: limits.{name} is {value}, expected more than 0")
    if entry.image is None:
        return entry
    entry = replace(entry, image=str(path.parent / entry.image))
    built = entry.built()
    if built is not None and built.model_sha256 != planner.model_sha256():
        raise KdpError(
            f"{where}: image {entry.image} holds model {built.model_sha256[:16]}, the policy here is "
            f"{planner.model_sha256()[:16]}; build and flash this one, or give its --run"
        )
    return entry
