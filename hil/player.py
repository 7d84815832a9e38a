# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Plays the episodes of a scenario on one device, step by step, the twin beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kdp_edge.base.progress import Progress
from kdp_edge.hil.faulty_pipe import FaultyPipe
from kdp_edge.hil.faulty_signals import Actuator, Sensor
from kdp_edge.hil.link import Link
from kdp_edge.hil.replay import gap_to_recorded
from kdp_edge.hil.reply_check import ReplyCheck, check_action
from kdp_edge.hil.scenario import PlayedEpisode, Recording, Scenario, Step
from kdp_edge.quantization.float_planner import FloatPlan, FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.tasks.environments import mujoco_data
from kdp_edge.wire.numbers import Flag, State
from kdp_edge.wire.protocol import Refused, StepReply
from kdp_edge.wire.twin import NO_PLAN, Reply, Twin, limit_action


@dataclass
class Player:
    """One device's part of a run; fills `recording`.

    `play` raises `LinkLost` or `Refused` when the device does not go on; `where` then says the place.
    """

    link: Link
    scenario: Scenario
    planner: IntegerPlanner
    float_planner: FloatPlanner
    recording: Recording
    progress: Progress
    pretend: Callable[[int | None], None] | None = None  # see `Device.pretend`
    hang: Callable[[float], None] | None = None  # see `Device.hang`
    seed: int = 0
    step: int = -1
    float_plan: FloatPlan | None = None
    twin: Twin = field(init=False)
    check: ReplyCheck = field(init=False)
    sensor: Sensor = field(init=False)
    actuator: Actuator = field(init=False)

    def __post_init__(self) -> None:
        self.twin = Twin(self.planner)
        self.check = ReplyCheck(self.link, self.planner, self.recording)
        self.sensor = Sensor(self.scenario.faults_of("sensor"), self.scenario.seeds[0])
        self.actuator = Actuator(self.scenario.faults_of("actuator"), self.planner.spec)

    def where(self) -> str:
        """The place in the scenario, for messages."""
        return "before the first step" if self.step < 0 else f"episode seed {self.seed}, step {self.step}"

    def play(self) -> None:
        """All episodes; a latch that the last one caused is left again."""
        env = self.scenario.open_plant()
        try:
            for number, seed in enumerate(self.scenario.seeds):
                self._episode(env, seed, number * self.scenario.max_steps)
                self.progress((number + 1) * self.scenario.max_steps)
            if self.twin.state == State.LATCHED:
                self._arm()
        finally:
            env.close()
            self.recording.injected.update(self.sensor.injected + self.actuator.injected)

    def _episode(self, env: Any, seed: int, done: int) -> None:
        self.seed, self.step = seed, 0
        total, finished, start = 0.0, False, len(self.recording.steps)
        observation, _ = env.reset(seed=seed)
        body = mujoco_data(env)
        self.sensor.start_episode()
        self.actuator.start_episode()
        try:
            self._reset()
            for number in range(self.scenario.max_steps):
                self.step = number
                device_faults = self._do_faults(np.asarray(observation, np.float32))
                step = self._control_step(np.asarray(observation, np.float32))
                action = np.asarray(step.action, np.float32)
                pose, driven = pose_of(body), self.actuator.drive(number, action)
                observation, reward, terminated, truncated, info = env.step(driven)
                total += float(reward)
                fault = "+".join(filter(None, (*device_faults, step.fault)))
                gap = gap_to_recorded(action, info)
                step = replace(step, reward=float(reward), fault=fault, recorded_gap=gap, pose=pose)
                self.recording.steps.append(step)
                self.progress(done + number + 1)
                if terminated or truncated:
                    break
            finished = True
        finally:
            played = len(self.recording.steps) - start
            self.recording.episodes.append(PlayedEpisode(seed, total, played, finished))

    def _reset(self) -> None:
        self.float_plan = None
        expected, got = self.twin.reset(self.seed), self.link.reset(self.seed)
        if not self.recording.steps:
            check_action(self.planner.spec, got.action)
            self.twin.previous = got.action  # what a device played before we came is its own affair
        self.check.state("RESET", self.twin, got)
        if expected == State.LATCHED:
            self._arm()
            self.twin.reset(self.seed)
            self.check.state("RESET", self.twin, self.link.reset(self.seed))

    def _arm(self) -> None:
        """Leave the latch that this run caused: none was there before it."""
        self.twin.arm()
        self.check.state("ARM", self.twin, self.link.arm())

    def _do_faults(self, observation: np.ndarray) -> list[str]:
        """Do to device, host and link what the scenario says for this step; names of the device's faults."""
        names = []
        for fault in self.scenario.faults:
            active = fault.active(self.step)
            if fault.name == "overrun" and self.pretend is not None:
                self.pretend(int(fault.value * self.planner.spec.deadline_us * 1000) if active else None)
            if not active:
                continue
            if fault.name == "reboot":
                self._restart(observation)
            elif fault.name == "hang" and self.hang is not None:
                self.hang(fault.value)
            elif fault.name == "stall":
                time.sleep(fault.value)
            elif fault.name == "cut" and isinstance(self.link.pipe, FaultyPipe):
                self.link.pipe.cut(int(fault.value))
            if fault.place == "device":
                names.append(fault.name)
            if fault.place in ("device", "host"):
                self.recording.injected[fault.name] += 1
        return names

    def _restart(self, observation: np.ndarray) -> None:
        """Restart the device; it must refuse to act until it is RESET."""
        self.link.reboot()
        self.link.hello()
        if self.pretend is not None:
            self.pretend(None)  # a restart forgets it
        self.twin.reboot()
        self.check.place(self.seed, self.step, 0)
        self.check.reply(self.twin.step(self.step, observation), self._ask(observation), observation)
        self._reset()

    def _ask(self, observation: np.ndarray | None) -> StepReply | Refused:
        try:
            return (
                self.link.tick(self.step) if observation is None else self.link.step(self.step, observation)
            )
        except Refused as refused:
            return refused

    def _control_step(self, truth: np.ndarray) -> Step:
        """One STEP (or TICK, without an observation): ask the device, predict its reply, compare."""
        observation, fault = self.sensor.sense(self.step, truth)
        index, before, previous = self.twin.plan_count, self.float_plan, self.twin.previous
        sent = time.perf_counter()
        got = self._ask(observation)
        late = self._late(got)
        expected = (
            self.twin.tick(self.step) if observation is None else self.twin.step(self.step, observation, late)
        )
        self.check.place(self.seed, self.step, index)
        matched = self.check.reply(expected, got, observation)
        if isinstance(got, Refused):
            raise got
        check_action(self.planner.spec, got.action)
        # by the twin's word: the flags of a device that mismatches may say anything
        if observation is not None and isinstance(expected, Reply) and expected.flags & Flag.PLANNED:
            self.float_plan = self.float_planner.plan(observation, self.seed, index)
        step = _step(self.seed, self.step, got, self.link.rtt, matched, fault, observation, sent)
        if isinstance(expected, Reply):
            gap, predicted = float(np.abs(got.action - expected.action).max()), _values(expected.action)
            step = replace(step, twin_gap=gap, twin_action=predicted)
            if not self.recording.exact:
                self.twin.previous = got.action  # the rate limit goes on from the action really played
        # a plan that overran was made, but the action comes from the one before it
        float_plan = before if late else self.float_plan
        return self._with_gap(step, got, float_plan, previous)

    def _late(self, got: StepReply | Refused) -> int:
        """Periods by which the device says that its plan was late."""
        if isinstance(got, Refused) or not got.flags & Flag.OVERRUN or self.recording.hello is None:
            return 0
        return self.planner.spec.periods(got.ticks, self.recording.hello.tick_hz)

    def _with_gap(self, step: Step, got: StepReply, plan: FloatPlan | None, previous: np.ndarray) -> Step:
        spec = self.planner.spec
        if plan is None or got.age == NO_PLAN or got.candidate >= spec.k or got.age >= spec.horizon:
            return step
        chosen = limit_action(spec, plan.actions[plan.best, got.age], previous)
        same = limit_action(spec, plan.actions[got.candidate, got.age], previous)
        return replace(
            step,
            float_action=tuple(float(v) for v in chosen),
            action_gap=float(np.abs(got.action - chosen).max()),
            same_candidate_gap=float(np.abs(got.action - same).max()),
        )


def _values(array: np.ndarray) -> tuple[float, ...]:
    return tuple(array.tolist())


def pose_of(body: Any) -> tuple[float, ...]:
    """What a plant can be drawn from, given its `mujoco_data`; empty without."""
    return () if body is None else _values(body.qpos)


def _step(
    seed: int,
    number: int,
    got: StepReply,
    rtt: float,
    matched: bool,
    fault: str,
    observation: np.ndarray | None,
    sent: float,
) -> Step:
    return Step(
        seed=seed,
        step=number,
        reward=0.0,
        action=tuple(float(v) for v in got.action),
        state=got.state,
        flags=got.flags,
        candidate=got.candidate,
        age=got.age,
        digest=got.digest,
        ticks=got.ticks,
        rtt=rtt,
        matched=matched,
        fault=fault,
        observation=() if observation is None else _values(observation),
        sent=sent,
    )
