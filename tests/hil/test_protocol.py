# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Messages have the sizes and offsets of docs/protocol.md, and refuse what is not theirs."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire import protocol
from kdp_edge.wire.numbers import Pace
from kdp_edge.wire.protocol import (
    Hello,
    PlanReply,
    SelfTest,
    StateReply,
    StepReply,
    Telemetry,
    check_hello,
)

OWN = {
    "state": 1,
    "flags": 1,
    "clock_source": 2,
    "clock_hz": 168_000_000,
    "tick_hz": 84_000_000,
    "board": "b",
    "version": "1.2",
}


def test_hello_has_its_fields_at_the_documented_offsets(planner: IntegerPlanner) -> None:
    data = Hello.of(planner, **OWN).pack()
    assert data[:4] == bytes([3, 1, 1, 2])
    assert struct.unpack_from("<H", data, 4) == (11,)
    assert data[6:12] == bytes([3, 4, 1, 8, 8, 1])
    assert struct.unpack_from("<IIII", data, 12) == (125_000, 8000, 168_000_000, 84_000_000)
    assert data[28:60].hex() == planner.model_sha256()
    assert data[60:92].hex() == planner.spec.schema_sha256()
    assert (data[92:124], struct.unpack_from("<IB", data, 124)) == (bytes(32), (0, 0))
    assert data[129:] == b"\x01b\x031.2"


def test_hello_comes_back(planner: IntegerPlanner) -> None:
    hello = Hello.of(planner, **OWN)
    assert Hello.unpack(hello.pack()) == hello


def test_hello_of_another_protocol_is_refused_with_both_versions(planner: IntegerPlanner) -> None:
    with pytest.raises(KdpError, match="speaks protocol 7, expected 3"):
        Hello.unpack(b"\x07" + Hello.of(planner, **OWN).pack()[1:])


@pytest.mark.parametrize("size", [0, 1, 50, 92, 93, 95])
def test_a_hello_cut_short_is_one_clear_error(planner: IntegerPlanner, size: int) -> None:
    with pytest.raises(KdpError):
        Hello.unpack(Hello.of(planner, **OWN).pack()[:size])


def test_a_device_with_another_model_is_refused_with_both_hashes(planner: IntegerPlanner) -> None:
    other = random_planner(
        seed=9, **{"obs_names": planner.spec.obs_names, "act_names": planner.spec.act_names}
    )
    with pytest.raises(KdpError) as caught:
        check_hello(Hello.of(other, **OWN), planner, "serial:x")
    message = str(caught.value)
    assert "model_sha256" in message
    assert other.model_sha256()[:16] in message and planner.model_sha256()[:16] in message


def test_another_order_of_signals_is_refused_as_a_schema_error_first(planner: IntegerPlanner) -> None:
    other = replace(planner, spec=replace(planner.spec, obs_names=planner.spec.obs_names[::-1]))
    with pytest.raises(KdpError, match="schema_sha256"):
        check_hello(Hello.of(other, **OWN), planner, "serial:x")


@pytest.mark.parametrize(("field", "value"), [("k", 4), ("rate_mhz", 50_000), ("deadline_us", 1)])
def test_a_difference_names_field_found_and_expected(planner: IntegerPlanner, field: str, value: int) -> None:
    hello = replace(Hello.of(planner, **OWN), **{field: value})
    expected = getattr(Hello.of(planner, **OWN), field)
    with pytest.raises(KdpError, match=f"{field} is {value}, the policy here has {expected}"):
        check_hello(hello, planner, "x")


def test_a_device_whose_self_test_failed_is_refused(planner: IntegerPlanner) -> None:
    with pytest.raises(KdpError, match="self-test"):
        check_hello(Hello.of(planner, **OWN | {"flags": 0}), planner, "x")


def test_step_messages_have_the_documented_layout() -> None:
    assert protocol.pack_step(7, np.float32([1, 2])) == struct.pack("<Iff", 7, 1, 2)
    assert protocol.pack_tick(7) == struct.pack("<I", 7)
    reply = StepReply(7, 1, 17, 3, 0, 0xDEADBEEF, np.float32([0.5, -0.0]), 99, 4)
    data = reply.pack()
    assert data == struct.pack("<IBBBBIffIH", 7, 1, 17, 3, 0, 0xDEADBEEF, 0.5, -0.0, 99, 4)
    assert StepReply.unpack(data, 2).pack() == data


def test_a_step_reply_for_other_actions_is_refused() -> None:
    data = StepReply(7, 1, 17, 3, 0, 1, np.float32([0.5]), 99, 0).pack()
    with pytest.raises(KdpError, match="STEP reply has 22 bytes, expected 26"):
        StepReply.unpack(data, 2)


def test_the_other_messages_have_the_documented_sizes() -> None:
    assert len(protocol.pack_plan(1, 2, 3, np.zeros(11, np.float32))) == 9 + 44
    plan = PlanReply(2, 7, np.int8([1, -2]), np.int8([-128, 127, 0]))
    assert plan.pack() == struct.pack("<BI2b3b", 2, 7, 1, -2, -128, 127, 0)
    assert PlanReply.unpack(plan.pack(), 2, 3).pack() == plan.pack()
    assert SelfTest.unpack(SelfTest(1, 16, 0xFFFF).pack()) == SelfTest(1, 16, 0xFFFF)
    assert len(SelfTest(1, 16, 0xFFFF).pack()) == 5
    state = StateReply(4, 1, 9, np.float32([0.5, -0.0]))
    assert state.pack() == struct.pack("<BBHff", 4, 1, 9, 0.5, -0.0)
    assert StateReply.unpack(state.pack(), 2, "RESET").pack() == state.pack()
    assert protocol.pack_reset(7, Pace.REAL) == struct.pack("<IB", 7, 1)
    assert len(Telemetry().pack()) == 76
    telemetry = Telemetry(plans=1, longest_plan_ticks=16)
    assert Telemetry.unpack(telemetry.pack()) == telemetry
