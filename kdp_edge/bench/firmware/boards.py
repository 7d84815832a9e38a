"""Emulated cores for counting instructions: how to compile for them, where memory is, how to run."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import kdp_edge.firmware
from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.toolchain import find_program

FIRMWARE = Path(kdp_edge.firmware.__path__[0])
INSTALL = "apt-get install --no-install-recommends gcc-arm-none-eabi picolibc-arm-none-eabi qemu-system-arm"
TIME_LIMIT = 120  # seconds for one emulated run; the longest takes about 10


@dataclass(frozen=True)
class BenchBoard:
    """One emulated core.

    kernels: of firmware/nn that it can run, its own first. memory: of the linker script. clock_hz: of
    the real core. nanoseconds_per_tick: of the counter that the bench reads. icount_shift: an
    instruction takes 2**shift virtual nanoseconds, as many as the counter bears without wrapping.
    """

    name: str
    core: str
    machine: str
    flags: tuple[str, ...]
    kernels: tuple[str, ...]
    memory: str
    clock_hz: int
    code_start: int
    constants_bytes: int
    nanoseconds_per_tick: float
    icount_shift: int

    def instructions(self, ticks: int) -> int:
        """Counter ticks as instructions, rounded to the nearest."""
        return round(ticks * self.nanoseconds_per_tick / 2**self.icount_shift)

    def command(self, elf: Path, *arguments: str) -> list[str]:
        """QEMU with a fixed number of instructions per virtual second, the program's output on stderr."""
        qemu = find_program("qemu-system-arm", INSTALL)
        semihosting = ",".join(["enable=on,target=native", *(f"arg={a}" for a in arguments)])
        return [
            *(qemu, "-M", self.machine, "-kernel", str(elf), "-semihosting-config", semihosting),
            *("-display", "none", "-monitor", "none", "-serial", "none"),
            *("-icount", f"shift={self.icount_shift},sleep=off"),
        ]

    def run(self, elf: Path, *arguments: str, extra: tuple[str, ...] = ()) -> str:
        """Run `elf` to its end and return what it printed."""
        try:
            done = subprocess.run(
                [*self.command(elf, *arguments), *extra], capture_output=True, text=True, timeout=TIME_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise KdpError(
                f"{elf.name} on {self.machine}: no end after {TIME_LIMIT} s", DEVICE_MISSING
            ) from None
        output = done.stdout + done.stderr
        if done.returncode != 0 or re.search(r"^fault", output, re.MULTILINE):
            lines = [line for line in output.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
            raise KdpError(f"{elf.name} on {self.machine} failed: {lines[-1]}", DEVICE_MISSING)
        return output


def _memory(code: str, constants: str, ram: str) -> str:
    """A linker MEMORY command from 'origin size' texts; no constants: they share the code's memory."""

    def region(name: str, text: str) -> str:
        origin, size = text.split()
        return f"    {name} : ORIGIN = {origin}, LENGTH = {size}\n"

    regions = (
        region("CODE", code) + (region("CONSTANTS", constants) if constants else "") + region("RAM", ram)
    )
    alias = "" if constants else 'REGION_ALIAS("CONSTANTS", CODE)\n'
    return f"MEMORY\n{{\n{regions}}}\n{alias}"


BOARDS = (
    BenchBoard(
        name="stm32f405",
        core="cortex-m4",
        machine="netduinoplus2",
        flags=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-DBENCH_TIM2"),
        kernels=("m4", "portable"),
        clock_hz=168_000_000,
        code_start=0x08000000,
        memory=_memory("0x08000000 1M", "", "0x20000000 112K"),
        constants_bytes=1 << 20,
        nanoseconds_per_tick=1,
        icount_shift=0,
    ),
    BenchBoard(
        name="mps2-an500",
        core="cortex-m7",
        machine="mps2-an500",
        flags=("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
        kernels=("m4", "portable"),
        clock_hz=25_000_000,
        code_start=0,
        memory=_memory("0x00000000 4M", "", "0x20000000 4M"),
        constants_bytes=4 << 20,
        nanoseconds_per_tick=40,
        icount_shift=3,
    ),
    BenchBoard(
        name="mps3-an547",
        core="cortex-m55",
        machine="mps3-an547",
        flags=("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
        kernels=("mve", "portable"),
        clock_hz=32_000_000,
        code_start=0x10000000,
        memory=_memory("0x10000000 512K", "0x11000000 2M", "0x30000000 512K"),
        constants_bytes=2 << 20,
        nanoseconds_per_tick=31.25,
        icount_shift=3,
    ),
)


def board_named(name: str) -> BenchBoard:
    """The board called `name`; an unknown one becomes a `KdpError`."""
    for board in BOARDS:
        if board.name == name:
            return board
    raise KdpError(f"no bench board {name!r}; known: {', '.join(b.name for b in BOARDS)}")
