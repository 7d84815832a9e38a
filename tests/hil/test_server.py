# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The fail-safe over the link, in the in-process server and in the firmware's C: as the twin predicts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from kdp_edge.hil.devices import open_device
from kdp_edge.hil.link import Link
from kdp_edge.hil.reply_check import differences
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.frame import MAX_PAYLOAD
from kdp_edge.wire.numbers import Flag, Refusal, State, Type
from kdp_edge.wire.protocol import Refused, pack_plan, pack_step
from kdp_edge.wire.twin import Twin

GOOD = np.linspace(-1, 1, 11).astype(np.float32)
BAD = np.full(11, np.nan, np.float32)


@pytest.fixture(params=["reference", "native"], scope="module")
def device_link(request: pytest.FixtureRequest, planner: IntegerPlanner) -> Iterator[Link]:
    with open_device(request.param, planner) as device:
        link = Link(device.pipe)
        link.hello()
        yield link


@pytest.fixture
def link(device_link: Link) -> Link:
    device_link.reboot()
    device_link.hello()
    return device_link


def refused(link: Link, type_: Type, payload: bytes = b"") -> int:
    with pytest.raises(Refused) as caught:
        link.request(type_, payload)
    return caught.value.code


def test_the_whole_path_from_running_to_latched_and_back_is_as_predicted(
    link: Link, planner: IntegerPlanner
) -> None:
    twin, states = Twin(planner), []
    assert link.reset(5).state == twin.reset(5)
    for step, observation in enumerate([GOOD, GOOD * 2, *[BAD] * 9, GOOD, None]):
        ask, predict = (link.tick, twin.tick) if observation is None else (link.step, twin.step)
        arguments = (step,) if observation is None else (step, observation)
        got, expected = ask(*arguments), predict(*arguments)
        assert differences(expected, got) == {}, f"step {step}"
        states.append(State(got.state))
    assert set(states) == {State.RUNNING, State.REPLAYING, State.SAFE, State.LATCHED}
    assert states[-2:] == [State.LATCHED, State.LATCHED]
    assert link.reset(6).state == twin.reset(6) == State.LATCHED
    assert link.arm().state == twin.arm() == State.IDLE
    assert link.reset(6).state == twin.reset(6) == State.RUNNING
    assert differences(twin.step(0, GOOD), link.step(0, GOOD)) == {}
    telemetry = link.telemetry()
    for name, value in vars(twin.counters).items():
        assert getattr(telemetry, name) == value, name


def test_steps_that_were_left_out_age_the_plan_as_predicted(link: Link, planner: IntegerPlanner) -> None:
    twin = Twin(planner)
    assert link.reset(0).state == twin.reset(0)
    rng = np.random.default_rng(2)
    step = 0
    for _ in range(60):
        step += int(rng.integers(1, 4))
        observation = (BAD if rng.random() < 0.4 else rng.normal(0, 1, 11)).astype(np.float32)
        got, expected = link.step(step, observation), twin.step(step, observation)
        assert differences(expected, got) == {}, f"step {step}"
        if expected.state == State.LATCHED:
            assert link.arm().state == twin.arm()
            assert link.reset(step).state == twin.reset(step)


def test_a_device_refuses_to_act_before_reset(link: Link) -> None:
    assert refused(link, Type.STEP, pack_step(0, GOOD)) == Refusal.NOT_READY
    assert refused(link, Type.TICK, bytes(4)) == Refusal.NOT_READY


def test_a_stale_step_is_refused_and_changes_nothing(link: Link, planner: IntegerPlanner) -> None:
    twin = Twin(planner)
    link.reset(0), twin.reset(0)
    link.step(4, GOOD), twin.step(4, GOOD)
    for step in (4, 3, 0):
        assert refused(link, Type.STEP, pack_step(step, GOOD * 3)) == Refusal.STALE
    assert differences(twin.step(5, GOOD), link.step(5, GOOD)) == {}


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        (Type.HELLO, b"x"),
        (Type.RESET, b""),
        (Type.RESET, bytes(4)),
        (Type.RESET, bytes(4) + b"\2"),
        (Type.RESET, bytes(6)),
        (Type.STEP, bytes(4)),
        (Type.STEP, bytes(4 + 4 * 12)),
        (Type.TICK, bytes(5)),
        (Type.SELFTEST, b"x"),
        (Type.TELEMETRY, b"x"),
        (Type.ARM, b"x"),
        (Type.REBOOT, b"x"),
        (Type.PLAN, bytes(8)),
    ],
)
def test_a_request_of_another_length_is_refused(link: Link, type_: Type, payload: bytes) -> None:
    assert refused(link, type_, payload) == Refusal.BAD_LENGTH


def test_a_candidate_that_does_not_exist_is_refused(link: Link) -> None:
    assert refused(link, Type.PLAN, pack_plan(0, 0, 8, GOOD)) == Refusal.BAD_LENGTH


def test_an_unknown_request_is_refused(link: Link) -> None:
    with pytest.raises(Refused, match="unknown type"):
        link.request(0x55)  # type: ignore[arg-type]


def test_echo_carries_the_largest_payload_and_every_byte(link: Link) -> None:
    data = (bytes(range(256)) * 4)[:MAX_PAYLOAD]
    assert link.echo(data) == data


def test_plan_returns_every_candidate_and_leaves_the_control_state_alone(
    link: Link, planner: IntegerPlanner
) -> None:
    twin = Twin(planner)
    link.reset(9), twin.reset(9)
    link.step(0, GOOD), twin.step(0, GOOD)
    expected = planner.plan(GOOD, 3, 77)
    for candidate in range(planner.spec.k):
        reply = link.plan(3, 77, candidate, GOOD)
        assert reply.best == expected.best
        np.testing.assert_array_equal(reply.scores, expected.scores)
        np.testing.assert_array_equal(reply.window, expected.windows[candidate])
    assert differences(twin.step(1, BAD), link.step(1, BAD)) == {}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e9])
def test_an_observation_out_of_range_is_never_planned_from(link: Link, value: float) -> None:
    observation = GOOD.copy()
    observation[7] = value
    link.reset(0)
    reply = link.step(0, observation)
    assert reply.flags & Flag.BAD_OBSERVATION and not reply.flags & Flag.PLANNED
    assert reply.state == State.SAFE and not reply.action.any()
