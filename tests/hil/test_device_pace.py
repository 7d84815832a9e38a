# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Pace `device`: the plant pays latency to the sub-step, and every reply is still the predicted one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from kdp_edge.hil.closed_loop import closed_loop
from kdp_edge.hil.devices import open_device
from kdp_edge.hil.loop import play_device
from kdp_edge.hil.pace.flight import Flight
from kdp_edge.hil.pace.timing import Timing
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.summary import misses
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks import get_task
from kdp_edge.tasks.simulation import Simulation
from kdp_edge.wire.numbers import Flag

SCENARIO = Scenario("hopper-medium-expert", (0, 1), 60)
SUBSTEP = 2_000.0  # us of Hopper's physics; a control step has four


def play(planner: IntegerPlanner, floats: FloatPlanner, timing: Timing, name: str = "reference") -> Recording:
    with open_device(name, planner) as device:
        recording = play_device(device, replace(SCENARIO, timing=timing), planner, floats)
    assert (recording.lost, recording.mismatches) == (None, [])
    return recording


def returns(recording: Recording) -> list[float]:
    return [episode.episode_return for episode in recording.episodes]


@pytest.mark.parametrize("name", ["reference", "native"])
def test_without_latency_the_returns_are_those_of_lockstep_bit_for_bit(
    name: str, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    lockstep = play(planner, float_planner, Timing(), name)
    device = play(planner, float_planner, Timing("device"), name)
    assert returns(device) == returns(lockstep)
    assert [s.digest for s in device.steps] == [s.digest for s in lockstep.steps]
    assert returns(play(planner, float_planner, Timing("device", SUBSTEP), name)) != returns(lockstep)


def by_hand(actions: list[np.ndarray], late: int, seed: int) -> list[float]:
    """Rewards of Hopper when each action begins to act `late` sub-steps late, on a plain Gymnasium."""
    import mujoco

    env = gymnasium.make("Hopper-v5", disable_env_checker=True)
    env.reset(seed=seed)
    base = env.unwrapped
    pending = [np.zeros(3, np.float32)] * late  # one entry a sub-step
    rewards = []
    for action in actions:
        pending += [action] * 4
        now, pending = pending[:4], pending[4:]
        before = base.data.qpos[0]
        for one in now:
            base.data.ctrl[:] = one
            mujoco.mj_step(base.model, base.data)
        speed = (base.data.qpos[0] - before) / base.dt
        rewards.append(float(base._get_rew(speed, now[-1])[0]))
    return rewards


@pytest.mark.parametrize("late", [1, 3, 4, 6, 11])
def test_an_action_acts_from_the_first_sub_step_after_its_latency(
    late: int, planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    """Against a plain loop over physics steps, below and above a period."""
    # a little less than `late` sub-steps: it begins at the next one
    recording = play(planner, float_planner, Timing("device", late * SUBSTEP - 100))
    for episode in recording.episodes:
        steps = [s for s in recording.steps if s.seed == episode.seed]
        assert {s.latency for s in steps} == {(late * SUBSTEP - 100) * 1e-6}
        actions = [np.asarray(s.action, np.float32) for s in steps]
        assert [s.reward for s in steps] == by_hand(actions, late, episode.seed)


def test_a_device_that_is_busy_is_not_asked_and_its_fail_safe_sees_that(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    from kdp_edge.hil.faults import parse

    scenario = replace(SCENARIO, timing=Timing("device"), faults=(parse("overrun=1.5@4:6"),))
    with open_device("native", planner) as device:
        recording = play_device(device, scenario, planner, float_planner)
    assert (recording.lost, recording.mismatches) == (None, [])
    asked = [s.latency is not None for s in recording.steps if s.seed == 0]
    assert asked[:8] == [True, True, True, True, True, False, True, True]
    late = recording.steps[4]
    assert late.latency == pytest.approx(1.5 * 8e-3)


def test_what_the_plant_does_meanwhile_is_the_robots_choice() -> None:
    first, second, zero = (np.full(1, v, np.float32) for v in (1.0, 2.0, 0.0))
    hold, drop = Flight(4, zero), Flight(4, zero, zero)
    for flight in (hold, drop):
        flight.send(0.25, first)
        flight.send(1.5, second)
    assert hold.step(0) == (first, [(zero, 1)])
    assert hold.step(1) == (second, [(first, 2)])
    assert drop.step(0) == (first, [(zero, 1)])
    assert drop.step(1) == (second, [(zero, 2)])
    assert drop.step(2) == (zero, [])


def test_an_action_that_a_later_one_overtook_never_acts() -> None:
    old, new, zero = (np.full(1, v, np.float32) for v in (1.0, 2.0, 0.0))
    flight = Flight(4, zero)
    flight.send(2.5, old)
    flight.send(2.25, new)
    assert [flight.step(n)[0] for n in range(4)] == [zero, zero, new, new]


@pytest.mark.parametrize("task", ["maze2d-umaze"])
def test_plants_without_sub_steps_pay_by_whole_control_steps(task: str) -> None:
    plant = Simulation(get_task(task))
    assert plant.substeps == 1
    plant.close()


def test_scaled_actions_are_divided_in_what_the_environment_makes_of_them() -> None:
    """Adroit scales and clips shares to its actuators' ranges; a step divided between equals is the same."""
    pytest.importorskip("gymnasium_robotics")
    plant = Simulation(get_task("door-cloned"))
    assert plant.substeps > 1
    action = np.linspace(-1.5, 1.5, 28, dtype=np.float32)
    outcomes = []
    for earlier in ((), ((action, 2),)):
        plant.reset(seed=3)
        outcomes.append(plant.step(action, earlier))
    plant.close()
    assert outcomes[0][0].tobytes() == outcomes[1][0].tobytes() and outcomes[0][1] == outcomes[1][1]


def test_the_same_run_twice_is_the_same_report(sbc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an emulated board, whatever this computer does meanwhile."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    timing = Timing("device", 500.0)
    texts = []
    for _ in range(2):
        report = closed_loop(sbc, ["qemu:stm32f405"], episodes=2, max_steps=30, timing=timing)
        found = report.to_json()
        telemetry = found["devices"]["qemu:stm32f405"]["telemetry"]
        for name in ("frames_received", "frames_bad"):  # a greeting is repeated until the emulator is up
            del telemetry[name]
        texts.append(json.dumps(found))
    assert texts[0] == texts[1]
    assert report.mode == "device" and report.answering["qemu:stm32f405"].latency_ms is not None
    assert report.answering["qemu:stm32f405"].mismatched_replies == 0
    (said,) = report.tolerances
    assert said.says.startswith("qemu:stm32f405 plans in")


def test_an_emulated_core_whose_declared_clock_makes_it_late_is_late_for_its_own_fail_safe_too(
    planner: IntegerPlanner, float_planner: FloatPlanner
) -> None:
    """The same image: instructions are the same, and the device's second is the one that was declared."""
    taken = {}
    for hz in (None, 24e6):
        timing = Timing("device", clock_hz=hz)
        with open_device(timing.address("qemu:stm32f405"), planner) as device:
            scenario = replace(SCENARIO, seeds=(0,), max_steps=12, timing=timing)
            found = play_device(device, scenario, planner, float_planner)
        assert (found.lost, found.mismatches) == (None, [])
        planned = [s for s in found.steps if s.flags & Flag.PLANNED]
        taken[hz] = [found.clock.units(s.ticks) for s in planned]
        late = [s.latency > 8e-3 for s in planned]
        assert late == [bool(s.flags & Flag.OVERRUN) for s in planned] == [hz is not None] * len(late)
        assert misses(found) == len(late) * (hz is not None)
    assert set(taken[24e6]) <= set(taken[None]) or max(taken[24e6]) == pytest.approx(
        max(taken[None]), rel=1e-3
    )
