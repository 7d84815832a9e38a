# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Boards to flash without a board: an empty QEMU with a gdb server, and a fake STM32 that boots in QEMU."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import tempfile
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdp_edge.hil.devices.process import Child
from kdp_edge.hil.devices.qemu import SERVING
from tests.flash.fake_rom import FakeRom


def qemu(machine: str = "netduinoplus2") -> list[str]:
    """Command of an emulated board."""
    quiet = ["-display", "none", "-monitor", "none", "-icount", "shift=3,sleep=on"]
    return ["qemu-system-arm", "-M", machine, *quiet]


@contextmanager
def empty_qemu(machine: str = "netduinoplus2") -> Iterator[tuple[str, str]]:
    """An emulated board with nothing in its flash, stopped; yields (HOST:PORT of gdb, serial port)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = Child([*qemu(machine), "-S", "-gdb", f"tcp:127.0.0.1:{port}", "-serial", "pty"])
    try:
        yield f"localhost:{port}", child.expect(SERVING)
    finally:
        child.close()


@contextmanager
def qemu_with_flash(content: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """An emulated board whose flash holds `content`, its serial port on standard input and output."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flash.bin"
        file.write_bytes(content)
        loader = f"loader,file={file},addr=0x08000000,force-raw=on"
        command = [*qemu(), "-serial", "stdio", "-device", loader]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, bufsize=0, **pipes)  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def fake_board(rom: FakeRom) -> Iterator[str]:
    """A board in its bootloader; Go starts what its flash holds, on the same port. Yields the port."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set() and rom.started is None:
            if select.select([master], [], [], 0.05)[0]:
                answer = rom.feed(os.read(master, 4096))
                if answer:
                    os.write(master, answer)
        if rom.started is not None:
            with qemu_with_flash(bytes(rom.flash)) as process:
                bridge(process)

    def bridge(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        out = process.stdout.fileno()
        while not stop.is_set():
            for ready in select.select([master, out], [], [], 0.05)[0]:
                if ready == master:
                    process.stdin.write(os.read(master, 4096))
                else:
                    os.write(master, os.read(out, 4096))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)
