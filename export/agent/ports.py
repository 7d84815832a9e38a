"""Where requests come from: a serial port, a pty or TCP; the standard library does all of it."""

from __future__ import annotations

import os
import select
import socket
import termios
import tty
from collections.abc import Callable

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError

Feed = Callable[[bytes], bytes]


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
    """Answer one TCP client after the other until interrupted; the state outlives a connection."""
    try:
        listener = socket.create_server((host, port))
    except (OSError, UnicodeError) as error:
        raise KdpError(
            f"cannot listen on {host}:{port} ({error}); choose another --listen", DEVICE_MISSING
        ) from None
    print(f"serving on {host}:{listener.getsockname()[1]}", flush=True)
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client:
            _serve_client(client, feed)


def _serve_client(client: socket.socket, feed: Feed) -> None:
    try:
        while data := client.recv(4096):
            if reply := feed(data):
                client.sendall(reply)
    except OSError:
        return  # the client is gone; the next one may come


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
