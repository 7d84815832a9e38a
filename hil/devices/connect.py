# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Connections to an agent: the socket of this user, or TCP with a token and perhaps TLS."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.exporters.agent.peer import trusted, user_of
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.pipes import LinkLost, SocketPipe
from kdp_edge.wire.authorise import OPENING, PROOF, Knock, Unauthorised

WITHIN = 5.0  # seconds for each part of opening a connection


class NoAgent(KdpError):
    """There is no agent there that lets us in."""

    def __init__(self, message: str) -> None:
        super().__init__(message, DEVICE_MISSING)


def connect_path(path: Path) -> SocketPipe:
    """Connect to the socket of an agent of this user; raises `KdpError` (3) when it cannot be opened."""
    client = socket.socket(socket.AF_UNIX)
    try:
        _wait_for_turn(client, path)
        user = user_of(client)
        if not trusted(user):  # in /tmp, say, anybody can make a socket and pretend to be the agent
            raise NoAgent(
                f"{path} is served by user {user}, not by you; give the path that your agent.py prints"
            )
    except (OSError, ValueError) as error:
        client.close()
        raise NoAgent(_why_not(path, error)) from None
    except KdpError:
        client.close()
        raise
    return SocketPipe(client, str(path))


def _wait_for_turn(client: socket.socket, path: Path) -> None:
    """Connect; where many others wait to be accepted, a Unix socket refuses at once instead of waiting."""
    client.settimeout(WITHIN)
    end = time.monotonic() + WITHIN
    while True:
        try:
            return client.connect(str(path))
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _why_not(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no agent at {path}: no such socket; start agent.py and give the path that it prints"
    if isinstance(error, PermissionError):
        return f"no agent at {path}: permission denied; only the user who started agent.py may open it"
    if isinstance(error, ConnectionRefusedError):
        return f"no agent at {path}: the agent of this socket has ended; start agent.py of the bundle again"
    return f"no agent at {path} ({error}); give the path that agent.py prints"


def connect_address(host: str, port: int, credentials: Credentials) -> SocketPipe:
    """Connect over TCP, check the certificate if one is given, and exchange proofs of the token.

    Raises:
        KdpError: nobody there, or not an agent with this certificate and token (3); no token (2).
    """
    name = f"{host}:{port}"
    try:
        client = socket.create_connection((host, port), WITHIN)
    except (OSError, UnicodeError) as error:  # a label of over 63 letters is no host name (RFC 1035)
        raise NoAgent(f"no agent at {name} ({error}); start agent.py --listen of the bundle there") from None
    try:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        token = credentials.token()
        client = _secured(client, name, credentials)
        pipe = SocketPipe(client, name)
        _exchange_proofs(pipe, token, name)
    except BaseException:
        client.close()
        raise
    return pipe


def _secured(client: socket.socket, name: str, credentials: Credentials) -> socket.socket:
    """`client` inside TLS when a certificate is given."""
    pinned = credentials.pinned()
    if pinned is None:
        return client
    context, certificate = pinned
    another = f"{name} has another certificate than {credentials.certificate}"
    try:
        secured = context.wrap_socket(client)
    except ssl.SSLCertVerificationError as error:
        raise NoAgent(f"{another} ({error.verify_message}); copy the agent's --tls-cert again") from None
    except TimeoutError:
        raise NoAgent(f"{name} does not answer in {WITHIN:g} s; is it an agent with --tls-cert?") from None
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise NoAgent(
            f"{name} does not speak TLS ({reason}); start agent.py with --tls-cert, or leave it out here"
        ) from None
    if secured.getpeercert(binary_form=True) != certificate:
        secured.close()
        raise NoAgent(f"{another}; copy the agent's --tls-cert again")
    return secured


def _exchange_proofs(pipe: SocketPipe, token: str, name: str) -> None:
    knock = Knock(token)
    try:
        opening = _ask(pipe, knock.opening, OPENING)
        if opening is None:
            raise Unauthorised("closed the connection at our first bytes: does it expect TLS (--tls-cert)?")
        answer = _ask(pipe, knock.prove(opening), PROOF)
        if answer is None:
            raise Unauthorised("refused our token: it has another one; copy its token file again")
        knock.check(answer)
    except Unauthorised as error:
        raise NoAgent(f"the agent at {name} {error}") from None


def _ask(pipe: SocketPipe, data: bytes, count: int) -> bytes | None:
    """The answer to `data`: `count` bytes, fewer when no more came in time, None when it closed at once."""
    end, answer = time.monotonic() + WITHIN, b""
    try:
        pipe.write(data)
        while len(answer) < count and (left := end - time.monotonic()) > 0:
            answer += pipe.read(left)
    except LinkLost:
        return answer or None
    if not answer:
        raise Unauthorised(f"said nothing for {WITHIN:g} s: it hangs, or another program listens there")
    return answer
