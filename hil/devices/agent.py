"""`agent:HOST:PORT`: the agent of a jetson or sbc bundle, which serves the same protocol over TCP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kdp_edge.base.errors import DEVICE_MISSING, KdpError
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.pipes import SocketPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.protocol import Hello


def parse(argument: str) -> tuple[str, int]:
    """`HOST:PORT` -> (host, port)."""
    host, colon, port = argument.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise KdpError(f"device 'agent:{argument}' is not of the form agent:HOST:PORT")
    return host.strip("[]"), int(port)


def check(argument: str) -> None:
    """Raise `KdpError` unless `argument` has the right form."""
    parse(argument)


def is_exact(hello: Hello) -> bool:
    """TensorRT adds in an order of its own; the other back ends are exact."""
    return "tensorrt" not in hello.board


@contextmanager
def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    host, port = parse(argument)
    try:
        pipe = SocketPipe(host, port)
    except OSError as error:
        raise KdpError(
            f"no agent at {host}:{port} ({error}); start agent.py of the bundle there", DEVICE_MISSING
        ) from None
    try:
        yield Device(f"agent:{argument}", pipe, microseconds, exact=is_exact)
    finally:
        pipe.close()
