# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Agents for tests: the agent of a bundle as a process, behind each of its doors."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.agent import connect
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.link import Link
from kdp_edge.hil.pipes import SocketPipe

DOORS = ("unix", "tcp", "tls")


@dataclass
class Agent:
    """A running agent: what stands behind `agent:`, and what it asks for."""

    where: str
    credentials: Credentials
    said: list[str] = field(default_factory=list)  # lines on standard error

    @property
    def device(self) -> str:
        return f"agent:{self.where}"

    def open(self) -> AbstractContextManager[Device]:
        return open_device(self.device, None, self.credentials)

    def admitted(self) -> SocketPipe:
        """A connection that was let in and has said nothing yet."""
        return connect(self.where, self.credentials)

    def connected(self) -> socket.socket:
        """A connection without any handshake."""
        if "/" in self.where:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(5)
            client.connect(self.where)
            return client
        host, _, port = self.where.rpartition(":")
        return socket.create_connection((host, int(port)), 5)

    def answers(self) -> bool:
        """Whether a new host is let in and served."""
        with self.open() as device:
            link = Link(device.pipe, device.timeout)
            link.hello(5)
            return link.echo(b"answers") == b"answers"


def certificate(folder: Path, name: str = "agent") -> tuple[Path, Path]:
    """A new self-signed certificate and its key, as docs/protocol.md says to make them."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "3650", "-subj", "/CN=agent", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def command(bundle: Path, *options: str | Path) -> list[str]:
    return [sys.executable, str(bundle / "agent.py"), "--backend", "reference", *map(str, options)]


def received(client: socket.socket, count: int = 4096, within: float = 5.0) -> bytes:
    """`count` bytes, or what came before the other end closed."""
    client.settimeout(within)
    data = b""
    with suppress(ConnectionError):
        while len(data) < count and (some := client.recv(count - len(data))):
            data += some
    return data


@contextmanager
def running(bundle: Path, folder: Path, door: str) -> Iterator[Agent]:
    """The agent of `bundle` behind `door`; its token and certificate are in `folder`."""
    token = folder / "token"
    if door == "unix":
        options, credentials = ["--socket", folder / "s"], Credentials()
    else:
        options = ["--listen", "127.0.0.1:0", "--token-file", token]
        cert = None
        if door == "tls":
            cert, key = certificate(folder)
            options += ["--tls-cert", cert, "--tls-key", key]
        credentials = Credentials(token, cert)
    process = subprocess.Popen(
        command(bundle, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        yield Agent(process.stdout.readline().removeprefix("serving on ").strip(), credentials, said)
        assert process.poll() is None, said
    finally:
        process.terminate()
        process.wait(10)
        reader.join(10)
        process.stdout.close()
        process.stderr.close()
