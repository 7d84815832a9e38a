"""Where requests come from: a serial port, a pty or TCP; the standard library does all of it."""

from __future__ import annotations

import os
import select
import socket
import termios
import time
import tty
from collections.abc import Callable

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.wire.frame import Decoder

Feed = Callable[[bytes], bytes]

LOOK_EVERY = 0.5  # seconds, to see who has said nothing for too long
PATIENCE = 5.0  # seconds in which a caller must send a whole frame
WRITE_SECONDS = 1.0  # in which a client must take a reply
MOST_CALLERS = 16
MOST_SAID = 4096  # bytes without a frame


def serve_serial(path: str, baud: int, feed: Feed) -> None:
    """Answer on a serial port until interrupted."""
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise KdpError(f"baud rate {baud} is not one this system knows; try 115200 or 921600", USAGE)
    try:
        port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(port)
        settings = termios.tcgetattr(port)
        settings[4] = settings[5] = speed
        settings[2] |= termios.CLOCAL | termios.CREAD
        termios.tcsetattr(port, termios.TCSANOW, settings)
    except (OSError, termios.error) as error:
        raise KdpError(
            f"{path}: cannot open this port ({error}); check its name and group dialout", 3
        ) from None
    print(f"serving on {path}", flush=True)
    _serve_file(port, feed)


def serve_pty(feed: Feed) -> None:
    """Answer on a new pseudo-terminal, whose name is printed, until interrupted."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    # our own handle of the other end keeps the pty alive while no host has it open
    print(f"serving on {os.ttyname(theirs)}", flush=True)
    _serve_file(ours, feed)


def serve_tcp(host: str, port: int, feed: Feed) -> None:
    """Answer one TCP client at a time until interrupted; the state outlives a connection.

    The owner is whoever last sent a whole frame after connecting: a client that connects and says nothing, or
    stops reading, keeps nobody else out, and one that falls silent is replaced by the next that speaks.
    """
    try:
        listener = socket.create_server((host, port))
    except (OSError, UnicodeError) as error:
        raise KdpError(
            f"cannot listen on {host}:{port} ({error}); choose another --listen", DEVICE_MISSING
        ) from None
    print(f"serving on {host}:{listener.getsockname()[1]}", flush=True)
    owner: socket.socket | None = None
    callers: list[Caller] = []
    while True:
        sockets = [listener, *(caller.socket for caller in callers), *([owner] if owner else [])]
        ready, _, _ = select.select(sockets, [], [], LOOK_EVERY)
        if listener in ready:
            callers.append(_accept(listener))
        if owner in ready and owner is not None and not _serve_client(owner, feed):
            owner.close()
            owner = None
        for caller in list(callers):
            spoke = caller.socket in ready and caller.listen()
            if spoke or caller.gone() or len(callers) > MOST_CALLERS:
                callers.remove(caller)
            if spoke:
                if owner is not None:
                    owner.close()
                owner = caller.socket
                if not _answer(
                    owner, feed(b"\0" + bytes(caller.said))
                ):  # the zero ends the last owner's frame
                    owner.close()
                    owner = None
            elif caller not in callers:
                caller.socket.close()


class Caller:
    """A client that has not sent a whole frame yet."""

    def __init__(self, client: socket.socket) -> None:
        self.socket, self.said = client, bytearray()
        self._decoder, self._until = Decoder(), time.monotonic() + PATIENCE

    def listen(self) -> bool:
        """Take what it sends; whether a whole frame is among it."""
        try:
            data = self.socket.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._until = 0.0
        self.said += data
        return bool(self._decoder.feed(data))

    def gone(self) -> bool:
        """Whether it left, said too much without a frame, or nothing for too long."""
        return time.monotonic() > self._until or len(self.said) > MOST_SAID


def _accept(listener: socket.socket) -> Caller:
    client, _ = listener.accept()
    client.settimeout(WRITE_SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return Caller(client)


def _serve_client(client: socket.socket, feed: Feed) -> bool:
    """Answer what a client sent; False when it is gone or does not read."""
    try:
        data = client.recv(4096)
    except OSError:
        return False
    return bool(data) and _answer(client, feed(data))


def _answer(client: socket.socket, reply: bytes) -> bool:
    try:
        client.sendall(reply)
    except OSError:  # a time-out as well: it does not read
        return False
    return True


def _serve_file(port: int, feed: Feed) -> None:
    while True:
        select.select([port], [], [])
        try:
            data = os.read(port, 4096)
        except OSError as error:
            raise KdpError(
                f"the port is gone ({error}); plug it in and start again", DEVICE_MISSING
            ) from None
        reply = feed(data)
        while reply:
            reply = reply[os.write(port, reply) :]
