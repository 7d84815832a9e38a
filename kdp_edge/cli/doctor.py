# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`kdp-edge doctor`: what of this machine the product can use, and what to install for the rest."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import asdict, dataclass

import typer

from kdp_edge.base.provenance import versions
from kdp_edge.cli.common import JSON_OPTION, print_json

PACKAGES = {
    "torch": ("training", "pip install 'kdp-edge[train]'"),
    "gymnasium": ("closed loop, data", "pip install 'kdp-edge[train]' or '[hil]'"),
    "mujoco": ("closed loop, data", "pip install 'kdp-edge[train]' or '[hil]'"),
    "minari": ("data sets", "pip install 'kdp-edge[train]'"),
    "tflite-micro": ("export --target tflm (optional)", "pip install 'kdp-edge[tflm]'"),
    "onnxruntime": ("export --target sbc, jetson", "pip install onnxruntime"),
    "tensorrt-rtx": ("second opinion on jetson bundles (optional)", "pip install 'kdp-edge[trt-check]'"),
}
QEMU_RISCV = "qemu-system-misc, since Debian 13 qemu-system-riscv"
PROGRAMS = {
    "gcc": ("native device", "apt-get install gcc libc6-dev"),
    "arm-none-eabi-gcc": ("build", "apt-get install gcc-arm-none-eabi picolibc-arm-none-eabi"),
    "qemu-system-arm": ("hil --device qemu:...", "apt-get install qemu-system-arm"),
    "riscv64-unknown-elf-gcc": ("build for RISC-V (optional)", "apt-get install gcc-riscv64-unknown-elf"),
    "qemu-system-riscv32": ("hil --device qemu:riscv-virt (optional)", f"apt-get install {QEMU_RISCV}"),
    "gdb-multiarch": ("flash --gdb (optional)", "apt-get install gdb-multiarch"),
    "teensy_loader_cli": ("flash --teensy (optional)", "apt-get install teensy-loader-cli"),
    "esptool": ("flash --board esp32c3 (optional)", "pip install esptool"),
    "openocd": ("flash over a debug probe (optional)", "apt-get install openocd"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked for."""

    name: str
    found: str  # version or path; empty when missing
    enables: str
    install: str


def find() -> list[Finding]:
    """Look for every package and program the product can use."""
    findings, known = [], versions(PACKAGES)
    for name, (enables, install) in PACKAGES.items():
        if name == "tflite-micro" and not _has_tflite_micro():
            install = "its makers publish it for x86-64 Linux only"
        findings.append(Finding(name, known.get(name, ""), enables, install))
    for name, (enables, install) in PROGRAMS.items():
        findings.append(Finding(name, shutil.which(name) or "", enables, install))
    return findings


def _has_tflite_micro() -> bool:
    """Whether TFLite-Micro's interpreter is published for this computer: a Raspberry Pi does without."""
    return platform.machine() == "x86_64" and platform.system() == "Linux"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor(as_json: bool = JSON_OPTION) -> None:
        """List what this machine has and what is missing, with the command that installs it.

        Example: `kdp-edge doctor`. Exit code 1 when something that is not optional is missing.
        """
        findings = find()
        missing = [f for f in findings if not f.found and "optional" not in f.enables]
        if as_json:
            print_json({"findings": [asdict(f) for f in findings], "passed": not missing})
        else:
            _print(findings)
        raise typer.Exit(1 if missing else 0)


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "found", "enables", "to get it", title=f"{platform.platform()}, {os.cpu_count()} cores")
    for f in findings:
        mark = "[green]yes[/]" if f.found else "[red]no[/]"
        table.add_row(f"{mark} {f.name}", f.found, f.enables, "" if f.found else escape(f.install))
    Console().print(table)
