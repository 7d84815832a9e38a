# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Families of cores: what an image needs besides its board, from the compiler to the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdp_edge.exporters.boards import BOARDS
from kdp_edge.exporters.stack_bound import Reader
from kdp_edge.exporters.stack_riscv import RISCV
from kdp_edge.exporters.stack_thumb import THUMB
from kdp_edge.exporters.toolchain import INSTALL_ARM, INSTALL_RISCV, Toolchain, arm_toolchain, riscv_toolchain


@dataclass(frozen=True)
class Architecture:
    """One family of cores."""

    folder: Path  # of firmware/boards, from reset to main
    toolchain: Callable[[], Toolchain]
    flags: tuple[str, ...]  # for compiler and linker
    libraries: tuple[str, ...]  # for the linker, behind all objects
    libc: tuple[Path, ...]  # of `folder`, in place of a C library
    stack: Reader
    interrupt: str  # the one interrupt handler, which is entered on any stack
    qemu: str
    qemu_options: tuple[str, ...]
    install: str  # the command that gets compiler and emulator

    @property
    def start(self) -> tuple[Path, Path]:
        """Folders of what a board's own code is linked with."""
        return (BOARDS / "common", self.folder)


CORTEX_M = Architecture(
    folder=BOARDS / "cortex_m",
    toolchain=arm_toolchain,
    flags=("--specs=picolibc.specs",),
    libraries=(),
    libc=(),
    stack=THUMB,
    interrupt="kdp_uart_irq",
    qemu="qemu-system-arm",
    qemu_options=(),
    install=f"{INSTALL_ARM} qemu-system-arm",
)
RISCV32 = Architecture(
    folder=BOARDS / "riscv32",
    toolchain=riscv_toolchain,
    # the compiler still knows memcpy and its kin, and makes single loads of them; the table of a switch would
    # be a jump through a pointer, behind which the stack has no bound
    flags=("-ffreestanding", "-fbuiltin", "-fno-jump-tables", "-nostdlib"),
    libraries=("-lgcc",),
    libc=(BOARDS / "riscv32" / "kdp_string.c",),
    stack=RISCV,
    interrupt="kdp_trap_handler",
    qemu="qemu-system-riscv32",
    # RV32IMC with machine and user mode: QEMU's other cores have more
    qemu_options=("-bios", "none", "-cpu", "lowrisc-ibex"),
    install=f"{INSTALL_RISCV} qemu-system-misc",
)


def architecture_of(core: str) -> Architecture:
    """The family of a board's `core`: rv32imc, ... are RISC-V, all others Cortex-M."""
    return RISCV32 if core.startswith("rv32") else CORTEX_M
