# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The closed loop on real Hopper: equal on every device, mismatches found and located, losses reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.devices.device import Device, microseconds
from kdp_edge.hil.environment import check_task
from kdp_edge.hil.faults import parse
from kdp_edge.hil.loop import ECHOES, play_device, play_float
from kdp_edge.hil.pipes import LinkLost, MemoryPipe
from kdp_edge.hil.scenario import WARM_UP, Recording, Scenario
from kdp_edge.hil.summary import device_times
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.tasks import get_task
from kdp_edge.wire.numbers import Refusal
from kdp_edge.wire.protocol import Hello, StepReply
from kdp_edge.wire.server import Server

SCENARIO = Scenario("hopper-medium-expert", (0, 1, 2), 60)


def play(
    name: str, planner: IntegerPlanner, float_planner: FloatPlanner, scenario: Scenario = SCENARIO
) -> Recording:
    with open_device(name, planner) as device:
        return play_device(device, scenario, planner, float_planner)


def served_by(server: Server) -> Device:
    return Device("altered", MemoryPipe(server.feed), microseconds, timeout=0.01)


@pytest.mark.parametrize("name", ["reference", "native", "qemu:stm32f405"])
def test_every_device_plays_the_same_episodes_without_a_mismatch(
    name: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    recording = play(name, planner, float_planner)
    expected = play("reference", planner, float_planner)
    assert recording.lost is None
    assert recording.replies == len(recording.steps) == sum(e.steps for e in recording.episodes) > 30
    assert (recording.mismatched, recording.mismatches) == (0, [])
    assert [e.episode_return for e in recording.episodes] == [e.episode_return for e in expected.episodes]
    assert [s.digest for s in recording.steps] == [s.digest for s in expected.steps]
    assert recording.telemetry is not None and recording.telemetry.plans == len(recording.steps)


def test_emulated_times_are_instructions_that_repeat_exactly(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    first, second = (play("qemu:stm32f405", planner, float_planner) for _ in range(2))
    times = device_times(first)
    assert times == device_times(second)
    assert all(t == int(t) for t in times)
    # one multiply-accumulate takes about one instruction; framing and requantization a bit
    assert 0.3 * planner.macs < times[0] < 5 * planner.macs


@pytest.mark.parametrize("name", ["reference", "native", "qemu:stm32f405"])
def test_faults_of_sensors_and_device_are_met_as_predicted(
    name: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    texts = ("off@3:5", "garbage@8:20", "intermittent=0.2", "stuck@1:3", "wrong=0.01@2:4", "reboot@7")
    scenario = replace(SCENARIO, faults=tuple(map(parse, texts)), seeds=(0, 1, 2, 3))
    recording = play(name, planner, float_planner, scenario)
    assert recording.lost is None
    assert recording.mismatches == []
    assert all(recording.injected[text.split("@")[0].split("=")[0]] > 0 for text in texts)
    assert {step.state for step in recording.steps} == {1, 2, 3, 4}


def test_plans_that_overrun_are_replaced_by_the_fail_safe_as_predicted(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    scenario = replace(SCENARIO, faults=(parse("overrun@2:4"), parse("overrun@6:20")))
    recording = play("native", planner, float_planner, scenario)
    assert recording.lost is None
    assert recording.mismatches == []
    assert recording.telemetry is not None and recording.telemetry.overruns > 4
    assert {step.state for step in recording.steps} >= {1, 2}
    with pytest.raises(KdpError, match="only native can"):
        play("reference", planner, float_planner, scenario)


def test_an_action_that_is_not_a_number_is_never_applied(
    planner: IntegerPlanner, float_planner: FloatPlanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = StepReply.pack
    monkeypatch.setattr(StepReply, "pack", lambda self: packed(replace(self, action=self.action * np.nan)))
    recording = play("reference", planner, float_planner)
    assert recording.lost is not None and "not a number" in recording.lost
    assert recording.steps == [] and recording.mismatched == 1


def altered(planner: IntegerPlanner) -> IntegerPlanner:
    """The same policy with one weight of the last layer changed by one step."""
    *rest, last = planner.generator.operations
    weight = last.weight.copy()
    weight[17] += np.where(weight[17] < 100, 20, -20).astype(np.int8)
    generator = replace(planner.generator, operations=(*rest, replace(last, weight=weight)))
    return replace(planner, generator=generator)


def test_a_wrong_weight_is_a_mismatch_located_to_the_byte(
    planner: IntegerPlanner, float_planner: FloatPlanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = altered(planner)
    # a device that lies about its model: only its replies can give it away
    hello = Hello.of(planner, state=0, flags=1, clock_source=3, clock_hz=1, tick_hz=1, board="b", version="v")
    monkeypatch.setattr(Hello, "of", classmethod(lambda cls, *_, **__: hello))
    recording = play_device(served_by(Server(wrong)), SCENARIO, planner, float_planner)
    assert recording.mismatched > 0
    first = recording.mismatches[0]
    assert "digest" in first.differences
    assert {b["what"] for b in first.plan_bytes} <= {"step 1 rooty", "step 1 thigh_joint", "score"} | {
        f"step 1 {name}" for name in planner.spec.obs_names
    }
    byte = first.plan_bytes[0]
    assert byte["byte"] == 17
    noise = planner.plan(np.float32(first.observation), first.episode, first.plan_index)
    assert byte["expected"] == noise.windows[byte["candidate"]][17]
    assert f"expected {byte['expected']}, got {byte['got']}" in first.note


def test_a_device_that_dies_leaves_a_recording_up_to_its_last_step(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    server = Server(planner)
    served = 0

    def feed(data: bytes) -> bytes:
        nonlocal served
        served += 1
        if served > ECHOES + WARM_UP + 30:
            raise LinkLost("unplugged")
        return server.feed(data)

    device = Device("dying", MemoryPipe(feed), microseconds, timeout=0.01)
    recording = play_device(device, SCENARIO, planner, float_planner)
    assert recording.lost is not None and "unplugged" in recording.lost and "step" in recording.lost
    assert len(recording.steps) == recording.replies > 0
    assert recording.episodes[-1].finished is False


def test_a_device_that_restarts_by_itself_is_not_mistaken_for_a_good_one(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    servers = [Server(planner), Server(planner)]
    count = 0

    def feed(data: bytes) -> bytes:
        nonlocal count
        count += 1
        return servers[count > ECHOES + WARM_UP + 15].feed(data)

    device = Device("restarting", MemoryPipe(feed), microseconds, timeout=0.01)
    recording = play_device(device, SCENARIO, planner, float_planner)
    assert recording.lost is not None and "not ready" in recording.lost
    assert recording.mismatches[0].differences == {"refusal": {"expected": "a reply", "got": "NOT_READY"}}


def test_another_policy_on_the_device_is_refused_before_the_first_step(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    with pytest.raises(KdpError, match="model_sha256 is"):
        play_device(served_by(Server(altered(planner))), SCENARIO, planner, float_planner)


def test_a_policy_for_another_task_is_refused_with_both_signals() -> None:
    task = get_task("hopper-medium-expert")
    names = ["rootz", "WRONG", *task.obs_names[2:]]
    policy = random_planner(obs_names=names, act_names=list(task.act_names))
    with pytest.raises(KdpError, match=r"'WRONG' as observations\[1\].*'rooty'"):
        check_task(policy, task)
    with pytest.raises(KdpError, match="has 11 observations, task walker2d-medium has 17"):
        check_task(policy, get_task("walker2d-medium"))


def test_chunks_are_played_as_planned_and_predicted() -> None:
    task = get_task("hopper-medium-expert")
    policy = random_planner(obs_names=list(task.obs_names), act_names=list(task.act_names), chunk=3)
    recording = play("reference", policy, FloatPlanner.from_integer(policy))
    assert recording.mismatches == []
    assert [s.age for s in recording.steps[:7]] == [0, 1, 2, 0, 1, 2, 0]
    assert all(s.action_gap is not None for s in recording.steps)


def test_the_float_policy_plays_the_same_seeds_and_its_gap_is_small(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    floats = play_float(SCENARIO, float_planner)
    again = play_float(SCENARIO, float_planner)
    assert [e.episode_return for e in floats.episodes] == [e.episode_return for e in again.episodes]
    gaps = [s.same_candidate_gap for s in play("reference", planner, float_planner).steps]
    assert max(gaps) < 0.15
    assert np.median(gaps) < 0.03


class Absurd(Server):
    """From its tenth STEP on answers with an action or a step that nobody asked for, under a right CRC."""

    count = 0

    def __init__(self, planner: IntegerPlanner, change: dict[str, float]) -> None:
        super().__init__(planner)
        self.change = change

    def _step(self, payload: bytes) -> bytes | Refusal:
        reply = super()._step(payload)
        self.count += 1
        if self.count < 10 or isinstance(reply, Refusal):
            return reply
        given = StepReply.unpack(reply, self.planner.spec.act_dim)
        if "action" in self.change:
            given = replace(given, action=np.full_like(given.action, self.change["action"]))
        return replace(given, step=given.step + int(self.change.get("step", 0))).pack()


@pytest.mark.parametrize("value", [1e30, -1e30, float("nan"), float("inf"), 5.0])
def test_an_action_outside_the_limits_is_not_applied(
    planner: IntegerPlanner, float_planner: FloatPlanner, value: float
) -> None:
    recording = play_device(served_by(Absurd(planner, {"action": value})), SCENARIO, planner, float_planner)
    assert recording.lost is not None and "not applied" in recording.lost
    assert len(recording.steps) == 9 and all(abs(v) <= 1 for step in recording.steps for v in step.action)


def test_a_reply_to_another_step_is_stray_and_not_applied(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    recording = play_device(served_by(Absurd(planner, {"step": -5})), SCENARIO, planner, float_planner)
    assert recording.lost is not None and "no reply to STEP" in recording.lost
    assert len(recording.steps) == 9 and recording.counters.stray > 0


class Malformed(Server):
    """Answers STEP with a payload that is too short."""

    def _step(self, payload: bytes) -> bytes | Refusal:
        reply = super()._step(payload)
        return reply if isinstance(reply, Refusal) else reply[:-1]


def test_a_malformed_reply_ends_as_a_lost_link_with_what_was_played(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    recording = play_device(served_by(Malformed(planner)), SCENARIO, planner, float_planner)
    assert recording.lost is not None and "episode seed 0, step 0" in recording.lost
