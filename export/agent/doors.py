# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Where hosts connect and what opens it: a socket of this user, or TCP with a token and perhaps TLS."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.exporters.agent.private_folder import check_alone, usual_folder
from kdp_edge.wire import token_file

BACKLOG = 128  # one caller is accepted per turn of the loop


@dataclass(frozen=True)
class Door:
    """What the command line says about hosts; nothing is open yet. Either `path` or `address` is None."""

    path: Path | None
    address: tuple[str, int] | None = None
    token: str | None = field(default=None, repr=False)  # None: the system lets nobody else in
    tls: ssl.SSLContext | None = None

    def open(self) -> socket.socket:
        """Bind and listen; what stands behind `agent:` on the host is printed."""
        listener = _bound_path(self.path) if self.path else _bound_address(self.address or ("", 0))
        listener.setblocking(False)  # a caller that is gone before it is accepted must not stop the loop
        if self.path is None and self.tls is None:
            _warn_if_open(listener)
        print(f"serving on {self.name(listener)}", flush=True)
        return listener

    def name(self, listener: socket.socket) -> str:
        """PATH or HOST:PORT, as the host writes it."""
        if self.path is not None:
            return str(self.path)
        host = self.address[0] if self.address else ""
        return f"[{host}]:{port_of(listener)}" if ":" in host else f"{host}:{port_of(listener)}"

    def close(self, listener: socket.socket) -> None:
        """Stop listening, and leave no socket behind."""
        listener.close()
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()


def port_of(listener: socket.socket) -> int:
    """The TCP port that was chosen."""
    return int(listener.getsockname()[1])


def add_options(parser: argparse.ArgumentParser, where: argparse._MutuallyExclusiveGroup) -> None:
    """The options that `door` reads; those of `where` exclude the other ways to serve."""
    usual = str(token_file.usual_path()).replace("%", "%%")
    where.add_argument(
        "--socket",
        metavar="PATH",
        type=Path,
        help="a socket that only this user can open; default: in a private folder, its path is printed",
    )
    where.add_argument("--listen", metavar="HOST:PORT", help="TCP, for hosts that have the token")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help=f"with --listen: the token, made when there is no such file; default {usual}",
    )
    parser.add_argument("--tls-cert", metavar="FILE", type=Path, help="with --listen: encrypt (TLS 1.3); PEM")
    parser.add_argument("--tls-key", metavar="FILE", type=Path, help="the private key of --tls-cert; PEM")


def door(options: argparse.Namespace) -> Door:
    """What `options` say, checked; a token that is missing is made."""
    if options.listen is None:
        for name in ("token_file", "tls_cert", "tls_key"):
            if getattr(options, name) is not None:
                raise KdpError(f"--{name.replace('_', '-')} goes with --listen HOST:PORT; give both", USAGE)
        return Door(Path(os.path.abspath(options.socket)) if options.socket else _usual_path())
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise KdpError(f"--listen {options.listen} is not HOST:PORT with a port from 0 to 65535", USAGE)
    if (options.tls_cert is None) != (options.tls_key is None):
        raise KdpError("--tls-cert and --tls-key belong together; give both or none", USAGE)
    tls = _tls(options.tls_cert, options.tls_key) if options.tls_cert else None
    return Door(None, (host.strip("[]"), int(port)), _token(options.token_file), tls)


def _token(given: Path | None) -> str:
    path = given or token_file.usual_path()
    token, made = token_file.read_or_make(path)
    print(
        f"agent: hosts need the token in {path}{' (new)' if made else ''}; copy that file to them",
        file=sys.stderr,
    )
    return token


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    if not certificate.is_file():
        raise KdpError(f"{certificate}: no such file; give the PEM certificate that hosts have", USAGE)
    token_file.check_private(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # no host resumes a session
    try:
        context.load_cert_chain(certificate, key, password="")  # never ask a terminal for one
    except (ssl.SSLError, ValueError) as error:
        raise KdpError(
            f"{certificate} with {key}: not a PEM certificate and its key without a password ({error})", USAGE
        ) from None
    return context


def _usual_path() -> Path:
    return usual_folder() / "agent.sock"


def _bound_path(path: Path) -> socket.socket:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise KdpError(
            f"{path}: no folder for it ({error.strerror}); choose another --socket", USAGE
        ) from None
    if path == _usual_path():
        check_alone(path.parent)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # so that it is 0600 from its first moment
    try:
        listener.bind(str(path))
    except OSError as error:
        raise KdpError(f"{path}: cannot listen here ({error}); choose another --socket", USAGE) from None
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket of an agent that was killed; refuse one that is served, and any other file."""
    if not path.is_socket():
        if path.exists():
            raise KdpError(f"{path} exists and is no socket; choose another --socket", USAGE)
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # full, or not ours to open: somebody has it
    raise KdpError(f"{path}: another agent serves it; end that one, or choose another --socket", USAGE)


def _bound_address(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise KdpError(
            f"cannot listen on {address[0]}:{address[1]} ({error}); choose another --listen", DEVICE_MISSING
        ) from None


def _warn_if_open(listener: socket.socket) -> None:
    host = listener.getsockname()[0].partition("%")[0]
    if not ipaddress.ip_address(host).is_loopback:
        print(
            f"agent: warning: {host}:{port_of(listener)} is open to the network without TLS: only hosts with "
            "the token get in, but what they send can be read and changed on the way; give --tls-cert and "
            "--tls-key",
            file=sys.stderr,
            flush=True,
        )
