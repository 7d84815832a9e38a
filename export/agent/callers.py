# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Connections of hosts: a caller proves the token, sends a whole frame, and only then may own the device."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from contextlib import suppress

from kdp_edge.exporters.agent.doors import Door
from kdp_edge.exporters.agent.peer import trusted, user_of
from kdp_edge.wire.authorise import Gate, Unauthorised
from kdp_edge.wire.frame import Decoder

PATIENCE = 5.0  # seconds in which a caller must be authorised and send a whole frame
WRITE_SECONDS = 1.0  # in which the owner must take a reply
MOST_SAID = 4096  # bytes without a frame
TLS_RECORD = b"\x16\x03"  # how a host begins that speaks TLS
TLS_ALERT = bytes.fromhex("15 0303 0002 0246")  # fatal, protocol_version: OpenSSL says nothing to other bytes
SAY_EVERY = 1.0  # seconds between two lines about refused callers


class Tls:
    """TLS without waiting: bytes in, bytes out."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    def decrypt(self, data: bytes) -> bytes:
        """What is readable now; raises `ssl.SSLError` when it is no TLS, or at its end."""
        self._in.write(data)
        plain = bytearray()
        try:
            while some := self._tls.read(4096):  # the first read shakes hands
                plain += some
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            if not plain:
                raise
        return bytes(plain)

    def encrypt(self, data: bytes) -> None:
        """Have `data` sent."""
        self._tls.write(data)

    def outgoing(self) -> bytes:
        """What must be sent now."""
        return self._out.read()


class Connection:
    """Bytes to and from one host, plain or inside TLS. Nothing waits, but for an owner that does not read."""

    def __init__(self, client: socket.socket, tls: ssl.SSLContext | None) -> None:
        client.setblocking(False)
        if client.family != socket.AF_UNIX:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.socket = client
        self._tls = Tls(tls) if tls is not None else None

    def receive(self) -> bytes | None:
        """What came, perhaps nothing that can be read yet; None when the host is gone.

        Raises:
            Unauthorised: it does not speak the TLS that is expected.
        """
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            return None
        if not data or self._tls is None:
            return data or None
        try:
            return self._tls.decrypt(data)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return None
        except ssl.SSLError as error:
            if not data.startswith(TLS_RECORD):
                self._send(TLS_ALERT)
            raise Unauthorised(f"does not speak the TLS of this agent ({error.reason})") from None
        finally:
            self._send(self._tls.outgoing())

    def send(self, data: bytes) -> bool:
        """Send all of `data`; False when the host is gone or does not read."""
        if self._tls is None or not data:
            return self._send(data)
        try:
            self._tls.encrypt(data)
        except ssl.SSLError:
            return False
        return self._send(self._tls.outgoing())

    def _send(self, data: bytes) -> bool:
        try:
            self.socket.sendall(data)
        except OSError:  # a time-out as well: it does not read
            return False
        return True

    def close(self) -> None:
        """Let the host go."""
        self.socket.close()


class Caller:
    """A host that does not own the device yet."""

    def __init__(self, connection: Connection, name: str, origin: str, token: str | None) -> None:
        self.connection, self.name, self.origin = connection, name, origin
        self.since = time.monotonic()
        self.said = bytearray()  # since it was authorised
        self._gate = Gate(token) if token is not None else None
        self._decoder = Decoder()
        self._left = False

    def listen(self) -> bool:
        """Take what it sends; whether it is authorised and a whole frame is among it.

        Raises:
            Unauthorised: it must be closed.
        """
        data = self.connection.receive()
        if data is None:
            self._left = True
            return False
        if self._gate is not None and not self._gate.open:
            reply = self._gate.feed(data)
            self._left = bool(reply) and not self.connection.send(reply)
            return False
        self.said += data
        return bool(self._decoder.feed(data))

    def gone(self) -> bool:
        """Whether it left, said too much without a frame, or took too long."""
        late = time.monotonic() > self.since + PATIENCE
        return self._left or late or len(self.said) > MOST_SAID


def accept(listener: socket.socket, door: Door) -> Caller | None:
    """The next caller, or None: it left again, or is another user of this computer."""
    try:
        client, address = listener.accept()
    except OSError:
        return None
    if client.family == socket.AF_UNIX:
        user = user_of(client)
        if not trusted(user):
            client.close()
            return None
        name = origin = f"user {user}"
    else:
        name, origin = f"{address[0]}:{address[1]}", str(address[0])
    return Caller(Connection(client, door.tls), name, origin, door.token)


class Complaints:
    """Lines on standard error about callers. A flood of them neither fills a log nor stops the device."""

    def __init__(self) -> None:
        self._next, self._untold = 0.0, 0

    def refuse(self, caller: Caller, error: Unauthorised) -> None:
        """Say why `caller` was not let in, at most once in `SAY_EVERY` seconds."""
        self._untold += 1
        now = time.monotonic()
        if now < self._next:
            return
        more = f", and {self._untold - 1} more since the last line" if self._untold > 1 else ""
        line = f"agent: refused {caller.name}: it {error}{more}\n"
        with suppress(OSError):
            _, free, _ = select.select([], [2], [], 0)  # nobody may be reading a full pipe
            if free:
                os.write(2, line.encode(errors="replace"))
        self._next, self._untold = now + SAY_EVERY, 0
