# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Byte pipes: what frames travel over. Every read and every write has a time limit."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from kdp_edge.base.errors import LINK_LOST, KdpError


class LinkLost(KdpError):
    """The other end is gone or does not answer any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, LINK_LOST)


class Pipe(Protocol):
    """Bytes to and from a device."""

    def write(self, data: bytes) -> None:
        """Send all of `data`; raises `LinkLost` when the pipe is broken or does not drain in time."""

    def read(self, timeout: float) -> bytes:
        """At least one byte, or none after `timeout` seconds; raises `LinkLost` when the pipe is broken."""

    def close(self) -> None:
        """Release the pipe; harmless when done twice."""


class MemoryPipe:
    """A pipe to code in this process: `serve` takes request bytes and returns reply bytes."""

    def __init__(self, serve: Callable[[bytes], bytes]) -> None:
        self._serve = serve
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += self._serve(data)

    def read(self, timeout: float) -> bytes:
        if not self._waiting:
            time.sleep(timeout)  # nobody else can add bytes, but callers count on the wait
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def close(self) -> None:
        self._waiting.clear()


class SerialPipe:
    """A serial port or pty through pyserial, opened exclusively."""

    def __init__(self, port: str, baud: int = 921600, write_timeout: float = 2.0) -> None:
        """Open `port`; raises `serial.SerialException` when that fails."""
        import serial

        self.port = port
        self._write_timeout = write_timeout
        # timeout=0: read() waits in select(), and a stale modem line must not block opening or closing
        try:
            self._serial = serial.Serial(
                port, baud, timeout=0, write_timeout=write_timeout, exclusive=True, rtscts=False, dsrdtr=False
            )
        except (ValueError, OverflowError) as error:
            raise serial.SerialException(f"baud rate {baud}: {error}; try 115200") from None
        self._failures = (serial.SerialException, OSError, ValueError, TypeError)
        self._too_slow = serial.SerialTimeoutException

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except self._too_slow:
            raise LinkLost(
                f"{self.port} took no bytes for {self._write_timeout} s: nobody reads the other end; "
                "check the cable, the device and its baud rate"
            ) from None
        except self._failures as error:
            raise self._lost(error) from None

    def read(self, timeout: float) -> bytes:
        try:
            readable, _, _ = select.select([self._serial.fileno()], [], [], timeout)
            return self._serial.read(4096) if readable else b""
        except self._failures as error:
            raise self._lost(error) from None

    def close(self) -> None:
        with suppress(*self._failures):  # a port that vanished cannot be flushed
            self._serial.close()

    def _lost(self, error: Exception) -> LinkLost:
        return LinkLost(f"{self.port} vanished ({error}): unplugged, or the device's process ended")


class SocketPipe:
    """A connected socket, plain or TLS; `name` is what messages call its other end."""

    def __init__(self, connected: socket.socket, name: str, write_timeout: float = 3.0) -> None:
        self._socket, self._name, self._write_timeout = connected, name, write_timeout

    def write(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._write_timeout)
            self._socket.sendall(data)
        except OSError as error:
            raise LinkLost(f"{self._name}: connection lost ({error})") from None

    def read(self, timeout: float) -> bytes:
        # no select(): TLS may hold bytes that the system does not see any more
        try:
            self._socket.settimeout(max(timeout, 0.0))
            data = self._socket.recv(4096)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return b""
        except (OSError, ValueError) as error:
            raise LinkLost(f"{self._name}: connection lost ({error})") from None
        if not data:
            raise LinkLost(f"{self._name}: closed by the other end")
        return data

    def close(self) -> None:
        self._socket.close()


def readable(data: bytes | bytearray) -> str:
    """The first bytes as hexadecimal, and as text where they are text."""
    first = bytes(data[:24])
    text = first.decode("ascii", "replace")
    shown = f" ({text.strip()!r})" if text.replace("\r", "").replace("\n", "").isprintable() else ""
    return f"{first[:8].hex(' ')}{shown}"
