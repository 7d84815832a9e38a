# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`native`: the firmware's C built for this computer, under sanitizers, on a pty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kdp_edge.exporters.boards import BuildOptions
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.devices.image import image_for
from kdp_edge.hil.devices.process import pty_of
from kdp_edge.quantization.plan import IntegerPlanner

OPTIONS = BuildOptions(sanitize=True)
# A computer that is busy elsewhere says nothing about deadlines on a board, and must not change what
# the C does: plans take a pretended time.
NOMINAL = 1000  # ns
SERVING = r"^kdp: serving on (\S+)"


def prepare(argument: str, planner: IntegerPlanner) -> None:
    """Build the program."""
    image_for(planner, "native", OPTIONS)


@contextmanager
def open_device(argument: str, planner: IntegerPlanner) -> Iterator[Device]:
    """See `hil.devices.open_device`."""
    built = image_for(planner, "native", OPTIONS)
    with pty_of([str(built.image.elf)], SERVING) as (pipe, child):

        def pretend(nanoseconds: int | None) -> None:
            child.say(f"ticks {NOMINAL if nanoseconds is None else nanoseconds}")

        pretend(None)
        yield Device(
            "native",
            pipe,
            lambda hello: None,
            toolchain=built.toolchain,
            pretend=pretend,
            restart=lambda count: child.say(f"restart {count}"),
            hang=child.pause,
            timeless=True,
        )
