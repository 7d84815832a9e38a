# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The numbers of the protocol in Python and in C: the same names, the same values, none on one side only."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import IntEnum, IntFlag

import pytest

from kdp_edge.exporters import model_blob
from kdp_edge.exporters.boards import FIRMWARE
from kdp_edge.wire import frame, numbers, twin
from kdp_edge.wire.numbers import ClockSource, Flag, HelloFlag, Pace, Refusal, State, Type
from kdp_edge.wire.protocol import Telemetry

CORE = FIRMWARE / "core"
TYPES = (
    "HELLO", "RESET", "STEP", "TICK", "SELFTEST", "TELEMETRY", "ARM", "REBOOT", "ECHO", "PLAN",
    "PUSH_BEGIN", "PUSH_DATA", "PUSH_COMMIT", "SLOT_INFO",
)  # fmt: skip


def enum_of(file: str, first: str) -> dict[str, int]:
    """The constants of the C enum in firmware/core/<file> that begins with `first`, without KDP_."""
    text = re.sub(r"/\*.*?\*/", "", (CORE / file).read_text(encoding="utf-8"), flags=re.DOTALL)
    body = next(body for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", text, re.DOTALL) if first in body)
    found = re.findall(r"(?:KDP_)?(\w+)\s*=\s*(-?\w+)", body)
    return {name: int(value, 0) for name, value in found}


def define_of(file: str, name: str) -> int:
    text = (CORE / file).read_text(encoding="utf-8")
    match = re.search(rf"#define {name} \(?(\w+)u\b", text)
    assert match, f"{file} does not define {name}"
    return int(match[1], 0)


def plain(kind: type[IntEnum] | type[IntFlag]) -> dict[str, int]:
    return {member.name: int(member) for member in kind if member.name is not None}


def without(prefix: str, found: dict[str, int]) -> dict[str, int]:
    return {name.removeprefix(prefix): value for name, value in found.items()}


def test_types_of_messages() -> None:
    found = enum_of("kdp_server.h", "KDP_HELLO") | enum_of("kdp_push.h", "KDP_PUSH_BEGIN")
    assert found == plain(Type) | {"REPLY": numbers.REPLY, "ERROR": numbers.ERROR}
    assert tuple(plain(Type)) == TYPES


@pytest.mark.parametrize(
    "file, first, prefix, kind",
    [
        ("kdp_failsafe.h", "KDP_IDLE", "", State),
        ("kdp_failsafe.h", "KDP_LOCKSTEP", "", Pace),
        ("kdp_failsafe.h", "KDP_FLAG_PLANNED", "FLAG_", Flag),
    ],
)
def test_states_and_flags(file: str, first: str, prefix: str, kind: type[IntEnum] | type[IntFlag]) -> None:
    assert without(prefix, enum_of(file, first)) == plain(kind)


def test_flags_of_hello() -> None:
    found = enum_of("kdp_server.c", "HELLO_SELFTEST_PASSED") | enum_of("kdp_push.h", "KDP_HELLO_PUSHED")
    assert without("HELLO_", found) == plain(HelloFlag)


def test_clock_sources() -> None:
    found = without("CLOCK_", enum_of("kdp_port.h", "KDP_CLOCK_INTERNAL"))
    found["OPERATING_SYSTEM"] = found.pop("OS")
    assert found == plain(ClockSource)


def test_refusals_are_the_core_s_errors_negated() -> None:
    errors = without("ERROR_", enum_of("../nn/kdp_error.h", "KDP_ERROR_UNKNOWN_TYPE"))
    on_the_wire = {name: -value for name, value in errors.items() if -32 < value < 0}
    assert on_the_wire == plain(Refusal)


def test_sizes_and_versions() -> None:
    assert define_of("kdp_server.h", "KDP_PROTOCOL") == numbers.PROTOCOL
    assert define_of("kdp_frame.h", "KDP_FRAME_MAX") == frame.MAX_FRAME
    assert define_of("kdp_frame.h", "KDP_FRAME_CRC") == frame.MAX_FRAME - frame.MAX_BODY
    assert define_of("kdp_failsafe.h", "KDP_NO_PLAN") == twin.NO_PLAN
    blob = (CORE / "kdp_blob.h").read_text(encoding="utf-8")
    assert int(re.search(r"KDP_BLOB_BLOCKS (\d+)", blob)[1]) == model_blob.MAX_BLOCKS  # type: ignore[index]
    assert int(re.search(r"KDP_BLOB_WIDTH (\d+)", blob)[1]) == model_blob.MAX_WIDTH  # type: ignore[index]
    kernels = (FIRMWARE / "nn" / "kdp_nn.h").read_text(encoding="utf-8")
    found = re.findall(r"#define KDP_KERNEL_(\w+) (\d+)", kernels)
    assert {name.lower(): int(number) for name, number in found} == model_blob.KERNEL_IDS


def test_the_order_of_telemetry() -> None:
    text = (CORE / "kdp_server.c").read_text(encoding="utf-8")
    body = re.search(r"const uint32_t values\[\] = \{(.*?)\};", text, re.DOTALL)
    assert body
    names = [
        re.sub(r"^(count->|server->|kdp_port_)|\(.*\)$", "", part.strip()) for part in body[1].split(",")
    ]
    renamed = {
        "stack_size": "stack_bytes",
        "stack_high_water": "stack_high_water_bytes",
        "longest_plan": "longest_plan_ticks",
    }
    assert [renamed.get(name, name) for name in names if name] == [f.name for f in fields(Telemetry)]
