# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Who a device is and how it has fared, asked without changing anything on it."""

from __future__ import annotations

from dataclasses import dataclass

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.devices.device import Device
from kdp_edge.hil.link import Link
from kdp_edge.hil.push import SlotInfo, slot_info
from kdp_edge.wire.numbers import ClockSource, HelloFlag, State
from kdp_edge.wire.protocol import Hello, SelfTest, Telemetry


@dataclass(frozen=True)
class Identity:
    """What a device says; self-test and slots are None where it is at work or has none."""

    state: str
    clock: str  # what the core's clock comes from
    flags: list[str]
    hello: Hello
    telemetry: Telemetry
    selftest: SelfTest | None
    slots: SlotInfo | None


def identify(device: Device) -> Identity:
    """Ask `device`; raises `KdpError` (3) when nobody answers, (4) when it stops answering."""
    link = Link(device.pipe, device.timeout)
    hello = link.hello(device.hello_within)
    idle = hello.state == State.IDLE
    return Identity(
        state=_name(State, hello.state),
        clock=_name(ClockSource, hello.clock_source),
        flags=[flag.name.lower() for flag in HelloFlag if hello.flags & flag and flag.name],
        hello=hello,
        telemetry=link.telemetry(),
        selftest=link.selftest() if idle else None,
        slots=_slots(link) if idle else None,
    )


def _name(kind: type[State] | type[ClockSource], number: int) -> str:
    known = {int(one): one.name.lower().replace("_", " ") for one in kind}
    return known.get(number, f"unknown ({number})")


def _slots(link: Link) -> SlotInfo | None:
    try:
        return slot_info(link)
    except KdpError:
        return None  # a device that takes no models over the link
