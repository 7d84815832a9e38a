# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plans made ahead, in the loop: as predicted on every kind of device, and no action waits for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.exporters import targets
from kdp_edge.hil.curves.twin_play import TICK_HZ, TwinLink, play_twin
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.faults import parse
from kdp_edge.hil.link import Link
from kdp_edge.hil.loop import play_device, play_float
from kdp_edge.hil.pace.device import DevicePace
from kdp_edge.hil.pace.timing import Timing
from kdp_edge.hil.planner import Planner
from kdp_edge.hil.reaction_check import judge
from kdp_edge.hil.scenario import Scenario
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks.simulation import Simulation
from kdp_edge.wire.numbers import Flag, State
from kdp_edge.wire.protocol import StepReply
from kdp_edge.wire.twin import Reply, Twin
from tests.firmware.on_link import play as play_link

SCENARIO = Scenario("hopper-medium-expert", (0, 1), 60)
PERIOD = 8e-3  # seconds, of Hopper


@pytest.fixture(scope="module")
def ahead(planner: IntegerPlanner) -> IntegerPlanner:
    return replace(planner, spec=replace(planner.spec, chunk=2, ahead=True))


@pytest.mark.parametrize("name", ["reference", "native"])
def test_a_device_that_plans_ahead_answers_as_the_twin_whatever_comes(
    name: str, ahead: IntegerPlanner
) -> None:
    with open_device(name, ahead) as device:
        replies = play_link(Link(device.pipe), ahead, 150)
    made_ahead = [reply for reply in replies if reply.flags & Flag.AHEAD]
    own = [reply for reply in replies if reply.flags & Flag.PLANNED and not reply.flags & Flag.AHEAD]
    assert len(made_ahead) > 20
    assert len(own) > 5  # after what threw one away


def latencies(planner: IntegerPlanner, seconds: float, steps: int = 8) -> list[float | None]:
    """What the plant pays in each step, in periods; None where the device was busy and not asked."""
    link, plant = TwinLink(planner, seconds), Simulation(SCENARIO.plant)
    pace = DevicePace(link, lambda reply: reply.ticks / TICK_HZ, lambda: 0.0, PERIOD)
    link.twin.reset(0)
    pace.begin(plant, np.zeros(3, np.float32))
    paid: list[float | None] = []
    for step in range(steps):
        answers = pace.exchange(step, np.zeros(11, np.float32))
        paid += [round((answer.latency or 0.0) / PERIOD, 3) for answer in answers] or [None]
        for answer in answers:
            assert isinstance(answer.reply, StepReply)
    plant.close()
    return paid


def test_the_plant_pays_for_the_first_plan_and_for_what_is_late(planner: IntegerPlanner) -> None:
    plain, ahead = (
        replace(planner, spec=replace(planner.spec, chunk=2, ahead=ahead, deadline_us=20_000))
        for ahead in (False, True)
    )
    assert latencies(plain, 0.5 * PERIOD) == [0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0]
    assert latencies(ahead, 0.5 * PERIOD) == [0.5, 0, 0, 0, 0, 0, 0, 0]
    assert latencies(ahead, PERIOD) == [1, 0, 0, 0, 0, 0, 0, 0]
    # the first plan ends in step 1; then each comes 0.25 periods late, and its chunk's other steps do not
    longer = replace(ahead, spec=replace(ahead.spec, chunk=3))
    assert latencies(longer, 1.25 * PERIOD) == [1.25, None, 0, 0.25, 0, 0, 0.25, 0]


@pytest.mark.parametrize("name", ["reference", "native"])
def test_episodes_are_as_predicted_and_those_of_the_twin_alone(name: str, ahead: IntegerPlanner) -> None:
    floats = FloatPlanner.from_integer(ahead)
    with open_device(name, ahead) as device:
        recording = play_device(device, replace(SCENARIO, timing=Timing("device")), ahead, floats)
    assert (recording.lost, recording.mismatches) == (None, [])
    assert [e.episode_return for e in recording.episodes] == [
        e.episode_return for e in play_twin(SCENARIO, ahead)
    ]
    assert {step.age for step in recording.steps} == {0, 1}
    assert max(step.same_candidate_gap or 0.0 for step in recording.steps) < 0.2


def test_plans_that_overrun_are_met_as_predicted_and_in_time(ahead: IntegerPlanner) -> None:
    fault = parse("overrun=1.5@7:30")
    scenario = replace(SCENARIO, faults=(fault,))
    with open_device("native", ahead) as device:
        recording = play_device(device, scenario, ahead, FloatPlanner.from_integer(ahead))
    assert (recording.lost, recording.mismatches) == (None, [])
    late = Flag.AHEAD | Flag.OVERRUN
    assert any(step.flags & late == late for step in recording.steps)
    assert any(step.state == State.LATCHED for step in recording.steps)
    reacted = judge(fault, scenario, recording, ahead.spec)
    assert [one.due > 0 for one in reacted][:2] == [True, True]
    assert all(one.passed for one in reacted)


def test_the_float_policy_plays_the_same_plans(ahead: IntegerPlanner) -> None:
    """The int8 device and float choose from observations of the same steps, so their actions stay near."""
    floats = FloatPlanner.from_integer(ahead)
    played = play_float(replace(SCENARIO, seeds=(0,), max_steps=12), floats)
    assert [step.age for step in played.steps] == ([0, 1] * 6)[: len(played.steps)]
    for number, step in enumerate(played.steps):
        plan = number // 2
        seen = np.asarray(played.steps[max(2 * plan - 1, 0)].observation, np.float32)
        wanted = floats.plan(seen, 0, plan)
        low, high = ahead.spec.float32("act_low"), ahead.spec.float32("act_high")
        assert step.candidate == wanted.best
        if not number:
            first = np.clip(wanted.actions[wanted.best, 0], low, high)
            rate = ahead.spec.float32("act_rate")
            np.testing.assert_array_equal(np.float32(step.action), np.clip(first, -rate, rate))


@pytest.mark.parametrize("prepared", [True, False])
def test_a_program_gets_the_device_s_actions_whether_it_prepares_or_not(
    prepared: bool, ahead: IntegerPlanner, tmp_path: Path
) -> None:
    bundle = targets.export_planner(ahead, "sbc", tmp_path / "bundle", {}).path
    p, twin, rng = Planner(bundle, "reference", None), Twin(ahead), np.random.default_rng(4)
    p.reset(2)
    twin.reset(2)
    for step in range(40):
        seen = None if rng.random() < 0.1 else rng.normal(0, 1, 11).astype(np.float32)
        expected = twin.tick(step) if seen is None else twin.step(step, seen)
        assert isinstance(expected, Reply)
        np.testing.assert_array_equal(p(seen), expected.action)
        assert p.flags == expected.flags
        if prepared:
            p.prepare()
    assert p.counters == twin.counters
