# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The request handler: refusals, repeats, self-test, plans that leave control alone."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters.c_model import golden_observations
from kdp_edge.exporters.host_library import HostLibrary
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire import protocol
from kdp_edge.wire.frame import encode
from kdp_edge.wire.numbers import ERROR, HelloFlag, Refusal, Type
from kdp_edge.wire.protocol import Hello, PlanReply, SelfTest, Telemetry
from tests.firmware.core_device import TOO_LATE, CoreDevice

OBSERVATION = np.array([0.1, 0.2, -0.3], np.float32)


@pytest.fixture
def device(small_library: HostLibrary, small_planner: IntegerPlanner) -> CoreDevice:
    return CoreDevice(small_library, small_planner)


def test_hello_says_what_the_policy_is(device: CoreDevice) -> None:
    hello = Hello.unpack(device.request(Type.HELLO)[1])
    protocol.check_hello(hello, device.planner, "library")
    assert hello.board == "library"


def test_an_unknown_type_and_every_wrong_length_are_refused(device: CoreDevice) -> None:
    for kind in (0, 11, 0x7F, 0x80, 0xFF):
        assert device.request(kind) == (ERROR, bytes([Refusal.UNKNOWN_TYPE, kind]))
    lengths = {t: 0 for t in Type} | {Type.RESET: 5, Type.STEP: 16, Type.TICK: 4, Type.PLAN: 21}
    lengths |= {Type.PUSH_BEGIN: 8, Type.PUSH_DATA: 36, Type.PUSH_COMMIT: 4}
    for kind, right in lengths.items():
        if kind == Type.ECHO:
            continue
        for wrong in {0, right - 1, right + 1, right + 4, 1017} - {right, -1}:
            assert device.request(kind, b"\1" * wrong) == (ERROR, bytes([Refusal.BAD_LENGTH, kind]))


def test_a_repeated_step_gets_the_kept_reply_and_counts_once(device: CoreDevice) -> None:
    device.reset(3)
    body = bytes([Type.STEP, 9, 9]) + protocol.pack_step(0, OBSERVATION)
    first = device.library.answer(body)
    assert device.library.answer(body) == first
    telemetry = Telemetry.unpack(device.request(Type.TELEMETRY)[1])
    assert (telemetry.plans, telemetry.stale) == (1, 0)
    renumbered = bytes([Type.STEP, 10, 9]) + body[3:]
    assert device.library.answer(renumbered)[0] == ERROR


@pytest.mark.parametrize("forget", [Type.RESET, Type.ARM])
def test_reset_and_arm_forget_the_kept_reply(device: CoreDevice, forget: Type) -> None:
    device.reset(3)
    body = bytes([Type.STEP, 9, 9]) + protocol.pack_step(0, OBSERVATION)
    first = device.library.answer(body)
    device.request(forget, protocol.pack_reset(4) if forget == Type.RESET else b"")
    second = device.library.answer(body)
    assert second != first
    assert (second[0] == ERROR) == (forget == Type.ARM)


def test_plan_shows_every_candidate_and_leaves_control_alone(device: CoreDevice) -> None:
    device.reset(1)
    device.step(0, OBSERVATION)
    wanted = device.planner.plan(OBSERVATION * 2, 7, 40)
    for candidate in range(device.planner.spec.k):
        kind, payload = device.request(Type.PLAN, protocol.pack_plan(7, 40, candidate, OBSERVATION * 2))
        spec = device.planner.spec
        reply = PlanReply.unpack(payload, spec.k, spec.window_size)
        assert kind == 0x8A and reply.best == wanted.best
        assert np.array_equal(reply.scores, wanted.scores)
        assert np.array_equal(reply.window, wanted.windows[candidate])
    device.tick(1)  # still replays the plan of step 0
    beyond = protocol.pack_plan(7, 40, device.planner.spec.k, OBSERVATION)
    assert device.request(Type.PLAN, beyond) == (ERROR, bytes([Refusal.BAD_LENGTH, Type.PLAN]))


def test_selftest_passes_and_leaves_control_alone(device: CoreDevice) -> None:
    device.reset(1)
    device.step(0, OBSERVATION)
    result = SelfTest.unpack(device.request(Type.SELFTEST)[1])
    assert result == SelfTest(1, len(golden_observations(device.planner.spec)), 0xFFFF)
    device.tick(1)


def test_a_failed_image_check_refuses_every_action_and_says_so(device: CoreDevice) -> None:
    device.library.set_image(False)
    device.reset(1)
    assert SelfTest.unpack(device.request(Type.SELFTEST)[1]).passed == 0
    hello = Hello.unpack(device.request(Type.HELLO)[1])
    assert not hello.flags & HelloFlag.SELFTEST_PASSED
    for kind, payload in (
        (Type.STEP, protocol.pack_step(0, OBSERVATION)),
        (Type.TICK, protocol.pack_tick(0)),
    ):
        assert device.request(kind, payload) == (ERROR, bytes([Refusal.SELFTEST_FAILED, kind]))
    telemetry = Telemetry.unpack(device.request(Type.TELEMETRY)[1])
    assert (telemetry.plans, telemetry.missed) == (0, 0)


def test_a_golden_vector_that_differs_is_named(small_bundle: Path, tmp_path: Path) -> None:
    import re
    import shutil

    shutil.copytree(small_bundle, tmp_path / "bundle")
    source = tmp_path / "bundle" / "src" / "kdp_model.c"
    text = source.read_text()
    digests = re.findall(r"0x[0-9a-f]{8}u", text)
    source.write_text(text.replace(digests[5], f"0x{int(digests[5][2:-1], 16) ^ 1:08x}u"))
    library = HostLibrary.compile(tmp_path / "bundle")
    reply = library.answer(bytes([Type.SELFTEST, 0, 0]))
    assert SelfTest.unpack(reply[3:]) == SelfTest(0, 16, 5)


def test_a_reply_that_is_cut_short_is_counted(device: CoreDevice) -> None:
    frame = encode(Type.HELLO, 0)
    before = Telemetry.unpack(device.request(Type.TELEMETRY)[1]).replies_cut
    room = ctypes.create_string_buffer(4)
    device.library.c.kdp_library_receive(frame, ctypes.c_size_t(len(frame)), room, ctypes.c_size_t(4))
    assert Telemetry.unpack(device.request(Type.TELEMETRY)[1]).replies_cut == before + 1


def test_the_watchdog_is_fed_by_the_main_loop_only(device: CoreDevice) -> None:
    for kind in (Type.HELLO, Type.SELFTEST, Type.TELEMETRY, Type.ARM, Type.ECHO):
        device.request(kind)
    device.reset(0)
    device.step(0, OBSERVATION)
    device.tick(1)
    assert device.library.watchdog_fed() == 0
    device.library.turn()
    device.library.turn()
    assert device.library.watchdog_fed() == 2


def test_the_longest_plan_is_reported(device: CoreDevice) -> None:
    device.reset(0)
    device.step(0, OBSERVATION, TOO_LATE)
    device.step(10, OBSERVATION)
    assert Telemetry.unpack(device.request(Type.TELEMETRY)[1]).longest_plan_ticks == 10_000_000


def test_a_plan_as_long_as_the_deadline_is_in_time(device: CoreDevice) -> None:
    device.reset(0)
    deadline = device.planner.spec.deadline_us
    for step, (ticks, flags) in enumerate([(deadline, 1), (deadline + 1, 5)]):
        device.library.set_ticks(ticks)
        body = bytes([Type.STEP, step, 1]) + protocol.pack_step(10 * step, OBSERVATION)
        reply = protocol.StepReply.unpack(device.library.answer(body)[3:], 2)
        assert reply.flags & 5 == flags
        assert reply.ticks == ticks


def test_reboot_answers_then_starts_over(device: CoreDevice) -> None:
    from kdp_edge.wire.frame import encode

    device.reset(0)
    device.step(0, OBSERVATION)
    assert device.library.receive(encode(Type.REBOOT, 5)) == encode(0x88, 5)
    assert Hello.unpack(device.request(Type.HELLO)[1]).state == 0
    assert Telemetry.unpack(device.request(Type.TELEMETRY)[1]).plans == 0
