# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`reference`: the exact integer reference, in this process, behind the same frames as every device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.pipes import MemoryPipe
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.server import Server


@contextmanager
def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    yield Device("reference", MemoryPipe(Server(planner).feed), microseconds, timeout=0.1, timeless=True)
