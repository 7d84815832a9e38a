# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Devices: anything that answers the link protocol, one file per kind, all opened the same way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from types import ModuleType

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import hint
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.hil.devices.device import Device
from kdp_edge.quantization.plan import IntegerPlanner

KINDS = {
    "reference": ("reference", "the exact integer reference, in this process"),
    "native": ("native", "the firmware's C built for this computer"),
    "qemu": ("qemu:stm32f405[@HZ]", "the very image that is flashed, on an emulated board"),
    "serial": ("serial:PORT[@BAUD]", "a board on a serial port; `kdp-edge ports` lists them"),
    "agent": (
        "agent:HOST:PORT or agent:/PATH/OF/SOCKET",
        "the agent of a jetson or sbc bundle: TCP with a token, or its socket",
    ),
}
NONE_GIVEN = Credentials()
_MODULES = {"serial": "serial_port"}


def known() -> str:
    """Every form of a device's name, for messages and help."""
    return ", ".join(form for form, _ in KINDS.values())


def check(name: str) -> None:
    """Raise `KdpError` unless `name` is a device's name; opens nothing."""
    kind, colon, argument = name.partition(":")
    if kind not in KINDS:
        raise KdpError(f"unknown device '{name}': {hint(kind, KINDS)}there are {known()}")
    takes_argument = ":" in KINDS[kind][0]
    if takes_argument != bool(argument) or (colon and not argument):
        raise KdpError(f"device '{name}' is not of the form {KINDS[kind][0]}")
    if takes_argument:
        _module(kind).check(argument)


def check_all(names: Sequence[str]) -> None:
    """`check` each of `names`; one that is given twice is an error as well."""
    for name in names:
        check(name)
    if len(set(names)) < len(names):
        raise KdpError(f"device given twice: {', '.join(names)}; --repeat plays each one twice")


def prepare(name: str, planner: IntegerPlanner, credentials: Credentials = NONE_GIVEN) -> None:
    """Build what the device called `name` needs, so that a run does not end half-way for want of it.

    Raises:
        KdpError: with exit code 3 when a tool, port or package is missing.
    """
    check(name)
    kind, _, argument = name.partition(":")
    module = _module(kind)
    if hasattr(module, "prepare"):
        module.prepare(argument, planner, *_shown(kind, credentials))


def runs_by_itself(name: str) -> bool:
    """Whether a device called `name` runs already, with whatever policy it has."""
    return name.partition(":")[0] in ("serial", "agent")


def open_device(
    name: str, planner: IntegerPlanner | None, credentials: Credentials = NONE_GIVEN
) -> AbstractContextManager[Device]:
    """The device called `name`, built for and started with `planner` where that is ours to do.

    A device that runs by itself needs no planner; an agent over TCP asks for `credentials`.

    Leaving the context ends whatever was started; raises `KdpError` with exit code 3 when the device,
    or a tool that it needs, is missing.
    """
    check(name)
    kind, _, argument = name.partition(":")
    opened = _module(kind).open_device(argument, planner, *_shown(kind, credentials))
    return opened  # type: ignore[no-any-return]


def _shown(kind: str, credentials: Credentials) -> tuple[Credentials, ...]:
    """Only an agent asks who we are."""
    return (credentials,) if kind == "agent" else ()


def _module(kind: str) -> ModuleType:
    return import_module(f"kdp_edge.hil.devices.{_MODULES.get(kind, kind)}")
