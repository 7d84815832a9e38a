# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A fake debug probe: a gdb remote server (GDB manual, appendix E) before flash that behaves like NOR."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

BASE, SIZE, SECTOR = 0x08000000, 1 << 20, 0x4000
MEMORY_MAP = (
    f'<memory-map><memory type="flash" start="{BASE:#x}" length="{SIZE:#x}">'
    f'<property name="blocksize">{SECTOR:#x}</property></memory>'
    '<memory type="ram" start="0x20000000" length="0x20000"/></memory-map>'
)


@dataclass
class FakeProbe:
    """The chip behind the probe; `stuck` is an address whose bits do not take."""

    stuck: int | None = None
    silent_after: int | None = None  # packets answered before the probe hangs
    flash: bytearray = field(default_factory=lambda: bytearray(b"\0" * SIZE))  # full of an old program
    words: dict[int, int] = field(default_factory=dict)  # written outside flash
    registers: dict[int, int] = field(default_factory=dict)  # 13 sp, 15 pc, 25 xpsr
    erased: int = 0
    monitor: list[str] = field(default_factory=list)

    def answer(self, packet: bytes) -> bytes:
        """The reply to one packet; empty for what is not supported."""
        name = packet.split(b":")[0].split(b",")[0].decode("latin-1")
        if name.startswith("qXfer"):
            start, size = (int(n, 16) for n in packet.rsplit(b":", 1)[1].split(b","))
            part = MEMORY_MAP.encode()[start : start + size]
            return (b"m" if start + size < len(MEMORY_MAP) else b"l") + part
        if name.startswith(("m", "M", "X", "p", "P", "G")):
            return self._access(name[0], packet[1:])
        if name.startswith("vFlash"):
            return self._flash(name, packet[len(name) + 1 :])
        if name == "qRcmd":
            self.monitor.append(bytes.fromhex(packet.split(b",")[1].decode()).decode())
            return b"OK"
        fixed = {
            "qSupported": b"PacketSize=1000;qXfer:memory-map:read+",
            "?": b"S05",
            "qAttached": b"1",
            "D": b"OK",
        }
        if name == "g":
            return b"".join(self._register(number) for number in (*range(16), 25))
        return b"OK" if name[0] == "H" else fixed.get(name, b"")

    def _access(self, kind: str, rest: bytes) -> bytes:
        if kind == "p":
            return self._register(int(rest, 16))
        if kind == "P":
            number, value = rest.split(b"=")
            self.registers[int(number, 16)] = int.from_bytes(bytes.fromhex(value.decode()), "little")
            return b"OK"
        if kind == "G":
            return b"OK"
        place, _, data = rest.partition(b":")
        address, size = (int(n, 16) for n in place.split(b","))
        if kind == "m":
            offset = address - BASE
            content = self.flash[offset : offset + size] if 0 <= offset < SIZE else bytes(size)
            return content.hex().encode()
        if size:
            value = bytes.fromhex(data.decode()) if kind == "M" else unescape(data)
            self.words[address] = int.from_bytes(value, "little")
        return b"OK"

    def _register(self, number: int) -> bytes:
        return self.registers.get(number, 0).to_bytes(4, "little").hex().encode()

    def _flash(self, name: str, rest: bytes) -> bytes:
        if name == "vFlashErase":
            address, size = (int(n, 16) for n in rest.split(b","))
            if address % SECTOR or size % SECTOR:
                return b"E01"
            self.flash[address - BASE : address - BASE + size] = b"\xff" * size
            self.erased += size // SECTOR
        elif name == "vFlashWrite":
            place, _, data = rest.partition(b":")
            for at, byte in enumerate(unescape(data), int(place, 16)):
                self.flash[at - BASE] &= byte if at != self.stuck else 0
        return b"OK"


def unescape(data: bytes) -> bytes:
    """Binary data of a packet."""
    out, escaped = bytearray(), False
    for byte in data:
        if byte == 0x7D and not escaped:
            escaped = True
        else:
            out.append(byte ^ 0x20 if escaped else byte)
            escaped = False
    return bytes(out)


@contextmanager
def serving(probe: FakeProbe) -> Iterator[str]:
    """Serve one gdb after the other; yields HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                talk(connection, stream)

    def talk(connection: socket.socket, stream: BinaryIO) -> None:
        answered = 0
        while byte := stream.read(1):
            if byte != b"$":
                continue
            packet = b""
            while (byte := stream.read(1)) not in (b"#", b""):
                packet += byte
            stream.read(2)
            if answered == probe.silent_after:
                stop.wait(30)
                return
            answered += 1
            reply = probe.answer(packet)
            connection.sendall(b"+$" + reply + b"#%02x" % (sum(reply) % 256))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"localhost:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
