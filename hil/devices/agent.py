# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`agent:HOST:PORT`, `agent:/SOCKET`: the agent of a jetson or sbc bundle; it serves the same protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.devices.connect import connect_address, connect_path
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.pipes import SocketPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import Hello


def parse(argument: str) -> Path | tuple[str, int]:
    """What stands behind `agent:`, a path with at least one `/` or `HOST:PORT` -> path, or (host, port)."""
    if "/" in argument:
        return Path(argument)
    host, colon, port = argument.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        form = "agent:HOST:PORT or agent:/PATH/OF/SOCKET"
        raise KdpError(f"device 'agent:{argument}' is not of the form {form}")
    return host.strip("[]"), int(port)


def check(argument: str) -> None:
    """Raise `KdpError` unless `argument` has the right form."""
    parse(argument)


def prepare(argument: str, planner: IntegerPlanner, credentials: Credentials) -> None:
    """See that the agent is there and lets us in; who owns it keeps it, because nothing is asked."""
    connect(argument, credentials).close()


def connect(argument: str, credentials: Credentials) -> SocketPipe:
    """A connection that is let in; raises `KdpError` with exit code 3, or 2 when we have no token to show."""
    where = parse(argument)
    return connect_path(where) if isinstance(where, Path) else connect_address(*where, credentials)


def is_exact(hello: Hello) -> bool:
    """TensorRT adds in an order of its own, float layers round elsewhere; the other back ends are exact."""
    return not any(word in hello.board for word in ("tensorrt", "fp16", "fp32"))


@contextmanager
def open_device(argument: str, planner: IntegerPlanner, credentials: Credentials) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    pipe = connect(argument, credentials)
    try:
        yield Device(f"agent:{argument}", pipe, microseconds, exact=is_exact)
    finally:
        pipe.close()
